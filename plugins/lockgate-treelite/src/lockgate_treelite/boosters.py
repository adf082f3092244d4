"""The converters ``lightgbm`` and ``xgboost``."""

from __future__ import annotations

import math
from typing import Any

import lockgate


@lockgate.plugin
class LightGBM:
    """LightGBM's classifiers and regressors, their pandas categories included."""

    @lockgate.hookimpl
    def convert(self, request: lockgate.ConvertRequest) -> lockgate.ConvertedModel:
        """Read the booster, the best iterations only, and write it down."""
        from treelite.frontend import from_lightgbm

        from lockgate_treelite.trees import SMALL, outcome_of

        trace, est = request.trace, request.estimator
        known = type(est).__name__ in ("LGBMClassifier", "LGBMRegressor")
        trace.require(known, f"lightgbm.{type(est).__name__}; use LGBMClassifier or LGBMRegressor")
        booster = trace.attribute(est, "booster_")
        for option in ("zero_as_missing", "linear_tree"):
            trace.require(not booster.params.get(option), f"{option}=True; fit without it")
        columns = _with_categories(trace, list(request.columns), booster.pandas_categorical)
        classes = tuple(getattr(est, "classes_", ()))
        return outcome_of(trace, from_lightgbm(booster), columns, _plain(classes), small=SMALL)


@lockgate.plugin
class XGBoost:
    """XGBoost's classifiers and regressors; it adds in 32 bits, so answers differ by 1e-6."""

    @lockgate.hookimpl
    def convert(self, request: lockgate.ConvertRequest) -> lockgate.ConvertedModel:
        """Read the booster, the best iterations only, and write it down."""
        from treelite.frontend import from_xgboost

        from lockgate_treelite.trees import outcome_of

        trace, est = request.trace, request.estimator
        known = type(est).__name__ in (
            "XGBClassifier",
            "XGBRegressor",
            "XGBRFClassifier",
            "XGBRFRegressor",
        )
        trace.require(known, f"xgboost.{type(est).__name__}; use XGBClassifier or XGBRegressor")
        gap = est.missing
        trace.require(isinstance(gap, float) and math.isnan(gap), f"missing={gap!r}; use NaN")
        booster = est.get_booster()
        trees = str(est.booster or "gbtree")
        trace.require(trees == "gbtree", f"booster={trees!r}; use gbtree")
        best = getattr(est, "best_iteration", None) if est.early_stopping_rounds else None
        if best is not None:
            booster = booster[: best + 1]
        trace.allow(1e-6)  # it adds in 32 bits
        classes = tuple(getattr(est, "classes_", ()))
        return outcome_of(trace, from_xgboost(booster), list(request.columns), _plain(classes))


def _plain(classes: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(one.item() if hasattr(one, "item") else one for one in classes)


def _with_categories(trace: Any, columns: list[Any], learned: list[list[Any]] | None) -> list[Any]:
    """Turn columns of categories into the codes that LightGBM gave them."""
    from lockgate.data.columns.categories import category_text
    from lockgate.models.converters.symbols import GAP, UNKNOWN, Number

    if not learned:
        return columns
    places = [k for k, one in enumerate(columns) if trace.holds_categories(one)]
    trace.require(
        len(places) == len(learned),
        f"{len(learned)} columns were categories when it was fitted, {len(places)} are now; "
        "give rows with the same dtypes",
    )
    made = list(columns)
    for place, categories in zip(places, learned, strict=True):
        coded = trace.coded(columns[place], categories)
        codes = {category_text(value): float(k) for k, value in enumerate(categories)}
        rows = [
            [math.nan if value in (GAP, UNKNOWN) else codes.get(category_text(value), math.nan)]
            for value in coded.values
        ]
        made[place] = Number(trace.table(coded, rows), 0, frozenset({coded.source}))
    return made
