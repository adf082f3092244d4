"""A candidate and parameters that were written before, read now.

Where only `test_the_golden_model_opens` and its neighbours fail after a class moved, and say that
a type may not be held: write the file anew with ``python -m tests.golden.make_candidate``.
"""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lockgate.contract.kinds import CONFIGURED
from lockgate.contract.sections import SECTIONS
from lockgate.contract.settings import settings_of
from lockgate.modeling.training.anomaly_detector import AnomalyDetector
from lockgate.modeling.training.fusion import Member, VoteShares
from lockgate.modeling.training.mixture_clusters import MixtureClusters
from lockgate.models.skops_file import own_types, read_estimator, write_estimator
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.parameters import Parameters
from lockgate.plugins.host.params_file import read_params, write_params
from tests.golden.make_candidate import (
    ANSWERS,
    MODEL,
    PARAMS,
    ROWS,
    STRUCTURE,
    answers_of,
    default_parameters,
    fitted,
    frame_from,
    frame_of,
    rows_of,
    structure_of,
)


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(ROWS.read_text())
    return records


@pytest.fixture(scope="module")
def estimator() -> Any:
    return read_estimator(MODEL)


def members(value: Any) -> set[type]:
    """The classes of everything inside an estimator."""
    if isinstance(value, (list, tuple)):
        return set().union(*map(members, value))
    if hasattr(value, "get_params"):
        return {type(value)}.union(*map(members, vars(value).values()))
    return set()


# --- the candidate


def test_the_golden_model_opens_and_holds_every_own_step(estimator: Any) -> None:
    # a pipeline ends in a single model: these are others
    others = {AnomalyDetector, Member, MixtureClusters, VoteShares}
    assert set(own_types()) - others <= members(estimator)


def test_the_golden_model_is_built_as_when_it_was_written(estimator: Any) -> None:
    assert json.loads(json.dumps(structure_of(estimator))) == json.loads(STRUCTURE.read_text())


def test_the_golden_model_answers_as_when_it_was_written(
    estimator: Any, rows: list[dict[str, Any]]
) -> None:
    answers = json.loads(ANSWERS.read_text())
    assert answers_of(estimator, frame_from(rows)) == pytest.approx(answers, rel=1e-12)
    assert len(set(answers)) == len(rows) >= 20


def test_fitting_again_gives_the_golden_answers(rows: list[dict[str, Any]]) -> None:
    """Holds where a type moved, too, and the model file has to be written anew."""
    again = fitted()
    answers = json.loads(ANSWERS.read_text())
    assert answers_of(again, frame_from(rows)) == pytest.approx(answers, rel=1e-9)
    assert json.loads(json.dumps(structure_of(again))) == json.loads(STRUCTURE.read_text())


def test_every_step_of_the_golden_model_matters(rows: list[dict[str, Any]], estimator: Any) -> None:
    frame = frame_from(rows)
    before = np.array(answers_of(estimator, frame))
    low, high = frame["size"].to_numpy() * 0 + 5e3, frame["size"].to_numpy() * 0 + 5e6
    clipped = (answers_of(estimator, frame.assign(size=value)) for value in (low, high))
    assert next(clipped) == next(clipped)
    for column, value in (("size", 9.0), ("age", 50.0), ("colour", "red"), ("price", 1.0)):
        assert not np.array_equal(before, answers_of(estimator, frame.assign(**{column: value})))
    for time in ("2026-01-05T00:00", "2026-01-05T23:00", "2026-01-06T00:00", "2026-12-05T00:00"):
        moved = frame.assign(day=np.datetime64(time))
        assert not np.array_equal(before, answers_of(estimator, moved))
        before = np.array(answers_of(estimator, moved))
    before = np.array(answers_of(estimator, frame))
    filled = answers_of(estimator, frame.assign(empty=7.0))
    assert np.array_equal(before, filled)


def test_the_golden_rows_come_back_as_they_were_drawn(rows: list[dict[str, Any]]) -> None:
    assert rows == rows_of(frame_of(24, seed=2))
    assert rows_of(frame_from(rows)) == rows


def test_writing_the_golden_model_again_gives_its_bytes(tmp_path: Path, estimator: Any) -> None:
    for number, model in enumerate((estimator, read_estimator(MODEL))):
        write_estimator(tmp_path / str(number), model)
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes()
    schema = zipfile.ZipFile(tmp_path / "0").read("schema.json")
    held = re.findall(rb'"__module__": "([\w.]+)"', schema)
    assert held == re.findall(
        rb'"__module__": "([\w.]+)"', zipfile.ZipFile(MODEL).read("schema.json")
    )


# --- the parameters


def without_code(document: Any) -> Any:
    """Parameters without the digests of the installed code, which each change alters."""
    if isinstance(document, dict):
        return {k: without_code(v) for k, v in document.items() if k != "provider"}
    return document


def test_the_golden_parameters_are_what_is_composed_today() -> None:
    assert without_code(read_params(PARAMS)) == without_code(default_parameters())
    assert list(read_params(PARAMS)) == list(default_parameters())


def test_parameters_read_back_equal(tmp_path: Path) -> None:
    composed = default_parameters()
    write_params(tmp_path / "params.yaml", composed, "a comment")
    assert read_params(tmp_path / "params.yaml") == composed
    golden = read_params(PARAMS)
    write_params(tmp_path / "again.yaml", golden, "Composed from conf/ of this project.")
    assert (tmp_path / "again.yaml").read_bytes() == PARAMS.read_bytes()


def test_the_golden_parameters_name_every_setting() -> None:
    golden = read_params(PARAMS)
    assert set(golden) == {*SECTIONS, *(kind.name for kind in CONFIGURED), "compressor_order"}
    for key, cls in SECTIONS.items():
        assert set(golden[key]) == set(settings_of(cls))


def test_the_golden_parameters_are_checked_and_built() -> None:
    golden = read_params(PARAMS)
    document = Parameters.check(golden, Catalogue.installed())
    assert document.sections.project.name == golden["project"]["name"]
    for kind in CONFIGURED:
        for chosen in document.chosen[kind.name]:
            built = chosen.build()
            assert set(golden[kind.name][chosen.name]) - {
                "plugin",
                "provider",
                "stages",
            } == set(settings_of(type(built)))
    assert [chosen.name for chosen in document.chosen["compressor"]] == golden["compressor_order"]
