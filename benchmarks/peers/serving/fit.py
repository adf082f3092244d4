"""Fit the benchmark's three pipelines on one seeded synthetic mixed table.

Usage: python fit.py --out DIR
Writes DIR/{logistic,boosting,forest}.joblib and DIR/rows.json (1,000 rows, list of objects).
"""

import argparse
import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS = [f"n{i}" for i in range(8)]
WITH_GAPS = ["n2", "n5"]
CATEGORIES = {"region": 6, "product": 12}
ROWS = 40_000
REQUEST_ROWS = 1_000
SEED = 20_260


def table(rows: int = ROWS, seed: int = SEED) -> tuple[pd.DataFrame, np.ndarray]:
    """The mixed table and its binary target; the same seed gives the same table."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, len(NUMBERS))) * rng.uniform(0.5, 20, len(NUMBERS))
    frame = pd.DataFrame(values, columns=NUMBERS)
    scaled = values / values.std(axis=0)
    score = scaled @ rng.normal(size=len(NUMBERS)) + 0.8 * scaled[:, 0] * scaled[:, 1]
    for name, levels in CATEGORIES.items():
        codes = rng.integers(levels, size=rows)
        score += rng.normal(size=levels)[codes]
        frame[name] = np.array([f"{name}_{i:02d}" for i in range(levels)], dtype=object)[codes]
    for name in WITH_GAPS:
        frame.loc[rng.random(rows) < 0.05, name] = np.nan
    target = (rng.random(rows) < 1 / (1 + np.exp(-score))).astype(np.int64)
    return frame, target


def preprocessing() -> ColumnTransformer:
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
            ("categories", OneHotEncoder(handle_unknown="ignore"), list(CATEGORIES)),
        ],
        sparse_threshold=0.0,  # boosting takes no sparse matrix
    )


def pipelines() -> dict[str, Pipeline]:
    """Fresh unfitted pipelines by name."""
    models = {
        "logistic": LogisticRegression(max_iter=1_000),
        "boosting": HistGradientBoostingClassifier(
            max_iter=200, max_leaf_nodes=31, early_stopping=False, random_state=SEED
        ),
        "forest": RandomForestClassifier(n_estimators=200, max_depth=16, random_state=SEED),
    }
    return {
        name: Pipeline([("prepare", preprocessing()), ("model", model)])
        for name, model in models.items()
    }


def as_objects(frame: pd.DataFrame) -> list[dict[str, float | str | None]]:
    """Rows as JSON-able objects, a missing value written as null."""
    return [
        {key: None if value != value else value for key, value in row.items()}
        for row in frame.to_dict(orient="records")
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    frame, target = table()
    (out / "rows.json").write_text(json.dumps(as_objects(frame.head(REQUEST_ROWS))))
    for name, pipeline in pipelines().items():
        pipeline.fit(frame, target)
        joblib.dump(pipeline, out / f"{name}.joblib")
        print(name, f"{pipeline.score(frame, target):.4f}", flush=True)


if __name__ == "__main__":
    main()
