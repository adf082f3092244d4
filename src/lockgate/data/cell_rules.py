"""Cell rules: fitted steps that turn a schema's features into numbers, inside the model."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from lockgate.contract.modeling import Requirements
from lockgate.contract.sections import CellRules
from lockgate.contract.tables import Schema
from lockgate.data.transformers import Bins, Clip, DateParts, EmptyToZero
from lockgate.errors import SchemaViolation, nearest

__all__ = ["cell_steps", "with_cell_policies"]


def with_cell_policies(schema: Schema, rules: CellRules) -> Schema:
    """Write the policies for gaps and unknown categories into the columns."""
    return schema.with_columns(
        tuple(
            dataclasses.replace(
                column,
                missing="refuse" if rules.missing == "refuse" else "allow",
                unknown="refuse" if rules.unknown == "refuse" else "ignore",
            )
            for column in schema.columns
        )
    )


def cell_steps(
    schema: Schema, rules: CellRules, needs: Requirements
) -> tuple[tuple[str, Any], ...]:
    """Build the unfitted steps that turn features into what an estimator needs.

    Returns
    -------
    tuple of (str, transformer)
        One step, ``cells``, or none where the features are numbers already.

    """
    names = [column.name for column in schema.features]
    for name in rules.bins:
        if name not in names:
            raise SchemaViolation(
                [f"cells.bins names {name!r}, which is no feature{nearest(name, names)}"]
            )
        _check_bins(schema, name, rules.bins[name])
    by_kind: dict[str, list[str]] = {}
    for column in schema.features:
        kind = "bins" if column.name in rules.bins else column.kind
        by_kind.setdefault(kind, []).append(column.name)
    if "text" in by_kind:
        listed = ", ".join(by_kind["text"])
        raise SchemaViolation(
            [
                f"no rule turns the text of {listed} into numbers; "
                "put them in data.leave_out, or, if they are dates, in data.kinds"
            ]
        )
    numbers = by_kind.get("number", []) + by_kind.get("integer", []) + by_kind.get("boolean", [])
    parts: list[tuple[str, Any, list[str]]] = []
    if numbers:
        ordered = [name for name in names if name in numbers]
        parts.append(("numbers", _numbers(rules, needs), ordered))
    if "category" in by_kind:
        parts.append(("categories", _categories(rules, needs), by_kind["category"]))
    if "date" in by_kind:
        parts.append(("dates", _dates(rules, needs), by_kind["date"]))
    for number, name in enumerate(by_kind.get("bins", [])):
        parts.append((f"bins-{number}", Bins(list(rules.bins[name])), [name]))
    together = ColumnTransformer(parts, verbose_feature_names_out=False, sparse_threshold=0)
    return (("cells", together),)


def _check_bins(schema: Schema, name: str, edges: list[float]) -> None:
    if schema[name].kind not in ("number", "integer"):
        raise SchemaViolation([f"cells.bins.{name}: {name} holds {schema[name].kind}, not numbers"])
    if not edges or any(high <= low for low, high in itertools.pairwise(edges)):
        raise SchemaViolation([f"cells.bins.{name} is {edges}; expected rising edges"])


def _numbers(rules: CellRules, needs: Requirements) -> Any:
    steps: list[tuple[str, Any]] = []
    if rules.clip > 0:
        steps.append(("clip", Clip(rules.clip)))
    if needs.imputed:
        # a column may be empty in one fold and not in the whole
        filled = SimpleImputer(
            strategy="median", add_indicator=rules.indicator, keep_empty_features=True
        )
        steps.append(("impute", filled))
    else:
        steps.append(("empty", EmptyToZero()))
    if rules.scale == "standard" or (rules.scale == "auto" and needs.scaled):
        steps.append(("scale", StandardScaler()))
    return Pipeline(steps) if steps else "passthrough"


def _categories(rules: CellRules, needs: Requirements) -> Any:
    rare = {"min_frequency": rules.rare} if rules.rare else {}
    if needs.encoding == "ordinal":
        return OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=np.nan,
            encoded_missing_value=np.nan,
            **rare,
        )
    unknown = "infrequent_if_exist" if rules.rare else "ignore"
    return OneHotEncoder(handle_unknown=unknown, sparse_output=False, **rare)


def _dates(rules: CellRules, needs: Requirements) -> Any:
    steps: list[tuple[str, Any]] = [("parts", DateParts())]
    if needs.imputed:
        steps.append(("impute", SimpleImputer(strategy="median", keep_empty_features=True)))
    if rules.scale == "standard" or (rules.scale == "auto" and needs.scaled):
        steps.append(("scale", StandardScaler()))
    return Pipeline(steps)
