"""The data contract of a project: inferred, enforced where rows are loaded, carried by bundles."""

from __future__ import annotations

import json
from pathlib import Path

import lockgate
from tests.conftest import Run


def infer(project: Path, call: Run) -> Path:
    said = call("lockgate", "contract", "infer", cwd=project).stdout
    path = next((project / "conf" / "contract").iterdir())
    assert f"written: conf/contract/{path.name}" in said
    return path


def test_a_contract_is_enforced_by_dvc_repro_and_widened_as_a_diff(
    project: Path, call: Run
) -> None:
    path = infer(project, call)
    assert "no violation" in call("lockgate", "contract", "check", cwd=project).stdout
    contract = lockgate.read_contract(path)
    name, rule = next((n, r) for n, r in contract.columns.items() if r.kind == "number")
    text = path.read_text()
    path.write_text(text.replace(f"max: {rule.shown('max')}}}", "max: 0.0001}", 1))
    refused = call("dvc", "repro", "load", cwd=project, code=None)
    assert refused.returncode != 0
    assert f"column {name}: " in refused.stderr
    assert "lockgate contract widen" in refused.stderr
    listed = call("lockgate", "contract", "check", "--json", cwd=project, code=1).stdout
    assert {violation["rule"] for violation in json.loads(listed)} == {"max"}
    change = call("lockgate", "contract", "widen", "--dry-run", cwd=project).stdout
    assert "-  " in change
    assert "max: 0.0001}" in change
    assert "max: 0.0001}" in path.read_text()  # a dry run writes nothing
    call("lockgate", "contract", "widen", cwd=project)
    call("lockgate", "contract", "check", cwd=project)
    call("dvc", "repro", "load", cwd=project)
    path.write_text(path.read_text().replace("{kind: number", "{kind: numbr", 1))
    refused = call("dvc", "repro", "load", cwd=project, code=None)
    assert refused.returncode != 0
    assert "did you mean 'number'" in refused.stderr  # by the first stage


def test_the_bundle_carries_the_contract_and_predict_rejects_by_it(
    project: Path, call: Run, tmp_path: Path
) -> None:
    path = infer(project, call)
    call("lockgate", "run", cwd=project)
    bundle = lockgate.open(project / "bundle")
    assert bundle.contract == lockgate.read_contract(path)
    assert "contract.json" in bundle.manifest.files
    assert "data contract" in (project / "bundle" / "card.md").read_text()
    first = bundle.manifest.schema.features[0].name
    rows = lockgate.read_table(next((project / "data" / "raw").glob("*.csv"))).frame.head(5)
    rows.loc[2, first] = 1e6
    rows.to_csv(tmp_path / "rows.csv", index=False)
    command = ("lockgate", "predict", "bundle", str(tmp_path / "rows.csv"))
    out = tmp_path / "out.csv"
    done = call(*command, str(out), cwd=project, code=1)
    assert f"data contract: column {first}: 1 of 5 cells, such as 1000000" in done.stderr
    rejected = json.loads(Path(f"{out}.rejected.ndjson").read_text())
    assert rejected["row"] == 2
    assert rejected["reasons"][0].startswith("data contract: ")
    # the same file is checked by the project's contract, and read as the project reads its own
    checked = call("lockgate", "contract", "check", str(tmp_path / "rows.csv"), cwd=project, code=1)
    assert f"column {first}: 1 of 5 cells, such as 1000000" in checked.stdout
    measured = call("lockgate", "evaluate", "bundle", str(tmp_path / "rows.csv"), cwd=project)
    assert f"data contract: column {first}: 1 of 5 cells" in measured.stderr
    reported = call(*command, str(out), "--force", "--contract", "report", cwd=project)
    assert "data contract: " in reported.stderr
    assert len(out.read_text().splitlines()) == 6


def test_a_file_outside_of_a_project(call: Run, tmp_path: Path) -> None:
    (tmp_path / "march.csv").write_text("zip;age\n" + "01067;20,5\n80331;30\n" * 20)
    (tmp_path / "april.csv").write_text("zip;age\n01067;200,5\n80331;x\n")
    call("lockgate", "contract", "infer", "march.csv", "--contract", "c.yaml", cwd=tmp_path)
    assert lockgate.read_contract(tmp_path / "c.yaml").columns["zip"].kind == "category"
    again = call(
        "lockgate", "contract", "infer", "march.csv", "--contract", "c.yaml", cwd=tmp_path, code=2
    )
    assert "--force" in again.stderr
    command = ("lockgate", "contract", "check", "april.csv", "--contract", "c.yaml")
    checked = call(*command, "--set", "decimal=,", cwd=tmp_path, code=1)
    assert "column age: 1 of 2 cells, such as 'x', expected a number" in checked.stdout
    (tmp_path / "days.csv").write_text("day;x\n" + "02.07.2020;1\n03.08.2020;2\n" * 20)
    days = ("lockgate", "contract", "infer", "days.csv", "--contract", "d.yaml")
    call(*days, "--set", "dates=day-first", cwd=tmp_path)
    assert lockgate.read_contract(tmp_path / "d.yaml").columns["day"].min == "2020-06-16"
    unnamed = call("lockgate", "contract", "check", "april.csv", cwd=tmp_path, code=2)
    assert "--contract FILE is missing" in unnamed.stderr
