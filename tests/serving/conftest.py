"""Models to serve: real ones, packed once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lockgate
from lockgate.deployment.directory import Deployment
from tests.shared_folder import shared_folder


def rows(count: int, seed: int = 0) -> pd.DataFrame:
    """Customers of a made-up telephone company, with gaps and rare plans."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "months": rng.integers(0, 72, count),
            "charge": rng.gamma(3, 20, count).round(2),
            "calls": rng.poisson(3, count).astype(float),
            "plan": rng.choice(["basic", "family", "plus"], count),
            "abroad": rng.choice(["no", "yes"], count, p=[0.8, 0.2]),
        }
    )
    frame.loc[rng.random(count) < 0.1, "calls"] = np.nan
    return frame


@pytest.fixture(scope="session")
def fitted() -> dict[str, Any]:
    """Pipelines fitted on them."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame = rows(2000)
    rng = np.random.default_rng(7)
    risk = 0.03 * frame["charge"] - 0.05 * frame["months"] + (frame["abroad"] == "yes")
    target = (risk + rng.normal(size=2000) > 0.5).astype(int).rename("churned")

    def before() -> Any:
        numbers = make_pipeline(SimpleImputer(), StandardScaler())
        names = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        return make_column_transformer(
            (numbers, ["months", "charge", "calls"]), (names, ["plan", "abroad"])
        )

    made = {
        "logistic": (LogisticRegression(), target),
        "boosting": (HistGradientBoostingClassifier(max_iter=30, random_state=0), target),
        "three": (
            LogisticRegression(max_iter=500),
            frame["plan"].where(target == 1, "none").rename("kind"),
        ),
        "spend": (HistGradientBoostingRegressor(max_iter=20, random_state=0), risk.rename("spend")),
    }
    return {
        name: (make_pipeline(before(), model).fit(frame, y), frame, y)
        for name, (model, y) in made.items()
    }


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory, fitted: dict[str, Any]) -> dict[str, Path]:
    """Bundles of them: two of one name, two of others."""
    names = {"logistic": "churn", "boosting": "churn", "three": "kinds", "spend": "spend"}

    def fill(folder: Path) -> None:
        for key, name in names.items():
            estimator, frame, y = fitted[key]
            lockgate.pack(estimator, frame, y, name=name, path=folder / key)

    root = shared_folder(tmp_path_factory, "served", fill)
    return {key: root / key for key in names}


@pytest.fixture
def deployed(tmp_path: Path, bundles: dict[str, Path]) -> Deployment:
    """A deployment directory that serves the logistic model."""
    made = Deployment(tmp_path / "live")
    made.deploy(bundles["logistic"], version="1.0.0")
    return made
