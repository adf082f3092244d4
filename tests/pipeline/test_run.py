"""A project created, composed and explained from Python."""

from pathlib import Path

import pytest

from lockgate.errors import UsageError
from lockgate.pipeline.explain import explain_parameters
from lockgate.pipeline.parameters import UNSET, compose, write_composition
from lockgate.pipeline.run import run_pipeline
from lockgate.pipeline.scaffold import create_project


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("fresh") / "shop"
    created = create_project(directory)
    assert created.data.is_file()
    assert created.stages.is_file()
    assert created.conf.is_dir()
    return directory


def test_parameters_are_composed_compared_and_written(fresh: Path) -> None:
    file = fresh / "params.yaml"
    file.unlink(missing_ok=True)
    first = compose(fresh)
    assert first.before == {}
    assert first.changes() == {}  # nothing to compare with
    assert not file.exists()
    write_composition(fresh, first)
    second = compose(fresh, ["split.test=0.3"])
    assert second.changes() == {"split.test": (0.2, 0.3)}
    file.write_text(file.read_text().replace("test: 0.2", "test: 0.25"))
    assert compose(fresh).discarded == {"split.test": (0.25, 0.2)}
    assert compose(fresh, keep=True).after["split"]["test"] == 0.25
    removed = compose(fresh, ["model=boosting"]).changes()
    assert (UNSET in [new for _, new in removed.values()], repr(UNSET)) == (True, "(unset)")


def test_every_parameter_has_an_origin(fresh: Path) -> None:
    parameters = {row.key: row for row in explain_parameters(fresh, ["split.test=0.3"])}
    assert parameters["split.test"].origin == "override split.test=0.3"
    assert not parameters["split.test"].is_default
    assert parameters["loader.tumours.path"].origin == "conf/loader/tumours.yaml"
    assert all(row.origin for row in parameters.values())


def test_composing_alone_runs_and_writes_nothing(fresh: Path) -> None:
    file = fresh / "params.yaml"
    before = file.read_bytes() if file.exists() else b""
    seen = []
    below = fresh / "data"
    root = run_pipeline("split.test=0.4", root=below, only="compose", on_composed=seen.append)
    assert root == fresh
    assert seen[0].after["split"]["test"] == 0.4
    assert (file.read_bytes() if file.exists() else b"") == before
    assert not (fresh / "dvc.lock").exists()


def test_an_unknown_part_of_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="only is 'foo'; expected 'compose' or 'write'"):
        run_pipeline(root=tmp_path, only="foo")


def test_an_unknown_stage_is_refused_before_anything_is_composed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown stage 'lod', did you mean 'load'"):
        run_pipeline(root=tmp_path, until="lod")
