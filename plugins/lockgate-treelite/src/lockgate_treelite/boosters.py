"""The converters ``lightgbm`` and ``xgboost``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import lockgate

if TYPE_CHECKING:
    from lockgate.models.converters.symbols import Column
    from lockgate.models.converters.trace import Trace


@lockgate.plugin
class LightGBM:
    """LightGBM's classifiers and regressors, their pandas categories included."""

    @lockgate.hookimpl
    def convert(self, request: lockgate.ConvertRequest) -> lockgate.ConvertedModel:
        """Convert the booster, the best iterations only."""
        from treelite.frontend import from_lightgbm

        from lockgate_treelite.trees import SMALL, convert_model

        # these converters use more of the trace than the contract promises
        trace, estimator = cast("Trace", request.trace), request.estimator
        known = type(estimator).__name__ in ("LGBMClassifier", "LGBMRegressor")
        trace.require(
            known, f"lightgbm.{type(estimator).__name__}; use LGBMClassifier or LGBMRegressor"
        )
        booster = trace.attribute(estimator, "booster_")
        for option in ("zero_as_missing", "linear_tree"):
            trace.require(not booster.params.get(option), f"{option}=True; fit without it")
        columns = _encode_categories(trace, list(request.columns), booster.pandas_categorical)
        classes = tuple(getattr(estimator, "classes_", ()))
        return convert_model(
            trace, from_lightgbm(booster), columns, _convert_labels(classes), small=SMALL
        )


@lockgate.plugin
class XGBoost:
    """XGBoost's classifiers and regressors; it adds in 32 bits: predictions may differ by 1e-6."""

    @lockgate.hookimpl
    def convert(self, request: lockgate.ConvertRequest) -> lockgate.ConvertedModel:
        """Convert the booster, the best iterations only."""
        from treelite.frontend import from_xgboost

        from lockgate_treelite.trees import convert_model

        # these converters use more of the trace than the contract promises
        trace, estimator = cast("Trace", request.trace), request.estimator
        known = type(estimator).__name__ in (
            "XGBClassifier",
            "XGBRegressor",
            "XGBRFClassifier",
            "XGBRFRegressor",
        )
        trace.require(
            known, f"xgboost.{type(estimator).__name__}; use XGBClassifier or XGBRegressor"
        )
        missing = estimator.missing
        trace.require(
            isinstance(missing, float) and math.isnan(missing), f"missing={missing!r}; use NaN"
        )
        booster = estimator.get_booster()
        trees = str(estimator.booster or "gbtree")
        trace.require(trees == "gbtree", f"booster={trees!r}; use gbtree")
        best = (
            getattr(estimator, "best_iteration", None) if estimator.early_stopping_rounds else None
        )
        if best is not None:
            booster = booster[: best + 1]
        trace.allow_tolerance(1e-6)  # it adds in 32 bits
        classes = tuple(getattr(estimator, "classes_", ()))
        return convert_model(
            trace, from_xgboost(booster), list(request.columns), _convert_labels(classes)
        )


def _convert_labels(classes: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(label.item() if hasattr(label, "item") else label for label in classes)


def _encode_categories(
    trace: Trace, columns: list[Column], learned: list[list[object]] | None
) -> list[Column]:
    """Map columns of categories to the codes that LightGBM assigned."""
    from lockgate.data.columns.categories import category_text
    from lockgate.models.converters.symbols import MISSING, UNKNOWN, Number

    if not learned:
        return columns
    category_indices = [k for k, column in enumerate(columns) if trace.holds_categories(column)]
    trace.require(
        len(category_indices) == len(learned),
        f"expected {len(learned)} columns of categories, as in fit, got {len(category_indices)}; "
        "use rows with the same dtypes",
    )
    encoded = list(columns)
    for index, categories in zip(category_indices, learned, strict=True):
        coded = trace.coded(columns[index], categories)
        codes = {category_text(value): float(k) for k, value in enumerate(categories)}
        rows = [
            [math.nan if value in (MISSING, UNKNOWN) else codes.get(category_text(value), math.nan)]
            for value in coded.values
        ]
        encoded[index] = Number(trace.table(coded, rows), 0, frozenset({coded.source}))
    return encoded
