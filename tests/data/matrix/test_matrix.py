"""A model trained on a file answers that file alike by every path: to the bit, or not at all."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import io
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

import lockgate
from lockgate.contract.recipes import Recipe, Requirements
from lockgate.contract.sections import CellRules
from lockgate.data.cell_rules import build_cell_steps
from lockgate.data.schema import fit_schema
from lockgate.modeling.training.fitting import fit
from lockgate.models.packing.pack import packed_bytes, write_packed
from lockgate.pipeline.workspace import conform_table
from tests.data.matrix.oddities import ODDITIES, REFUSED, Oddity, csv_oddity
from tests.data.matrix.paths import (
    PATHS,
    Case,
    evaluate,
    http_csv,
    http_rows,
    object_frame,
    one_by_one,
    training_file,
    v2_binary,
    v2_json,
)

REPEATS = 8
EXAMPLES = 1000 if os.environ.get("LOCKGATE_SOAK") else 30
EXCEPTIONS: dict[str, dict[str, str]] = {
    # an empty cell of a CSV file may stand for an empty text or for a missing value
    "texts with nulls": {"http_csv": "other scores"},
}
"""What a path cannot express, by oddity."""

TYPES = {
    "decimal": pa.decimal128(10, 2),
    "decimal0": pa.decimal128(10, 0),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "bool": pa.bool_(),
    "zoned": pa.timestamp("us", tz="Europe/Berlin"),
    "dictionary": pa.dictionary(pa.int8(), pa.string()),
}


def write_training_file(oddity: Oddity, folder: Path) -> Path:
    """Write the odd column beside a number and a target that depends on the odd cells."""
    cells = oddity.cells * (1 if len(oddity.cells) > 30 else REPEATS)
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=len(cells)).round(3).tolist()
    effect = [oddity.cells.index(cell) % 2 for cell in cells]
    target = [int(e + n > 0.5) for e, n in zip(effect, numbers, strict=True)]
    if oddity.parquet:
        if any(isinstance(cell, pd.Period) for cell in cells):
            cells = pd.array(cells, dtype="period[M]")
        column = pa.array(cells, TYPES[oddity.arrow] if oddity.arrow else None)
        pq.write_table(pa.table({"cell": column, "n": numbers, "y": target}), folder / "t.parquet")
        return folder / "t.parquet"
    form = oddity.options.get("csv", lockgate.CSVFormat())
    sink = io.StringIO()
    writer = csv.writer(sink, delimiter=form.delimiter or ",")
    writer.writerow(["cell", "n", "y"])
    for cell, number, label in zip(cells, numbers, target, strict=True):
        writer.writerow([cell, str(number).replace(".", form.decimal), label])
    (folder / "t.csv").write_bytes(sink.getvalue().encode(form.encoding))
    return folder / "t.csv"


def trained(oddity: Oddity, folder: Path) -> tuple[Case, np.ndarray]:
    """Train on the file by the steps of the pipeline; return the packed model and the scores."""
    file = write_training_file(oddity, folder)
    loaded = lockgate.read_table(file, target="y", **oddity.options)
    assert oddity.kind in ("", loaded.schema["cell"].kind)
    table = conform_table(lockgate.Table(loaded.frame, fit_schema(loaded), loaded.digest))
    requirements = Requirements(scaled=True, imputed=True, encoding="one-hot")
    steps = build_cell_steps(table.schema, CellRules(indicator=True), requirements)
    fitted = fit(Recipe(LogisticRegression(), "binary", steps=steps), {}, table)
    raw, _ = packed_bytes(fitted, table.schema)
    bundle = write_packed(raw, table, path=folder / "m", name="m")
    return Case(file, table, bundle, folder), fitted.predict_proba(table.features)[:, 1]


@pytest.mark.parametrize("oddity", ODDITIES, ids=[oddity.name for oddity in ODDITIES])
def test_every_path_answers_the_training_file_alike(oddity: Oddity, tmp_path: Path) -> None:
    case, original = trained(oddity, tmp_path)
    assert case.table.frame["cell"].map(str).nunique() > 1
    assert len(np.unique(original)) > 1  # the odd cells matter
    scores = case.bundle.predict(case.table.features).score
    assert np.allclose(scores, original, rtol=0, atol=1e-12)
    problems = {}
    for path in PATHS:
        try:
            answered = path(case)
            if not np.array_equal(answered, scores[: len(answered)]):
                problems[path.__name__] = "other scores"
        except (lockgate.LockgateError, AssertionError) as error:
            problems[path.__name__] = str(error)[:300]
    assert problems == EXCEPTIONS.get(oddity.name, {})


@pytest.mark.parametrize(("oddity", "reason"), REFUSED, ids=[oddity.name for oddity, _ in REFUSED])
def test_cells_that_can_be_read_wrongly_are_refused(
    oddity: Oddity, reason: str, tmp_path: Path
) -> None:
    file = write_training_file(oddity, tmp_path)
    with pytest.raises(lockgate.LockgateError, match=reason):
        lockgate.read_table(file, target="y", **oddity.options)


CELLS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.sampled_from(
        [*lockgate.CSVFormat().missing, "True", "false", "1", "1.0", "01", "-0", "1e5"]
    ),
    st.integers(-(2**60), 2**60).map(str),
    st.floats(-1e9, 1e9).map(str),
    st.datetimes(timezones=st.none() | st.just(datetime.UTC)).map(str),
)


@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(
    cells=st.lists(CELLS, min_size=2, max_size=6, unique=True),
    kind=st.sampled_from([None, "category"]),
)
def test_any_cells_are_read_alike_or_refused(cells: list[str], kind: str | None) -> None:
    options = {"kinds": {"cell": kind}} if kind else {}
    with tempfile.TemporaryDirectory() as folder:
        oddity = Oddity("any", cells, kind or "", options)
        try:
            case, original = trained(oddity, Path(folder))
        except lockgate.SchemaViolation:
            return  # the training file is refused
        scores = case.bundle.predict(case.table.features).score
        assert np.allclose(scores, original, rtol=0, atol=1e-9)
        for path in (object_frame, one_by_one, evaluate, training_file, http_rows, http_csv):
            assert np.array_equal(path(case), scores), path.__name__


@pytest.mark.parametrize("cell", [2, 0.5, -1, 1e300])
def test_numbers_are_not_truth_values_for_any_path(cell: float, tmp_path: Path) -> None:
    case, _ = trained(csv_oddity("truth values", "boolean", "true", "false"), tmp_path)
    frame = case.table.frame.head(3).assign(cell=[1.0, cell, 0.0])
    frame.to_csv(tmp_path / "later.csv", index=False)
    later = dataclasses.replace(
        case,
        file=tmp_path / "later.csv",
        table=dataclasses.replace(case.table, frame=frame),
    )
    for path in PATHS:
        if path in (v2_json, v2_binary):
            continue  # their truth values are of a type of their own
        with pytest.raises(
            (lockgate.LockgateError, AssertionError), match="expected true or false"
        ):
            path(later)
