"""The converters ``lightgbm`` and ``xgboost``."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, cast

import lockgate

if TYPE_CHECKING:
    from lockgate.models.converters.symbols import Column
    from lockgate.models.converters.trace import Trace


@lockgate.plugin
class LightGBM:
    """LightGBM's classifiers and regressors, their pandas categories included."""

    model_types: ClassVar = (
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
    )

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
        columns = trace.expand(request.columns)
        categories = _match_categories(trace, columns, booster.pandas_categorical)
        columns = _encode_categories(trace, columns, categories)
        classes = tuple(getattr(estimator, "classes_", ()))
        return convert_model(
            trace,
            from_lightgbm(booster),
            columns,
            _convert_labels(classes),
            small=SMALL,
            alpha=_sigmoid_of(booster),
        )


def _sigmoid_of(booster: Any) -> float | None:
    """Return LightGBM's parameter `sigmoid`, of which treelite keeps 32 bits."""
    objective = booster.dump_model(num_iteration=1).get("objective", "")
    known = re.search(r"\bsigmoid:(\S+)", objective)
    return None if known is None else float(known[1])


@lockgate.plugin
class XGBoost:
    """XGBoost's classifiers and regressors; it adds in 32 bits: predictions may differ by 1e-6."""

    model_types: ClassVar = (
        "lockgate_treelite.labels.XGBoostClassifier",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRegressor",
    )

    @lockgate.hookimpl
    def convert(self, request: lockgate.ConvertRequest) -> lockgate.ConvertedModel:
        """Convert the booster, the best iterations only."""
        from treelite.frontend import from_xgboost_json

        from lockgate_treelite.trees import convert_model

        # these converters use more of the trace than the contract promises
        trace, estimator = cast("Trace", request.trace), request.estimator
        known = type(estimator).__name__ in (
            "XGBClassifier",
            "XGBoostClassifier",
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
        sparse = any(trace.width(column) > 1 for column in request.columns)
        trace.require(
            not sparse,
            "XGBoost takes absent terms for missing values, not for zeros; make the counts dense "
            "before it, or use another model",
        )
        booster = estimator.get_booster()
        content = json.loads(booster.save_raw("json"))
        trees = content["learner"]["gradient_booster"]["name"]
        trace.require(trees == "gbtree", f"booster={trees!r}; use gbtree")
        # set by early stopping, as an option or as a callback, and kept in files
        best = getattr(estimator, "best_iteration", None)
        if best is not None:
            cats = content["learner"]["gradient_booster"]["model"].get("cats")
            content = json.loads(booster[: best + 1].save_raw("json"))
            if cats is not None:  # a slice of the iterations loses them
                content["learner"]["gradient_booster"]["model"]["cats"] = cats
        columns = trace.expand(request.columns)
        categories = _take_categories(trace, content, columns)
        columns = _encode_categories(trace, columns, categories, refuse_unknown=True)
        classes = tuple(getattr(estimator, "classes_", ()))
        rounds = len(content["learner"]["gradient_booster"]["model"]["trees"])
        rounds //= len(classes) if len(classes) > 2 else 1
        # it adds in 32 bits: the sum of n numbers is rounded n times (Higham 2002, section 4.2);
        # a probability changes by at most a quarter: p * (1 - p) * |log(p / (1 - p))| < 1/4
        trace.allow_tolerance(max(1e-6, rounds * 2.0 ** (-26 if classes else -24)))
        model = from_xgboost_json(json.dumps(content))
        return convert_model(trace, model, columns, _convert_labels(classes))


def _take_categories(
    trace: Trace, content: dict[str, Any], columns: list[Column]
) -> dict[int, list[object]]:
    """Take the categories out of XGBoost's JSON, which treelite does not read, by column.

    XGBoost keeps texts as bytes, with where each begins, and integers as they are. Numbers
    that were declared as categories are their own codes.
    """
    kinds = content["learner"].get("feature_types") or []
    coded = [k for k, kind in enumerate(kinds) if kind == "c"]
    model = content["learner"]["gradient_booster"]["model"]
    encoders = model.get("cats", {}).get("enc") or []
    trace.require(
        encoders or not any(trace.holds_categories(columns[k]) for k in coded),
        "categories of XGBoost before 3.1, whose files hold their codes alone; fit it with 3.1 or "
        "later, or encode the categories in the pipeline",
    )
    if encoders:
        model["cats"] = {"enc": [], "feature_segments": [], "sorted_idx": []}
    categories: dict[int, list[object]] = {}
    for column in coded if encoders else ():
        values = encoders[column]["values"]
        if "offsets" in encoders[column]:
            raw = bytes(value & 0xFF for value in values)
            offsets = encoders[column]["offsets"]
            values = [raw[low:high].decode() for low, high in pairwise(offsets)]
        categories[column] = values
    return categories


def _convert_labels(classes: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(label.item() if hasattr(label, "item") else label for label in classes)


def _encode_categories(
    trace: Trace,
    columns: list[Column],
    categories: Mapping[int, Sequence[object]],
    *,
    refuse_unknown: bool = False,
) -> list[Column]:
    """Map columns of categories to the codes that the library assigned.

    An unknown category is missing to LightGBM; XGBoost refuses it.
    """
    from lockgate.data.columns.categories import category_text
    from lockgate.models.converters.symbols import MISSING, UNKNOWN, Number

    encoded = list(columns)
    for index, learned in categories.items():
        coded = trace.coded(columns[index], learned)
        codes = {category_text(value): float(k) for k, value in enumerate(learned)}
        if refuse_unknown:
            trace.refuse_unknown(coded)
        rows = [
            [math.nan if value in (MISSING, UNKNOWN) else codes.get(category_text(value), math.nan)]
            for value in coded.values
        ]
        encoded[index] = Number(trace.table(coded, rows), 0, frozenset({coded.source}))
    return encoded


def _match_categories(
    trace: Trace, columns: list[Column], learned: list[list[object]] | None
) -> dict[int, list[object]]:
    """Return LightGBM's categories by column; it keeps them in the order of such columns."""
    if not learned:
        return {}
    indices = [k for k, column in enumerate(columns) if trace.holds_categories(column)]
    trace.require(
        len(indices) == len(learned),
        f"expected {len(learned)} columns of categories, as in fit, got {len(indices)}; "
        "use rows with the same dtypes; categories of true and false are truth values: declare "
        "them as texts before fit, column.astype(str).astype('category')",
    )
    return dict(zip(indices, learned, strict=True))
