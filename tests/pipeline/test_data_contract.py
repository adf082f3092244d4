"""The data contract of a project: inferred, enforced where rows are loaded, carried by bundles."""

from __future__ import annotations

import json
from pathlib import Path

from sklearn.tree import DecisionTreeClassifier

import lockgate
from tests.conftest import Run
from tests.in_process import run_here


def infer(project: Path) -> Path:
    said = run_here("contract", "infer", cwd=project).stdout
    path = next((project / "conf" / "contract").iterdir())
    assert f"written: conf/contract/{path.name}" in said
    return path


def test_a_contract_is_enforced_by_dvc_repro_and_widened_as_a_diff(
    project: Path, call: Run
) -> None:
    path = infer(project)
    assert "no violation" in run_here("contract", "check", cwd=project).stdout
    contract = lockgate.read_contract(path)
    name, rule = next((n, r) for n, r in contract.columns.items() if r.kind == "number")
    text = path.read_text()
    path.write_text(text.replace(f"max: {rule.shown('max')}}}", "max: 0.0001}", 1))
    refused = call("dvc", "repro", "load", cwd=project, code=None)
    assert refused.returncode != 0
    assert f"column {name}: " in refused.stderr
    assert "lockgate contract widen" in refused.stderr
    listed = run_here("contract", "check", "--json", cwd=project, code=1).stdout
    assert {violation["rule"] for violation in json.loads(listed)} == {"max"}
    change = run_here("contract", "widen", "--dry-run", cwd=project).stdout
    assert "-  " in change
    assert "max: 0.0001}" in change
    assert "max: 0.0001}" in path.read_text()  # a dry run writes nothing
    run_here("contract", "widen", cwd=project)
    run_here("contract", "check", cwd=project)
    call("dvc", "repro", "load", cwd=project)
    path.write_text(path.read_text().replace("{kind: number", "{kind: numbr", 1))
    refused = call("dvc", "repro", "load", cwd=project, code=None)
    assert refused.returncode != 0
    assert "did you mean 'number'" in refused.stderr  # by the first stage


def test_predict_rejects_by_the_contract_and_evaluate_reports_it(
    project: Path, tmp_path: Path
) -> None:
    """Each command in this process: what it does to a project is tested by `dvc repro` above."""
    path = infer(project)
    table = lockgate.read_table(next((project / "data" / "raw").glob("*.csv")))
    target = str(table.frame.columns[-1])
    X, y = table.frame.drop(columns=target), table.frame[target]
    fitted = DecisionTreeClassifier(max_depth=2).fit(X, y)
    contract = lockgate.read_contract(path)
    bundle = str(lockgate.pack(fitted, X, y, path=tmp_path / "bundle", contract=contract).path)
    rows = table.frame.head(5).copy()
    rows.loc[2, X.columns[0]] = 1e6
    rows.to_csv(tmp_path / "rows.csv", index=False)
    data, out = str(tmp_path / "rows.csv"), tmp_path / "out.csv"
    violation = f"column {X.columns[0]}: 1 of 5 cells, such as 1000000"
    done = run_here("predict", bundle, data, str(out), code=1, cwd=project)
    assert f"data contract: {violation}" in done.stderr
    rejected = json.loads(Path(f"{out}.rejected.ndjson").read_text())
    assert (rejected["row"], rejected["reasons"][0][:15]) == (2, "data contract: ")
    # the same file is checked by the project's contract, and read as the project reads its own
    assert violation in run_here("contract", "check", data, code=1, cwd=project).stdout
    assert f"data contract: {violation}" in run_here("evaluate", bundle, data, cwd=project).stderr
    report = ("--force", "--contract", "report")
    reported = run_here("predict", bundle, data, str(out), *report, cwd=project)
    assert "data contract: " in reported.stderr
    assert len(out.read_text().splitlines()) == 6


def test_a_file_outside_of_a_project(tmp_path: Path) -> None:
    (tmp_path / "march.csv").write_text("zip;age\n" + "01067;20,5\n80331;30\n" * 20)
    (tmp_path / "april.csv").write_text("zip;age\n01067;200,5\n80331;x\n")
    run_here("contract", "infer", "march.csv", "--contract", "c.yaml", cwd=tmp_path)
    assert lockgate.read_contract(tmp_path / "c.yaml").columns["zip"].kind == "category"
    again = run_here("contract", "infer", "march.csv", "--contract", "c.yaml", cwd=tmp_path, code=2)
    assert "--force" in again.stderr
    command = ("contract", "check", "april.csv", "--contract", "c.yaml")
    checked = run_here(*command, "--set", "decimal=,", cwd=tmp_path, code=1)
    assert "column age: 1 of 2 cells, such as 'x', expected a number" in checked.stdout
    (tmp_path / "days.csv").write_text("day;x\n" + "02.07.2020;1\n03.08.2020;2\n" * 20)
    days = ("contract", "infer", "days.csv", "--contract", "d.yaml")
    run_here(*days, "--set", "dates=day-first", cwd=tmp_path)
    assert lockgate.read_contract(tmp_path / "d.yaml").columns["day"].min == "2020-06-16"
    unnamed = run_here("contract", "check", "april.csv", cwd=tmp_path, code=2)
    assert "--contract FILE is missing" in unnamed.stderr
