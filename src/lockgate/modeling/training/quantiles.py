"""Which quantile a regression predicts, by the parameters of its estimator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.errors import UsageError

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["quantile_of"]

LOSSES = frozenset(("quantile", "reg:quantileerror"))
"""Names of the quantile loss of scikit-learn, LightGBM and XGBoost."""

RISING = (np.cbrt, np.exp, np.expm1, np.log, np.log10, np.log1p, np.log2, np.sqrt)
RISING_SCALERS = frozenset(
    ("MinMaxScaler", "PowerTransformer", "QuantileTransformer", "RobustScaler", "StandardScaler")
)
"""Transforms of the target that keep the order of values: others may exchange the tails."""


def quantile_of(estimator: BaseEstimator) -> float | None:
    """Return the quantile that an estimator predicts, in (0, 1); None for means and classes.

    Of several models whose values are averaged it is theirs, where they have the same.

    Raises
    ------
    UsageError
        If it predicts a quantile, and which one does not follow from its parameters.

    Examples
    --------
    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> quantile_of(HistGradientBoostingRegressor(loss="quantile", quantile=0.9))
    0.9
    >>> quantile_of(HistGradientBoostingRegressor()) is None
    True

    """
    model: Any = estimator
    if getattr(model, "steps", None):
        return quantile_of(model.steps[-1][1])
    if hasattr(model, "best_estimator_"):  # of a search
        return quantile_of(model.best_estimator_)
    params = model.get_params(deep=False) if hasattr(model, "get_params") else {}
    kinds = {cls.__name__ for cls in type(model).__mro__}
    if "TransformedTargetRegressor" in kinds:
        return _behind_transform(params)
    if "VotingRegressor" in kinds:
        return _common([member for _, member in model.estimators if member != "drop"])
    if "BaggingRegressor" in kinds and params["estimator"] is not None:
        return quantile_of(params["estimator"])
    if kinds & {"MultiOutputRegressor", "RegressorChain"}:
        _check_each_target(params)
        return None
    if "StackingRegressor" in kinds and params["final_estimator"] is not None:
        return quantile_of(params["final_estimator"])
    losses = {str(params.get(name)) for name in ("loss", "objective", "application", "app")}
    if "QuantileRegressor" not in kinds and not losses & LOSSES:
        return None
    return _level(model, params, kinds)


def _common(members: list[BaseEstimator]) -> float | None:
    quantiles = {quantile_of(member) for member in members}
    if len(quantiles) > 1:
        raise UsageError(
            "the members predict different quantiles, or some of them means, which have no common "
            "average: fit members of the same quantile"
        )
    return quantiles.pop()


def _check_each_target(params: dict[str, Any]) -> None:
    inner = params.get("estimator", params.get("base_estimator"))
    if hasattr(inner, "get_params") and quantile_of(inner) is not None:
        raise UsageError(
            "quantiles of several targets: fit and pack a model for each target, so that it can "
            "say which quantile it predicts"
        )


def _behind_transform(params: dict[str, Any]) -> float | None:
    inner = params["regressor"]
    quantile = None if inner is None else quantile_of(inner)
    transformer, function = params["transformer"], params["func"]
    rises = function is None or any(function is known for known in RISING)
    if transformer is not None:
        rises = type(transformer).__name__ in RISING_SCALERS
    if quantile is not None and not rises:
        raise UsageError(
            f"the model predicts the {quantile:g} quantile of a transformed target, and the "
            "transform may exchange the tails: use numpy.log1p, another rising function of NumPy, "
            f"or one of {', '.join(sorted(RISING_SCALERS))}"
        )
    return quantile


def _level(model: Any, params: dict[str, Any], kinds: set[str]) -> float:
    """Return the level of a quantile loss."""
    if any(name.startswith("XGB") for name in kinds):
        level = params.get("quantile_alpha")
        if level is None and hasattr(model, "get_booster"):  # read from a file
            learner = json.loads(model.get_booster().save_config())["learner"]
            text = learner["objective"]["quantile_loss_param"]["quantile_alpha"]
            level = json.loads(text) if isinstance(text, str) else text
    elif any(name.startswith("LGBM") for name in kinds):
        level = 0.9 if params.get("alpha") is None else params["alpha"]  # LightGBM's default
    else:
        level = params.get("quantile") if "quantile" in params else params.get("alpha")
    levels = np.atleast_1d(np.asarray(level, dtype=float))
    if len(levels) != 1 or not 0 < levels[0] < 1:
        raise UsageError(
            f"{type(model).__name__} predicts a quantile, and its level is {level!r}; expected a "
            "single number between 0 and 1"
        )
    return float(f"{levels[0]:.7g}")  # levels in 32 bits are those that were meant
