"""Writes the golden candidate: a fitted pipeline with every own step in skops' form, and parameters.

``python -m tests.golden.make_candidate`` writes all of it anew. The model file names the classes
that it holds by module, so a class that moves makes it stale: run this again after a move. What
must not change by a move are the answers and the structure beside it; they are compared with the
old ones, and nothing is written where they differ, unless with ``--accept``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from lockgate.data.text_terms import CondensedTerms, HashedTerms, TextTerms
from lockgate.data.transformers import Bins, Clip, Combined, DateParts, EmptyToZero, Frequencies
from lockgate.modeling.solvers.regressor import LeastSquares
from lockgate.models.skops_file import write_estimator
from lockgate.plugins.config.compose import compose_document
from lockgate.plugins.host.params_file import write_params
from tests.conftest import ROOT

FOLDER = Path(__file__).parent / "candidate-1"
MODEL, ROWS, ANSWERS, STRUCTURE, PARAMS = (
    FOLDER / name
    for name in ("model.skops", "rows.json", "answers.json", "structure.json", "params.yaml")
)
COLUMNS = ["size", "price", "empty", "age", "colour", "day", "note", "remark"]
NOTES = ["late parcel", "thanks", "broken and late", "again", ""]


def frame_of(count: int, seed: int) -> pd.DataFrame:
    """Rows with a far value, gaps, an empty column, a category, and dates."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "size": rng.normal(10, 2, count).round(3),
            "price": rng.gamma(2.0, 10.0, count).round(2),
            "empty": np.full(count, np.nan),
            "age": rng.integers(15, 90, count).astype(float),
            "colour": rng.choice(["blue", "green", "red"], count).astype(object),
            "day": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 17000, count), "h"),
        }
    )
    frame["note"], frame["remark"] = (rng.choice(NOTES, count).astype(object) for _ in range(2))
    frame.loc[::7, ["price", "note"]] = np.nan
    frame.loc[3, "size"] = 1000.0
    return frame


def target_of(frame: pd.DataFrame) -> np.ndarray:
    colour = (frame["colour"] == "red").to_numpy() * 3.0
    return frame["size"].clip(0, 20).to_numpy() + colour + (frame["age"] >= 40).to_numpy() * 2.0


def fitted() -> Pipeline:
    """A pipeline with every step that the cell rules and the models of the package can add."""
    numbers = Pipeline(
        [
            ("clip", Clip(0.02)),
            ("empty", EmptyToZero()),
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("scale", StandardScaler()),
        ]
    )
    shared = [("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())]
    condensed = CondensedTerms(3, random_state=0)
    cells = ColumnTransformer(
        [
            ("numbers", numbers, ["size", "price", "empty"]),
            ("categories", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["colour"]),
            ("dates", Pipeline([("parts", DateParts()), ("scale", StandardScaler())]), ["day"]),
            ("categories-frequency", Frequencies(), ["colour"]),
            ("computed-0", Pipeline([("combine", Combined("divide")), *shared]), ["age", "price"]),
            ("bins-0", Bins([18.0, 40.0, 65.0]), ["age"]),
            ("text-0", Pipeline([("terms", TextTerms()), ("condense", condensed)]), ["note"]),
            ("text-1", HashedTerms(n_features=16), ["remark"]),
        ],
        verbose_feature_names_out=False,
        sparse_threshold=0,
    )
    frame = frame_of(120, seed=1)
    return Pipeline([("cells", cells), ("model", LeastSquares(alpha=0.5))]).fit(
        frame, target_of(frame)
    )


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON holds them."""
    texts = frame.assign(day=frame["day"].dt.strftime("%Y-%m-%dT%H:%M"))
    rows: list[dict[str, Any]] = texts.astype(object).where(texts.notna(), None).to_dict("records")
    return rows


def frame_from(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a pipeline takes them."""
    numbers = dict.fromkeys(("size", "price", "empty", "age"), float)
    frame = pd.DataFrame(rows, columns=COLUMNS).astype(numbers)
    texts = {name: frame[name].astype(object) for name in ("colour", "note", "remark")}
    return frame.assign(**texts, day=pd.to_datetime(frame["day"]))


def answers_of(estimator: Any, frame: pd.DataFrame) -> list[float]:
    return [float(value) for value in estimator.predict(frame)]


def structure_of(estimator: Any) -> list[list[Any]]:
    """Names and classes of the steps with their parameters, without the modules of the classes."""
    return [list(entry) for entry in _steps("", estimator)]


def _steps(path: str, step: Any) -> Iterator[tuple[str, str, dict[str, Any], list[str]]]:
    params = {
        name: value
        for name, value in sorted(step.get_params(deep=False).items())
        if isinstance(value, (bool, int, float, str, type(None)))
        or (isinstance(value, list) and all(isinstance(member, float) for member in value))
    }
    learned = sorted(name for name in vars(step) if name.endswith("_") and name[0] != "_")
    yield path, type(step).__name__, params, learned
    if isinstance(step, Pipeline):
        for name, inner in step.steps:
            yield from _steps(f"{path}/{name}", inner)
    if isinstance(step, ColumnTransformer):
        for name, inner, columns in step.transformers_:
            yield from _steps(f"{path}/{name}[{','.join(columns)}]", inner)


def default_parameters() -> dict[str, Any]:
    """The parameters that this project's own choices compose."""
    return compose_document(ROOT)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    estimator = fitted()
    accept = "--accept" in sys.argv or not ANSWERS.exists()
    rows = rows_of(frame_of(24, seed=2)) if accept else json.loads(ROWS.read_text())
    answers = answers_of(estimator, frame_from(rows))
    structure = structure_of(estimator)
    if not accept:
        same = np.allclose(json.loads(ANSWERS.read_text()), answers, rtol=1e-9, atol=0)
        if not same or json.loads(STRUCTURE.read_text()) != json.loads(json.dumps(structure)):
            raise SystemExit("answers or structure differ from the golden ones; nothing is written")
    else:
        ROWS.write_text(json.dumps(rows, indent=1) + "\n")
        ANSWERS.write_text(json.dumps(answers, indent=1) + "\n")
        STRUCTURE.write_text(json.dumps(structure, indent=1) + "\n")
    with tempfile.TemporaryDirectory() as folder:
        write_estimator(Path(folder) / "model", estimator)
        MODEL.write_bytes((Path(folder) / "model").read_bytes())
    write_params(PARAMS, default_parameters(), "Composed from conf/ of this project.")


if __name__ == "__main__":
    main()
