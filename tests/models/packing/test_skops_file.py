"""Model files: no code from them, no reading outside of a tree."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import Pipeline

import lockgate
from lockgate.modeling.training.fitting import fit
from lockgate.models.skops_file import LARGEST, read_estimator, write_estimator
from lockgate.testing.examples import example_table


class Foreign(BaseEstimator):  # scikit-learn is untyped
    """Not on the list."""


@pytest.fixture
def boosted() -> Pipeline:
    table = example_table("binary")
    model = HistGradientBoostingClassifier(max_iter=5)
    return Pipeline([("model", model)]).fit(table.frame[["size", "noise"]], table.target)


def test_what_is_written_answers_the_same_when_read(tmp_path: Path, boosted: Pipeline) -> None:
    write_estimator(tmp_path / "m", boosted)
    rows = example_table("binary", seed=5).frame[["size", "noise"]]
    read = read_estimator(tmp_path / "m")
    assert np.array_equal(read.predict_proba(rows), boosted.predict_proba(rows))


def test_types_that_are_not_on_the_list_are_refused_when_written(tmp_path: Path) -> None:
    with pytest.raises(lockgate.BundleError, match="Foreign"):
        write_estimator(tmp_path / "m", Foreign())


def test_types_that_are_not_on_the_list_are_refused_when_read(tmp_path: Path) -> None:
    from skops import io as skops_io

    (tmp_path / "m").write_bytes(skops_io.dumps(Foreign()))
    with pytest.raises(lockgate.BundleError, match="a model file must not contain: .*Foreign"):
        read_estimator(tmp_path / "m")


@pytest.mark.parametrize("keep", [0, 10, 500, -10])
def test_a_truncated_file_is_damaged(tmp_path: Path, boosted: Pipeline, keep: int) -> None:
    write_estimator(tmp_path / "m", boosted)
    raw = (tmp_path / "m").read_bytes()
    (tmp_path / "m").write_bytes(raw[:keep])
    with pytest.raises(lockgate.BundleError):
        read_estimator(tmp_path / "m")


def test_a_file_that_expands_without_end_is_not_expanded(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m", "w", zipfile.ZIP_DEFLATED) as archive:
        block = b"0" * (1 << 24)
        for number in range(LARGEST // len(block) + 1):
            archive.writestr(f"{number}.npy", block)
    with pytest.raises(lockgate.BundleError, match="expands to"):
        read_estimator(tmp_path / "m")


def tampered(path: Path, field: str, value: int) -> None:
    """Point the first inner node of the first tree elsewhere; the file stays well-formed."""
    source = zipfile.ZipFile(path)
    made = io.BytesIO()
    done = False
    with zipfile.ZipFile(made, "w") as archive:
        for name in source.namelist():
            raw = source.read(name)
            if name.endswith(".npy") and not done:
                array = np.load(io.BytesIO(raw), allow_pickle=False)
                if array.dtype.names and field in array.dtype.names and len(array) > 1:
                    array[field][0] = value
                    out = io.BytesIO()
                    np.save(out, array)
                    raw, done = out.getvalue(), True
            archive.writestr(name, raw)
    assert done
    path.write_bytes(made.getvalue())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("left", 10**6),
        ("right", 10**6),
        ("left", 0),
        ("feature_idx", 10**6),
        ("feature_idx", 2),
    ],
)
def test_branches_that_lead_nowhere_are_refused_before_a_row_is_asked(
    tmp_path: Path, boosted: Pipeline, field: str, value: int
) -> None:
    write_estimator(tmp_path / "m", boosted)
    tampered(tmp_path / "m", field, value)
    with pytest.raises(lockgate.BundleError, match="invalid branches"):
        read_estimator(tmp_path / "m")


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_forests_may_be_written_and_read(tmp_path: Path, task: str) -> None:
    table = example_table(task)  # the parameters are tasks
    recipe = lockgate.Recipe(RandomForestClassifier(5, random_state=0), task)  # same
    numbers = lockgate.Table(
        table.frame[["size", "noise", "target"]],
        table.schema.with_columns(
            tuple(c for c in table.schema.columns if c.name in ("size", "noise", "target"))
        ),
    )
    fitted = fit(recipe, {}, numbers)
    write_estimator(tmp_path / "m", fitted)
    read = read_estimator(tmp_path / "m")
    assert np.array_equal(read.predict(numbers.features), fitted.predict(numbers.features))


def test_the_schema_of_a_file_names_no_path(tmp_path: Path, boosted: Pipeline) -> None:
    write_estimator(tmp_path / "m", boosted)
    schema = json.loads(zipfile.ZipFile(tmp_path / "m").read("schema.json"))
    assert str(tmp_path) not in json.dumps(schema)
