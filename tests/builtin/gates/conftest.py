"""Small real bundles of scikit-learn models, packed once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lockgate
from lockgate.models.bundle.open import Bundle

INPUTS = ["mean radius", "mean texture", "mean smoothness", "mean symmetry"]


@pytest.fixture(scope="session")
def tumours() -> pd.DataFrame:
    """Rows with a target, and a column that no model asks for."""
    frame, target = load_breast_cancer(return_X_y=True, as_frame=True)
    rows = frame[INPUTS].assign(benign=target)
    return rows.assign(clinic=np.where(rows["mean texture"] > 19, "north", "south"))


@pytest.fixture(scope="session")
def rows(tumours: pd.DataFrame) -> pd.DataFrame:
    """The half that no model was fitted on."""
    return tumours[1::2].reset_index(drop=True)


@pytest.fixture(scope="session")
def bundles(tumours: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    """Bundles of one problem, and of others.

    `good` and `near` are about as good as each other, `bad` learned shuffled labels,
    `narrow` asks for fewer columns, `iris` and `sugar` answer other tasks.
    """
    folder: Path = tmp_path_factory.mktemp("gates")
    train, test = tumours[::2], tumours[1::2]
    shuffled = train["benign"].sample(frac=1, random_state=4).set_axis(train.index)
    scores = LogisticRegression
    recipes = {
        "good": (scores(), train[INPUTS], train["benign"]),
        "near": (scores(C=0.03), train[INPUTS], train["benign"]),
        "bad": (scores(), train[INPUTS], shuffled),
        "narrow": (scores(), train[INPUTS[:2]], train["benign"]),
        "iris": (scores(), *load_iris(return_X_y=True, as_frame=True)),
        "sugar": (LinearRegression(), *load_diabetes(return_X_y=True, as_frame=True)),
    }
    packed = {}
    for name, (model, X, y) in recipes.items():
        fitted = make_pipeline(StandardScaler(), model).fit(X, y)
        measured = (test[X.columns], test["benign"]) if name == "good" else None
        path = folder / name
        packed[name] = lockgate.pack(fitted, X, y, name="tumour", path=path, test=measured)
    return packed
