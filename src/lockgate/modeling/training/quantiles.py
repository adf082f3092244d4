"""Which quantile a regression predicts, by the parameters of its estimator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["quantile_of"]

LOSSES = ("quantile", "reg:quantileerror")
"""Names of the quantile loss of scikit-learn, LightGBM and XGBoost."""

RISING = frozenset(
    ("MinMaxScaler", "PowerTransformer", "QuantileTransformer", "RobustScaler", "StandardScaler")
) | {"cbrt", "log", "log10", "log1p", "log2", "sqrt"}
"""Transforms of the target that keep the order of values: others may exchange the tails."""

LEVELS = ("quantile_alpha", "quantile", "alpha")
"""Parameters of the quantile, most particular first."""


def quantile_of(estimator: BaseEstimator) -> float | None:
    """Return the quantile that an estimator predicts, in (0, 1); None for means and classes.

    Of several models whose values are averaged it is theirs, where they have the same.

    Examples
    --------
    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> quantile_of(HistGradientBoostingRegressor(loss="quantile", quantile=0.9))
    0.9
    >>> quantile_of(HistGradientBoostingRegressor()) is None
    True

    """
    last: Any = getattr(estimator, "steps", [("", estimator)])[-1][1]
    if hasattr(last, "best_estimator_"):  # of a search
        return quantile_of(last.best_estimator_)
    params = last.get_params(deep=False) if hasattr(last, "get_params") else {}
    if hasattr(params.get("regressor"), "get_params"):  # behind a transform of the target
        return quantile_of(params["regressor"]) if _rises(params) else None
    if type(last).__name__ == "VotingRegressor":
        members = {quantile_of(member) for _, member in last.estimators}
        return members.pop() if len(members) == 1 else None
    named = params.get("loss"), params.get("objective")
    if type(last).__name__ != "QuantileRegressor" and not set(named) & set(LOSSES):
        return None
    level = next((params[name] for name in LEVELS if params.get(name) is not None), 0.5)
    return float(level) if isinstance(level, (int, float)) else None  # XGBoost takes several


def _rises(params: Mapping[str, Any]) -> bool:
    """Whether a transform of the target is known to keep the order of values."""
    transformer, function = params.get("transformer"), params.get("func")
    if transformer is not None:
        return type(transformer).__name__ in RISING
    return function is None or getattr(function, "__name__", "") in RISING
