"""What a stage reads must not change until its result is saved."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lockgate.errors import UsageError
from lockgate.pipeline.inputs import unchanged_inputs
from lockgate.pipeline.parameters import check_derived, compose, write_composition
from lockgate.plugins.config.choices import write_choices
from tests.conftest import Run

EDITING = """\
from pathlib import Path

from lockgate.errors import UsageError
from lockgate.pipeline import optimize
from lockgate.pipeline.stage import run_stage

real = optimize.work


def work(stage):
    metrics = real(stage)
    file = Path("params.yaml")
    file.write_text(file.read_text().replace("folds: 5", "folds: 3"))
    return metrics


optimize.work = work
try:
    run_stage("optimize", Path.cwd())
except UsageError as error:
    raise SystemExit(str(error)) from None
"""
"""The stage, and a colleague who edits the parameters while it runs."""


@pytest.mark.parametrize(
    ("stage", "path"),
    [
        ("choices", "conf/config.yaml"),
        ("choices", "params.yaml"),
        ("load", "data/raw/tumours.csv"),
        ("optimize", "params.yaml"),
    ],
)
def test_a_change_while_a_stage_reads_is_an_error(fresh: Path, stage: str, path: str) -> None:
    write_composition(fresh, compose(fresh))
    file = fresh / path
    with pytest.raises(UsageError, match=f"{path} was changed while stage {stage} was reading it"):
        with unchanged_inputs(fresh, stage):
            file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(UsageError, match="while stage choices was reading it"):
        with unchanged_inputs(fresh, "choices"):
            (fresh / "conf" / "experiment" / "new.yaml").touch()


@pytest.mark.parametrize("dependency", ['"${raw}"', "data/raw/tumours.csv: {}"])
def test_dependencies_in_other_forms_are_watched(fresh: Path, dependency: str) -> None:
    stages = fresh / "dvc.yaml"
    text = stages.read_text().replace(
        "deps: [data/raw, .lockgate/checked]", f"deps:\n    - {dependency}"
    )
    stages.write_text("vars: [{raw: data/raw}]\n" + text)
    (fresh / "dvc.lock").write_text(
        "schema: '2.0'\nstages: {load: {cmd: lockgate stage load, deps: [{path: data/raw, md5: a}]}}\n"
    )
    file = fresh / "data" / "raw" / "tumours.csv"
    with pytest.raises(UsageError, match="tumours.csv was changed while stage load was reading"):
        with unchanged_inputs(fresh, "load"):
            file.write_bytes(file.read_bytes() + b"\n")


def test_a_new_time_of_change_is_not_a_change(fresh: Path) -> None:
    with unchanged_inputs(fresh, "choices"):
        os.utime(fresh / "conf" / "config.yaml", (0, 0))


def test_writing_the_same_parameters_again_is_not_a_change(fresh: Path) -> None:
    write_composition(fresh, compose(fresh))
    file = fresh / "params.yaml"
    with unchanged_inputs(fresh, "optimize"):
        content = file.read_bytes()
        file.unlink()
        file.write_bytes(content)


def test_dvc_saves_no_result_of_parameters_that_were_changed(call: Run, project: Path) -> None:
    lock = (project / "dvc.lock").read_bytes()
    (project / "editing.py").write_text(EDITING)
    stages = project / "dvc.yaml"
    command = "lockgate stage optimize"
    stages.write_text(stages.read_text().replace(f"cmd: {command}", "cmd: python editing.py"))
    done = call("dvc", "repro", "-f", "-s", "optimize", cwd=project, code=None)
    assert done.returncode
    assert "params.yaml was changed while stage optimize was reading it" in done.stderr
    assert (project / "dvc.lock").read_bytes() == lock
    stages.write_text(stages.read_text().replace("cmd: python editing.py", f"cmd: {command}"))
    assert "folds: 3" in (project / "params.yaml").read_text()
    assert "Running stage 'optimize'" in call("dvc", "repro", "optimize", cwd=project).stdout


def test_an_edit_of_the_configuration_before_the_parameters_are_written_is_noticed(
    fresh: Path,
) -> None:
    composition = compose(fresh)
    write_choices(fresh, composition.choices)
    config = fresh / "conf" / "config.yaml"
    config.write_text(config.read_text() + "\nsearch:\n  folds: 3\n")
    write_composition(fresh, composition)
    with pytest.raises(UsageError, match="conf/ was changed since params.yaml was composed"):
        check_derived(fresh)
