"""Cell rules: fitted steps that turn a schema's features into numbers, inside the model."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from lockgate.contract.recipes import Requirements
from lockgate.contract.sections import CellRules
from lockgate.contract.tables import Schema
from lockgate.data.cell_checks import check_cell_rules
from lockgate.data.computed import parse_combination
from lockgate.data.text_terms import CondensedTerms, HashedTerms, TextTerms
from lockgate.data.transformers import Bins, Clip, Combined, DateParts, EmptyToZero, Frequencies

__all__ = ["COMPUTED", "TEXT", "apply_cell_policies", "build_cell_steps"]

TEXT = "text-"
"""Beginning of the names of parts that encode texts."""

COMPUTED = "computed-"
"""Beginning of the names of parts that compute a column of two others."""

ANY_WORD = r"(?u)\b\w+\b"
"""Pattern of words, of those of a single character as well."""


def apply_cell_policies(schema: Schema, rules: CellRules) -> Schema:
    """Return the schema with the policies for missing values and unknown categories."""
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


def build_cell_steps(
    schema: Schema, rules: CellRules, requirements: Requirements, task: str = "binary"
) -> tuple[tuple[str, Any], ...]:
    """Build the unfitted steps that prepare features as an estimator of a task requires.

    Returns
    -------
    tuple of (str, transformer)
        The single step ``cells``.

    """
    names = [column.name for column in schema.features]
    check_cell_rules(schema, rules)
    by_kind: dict[str, list[str]] = {}
    for column in schema.features:
        part = "bins" if column.name in rules.bins else column.kind
        by_kind.setdefault(rules.encodings.get(column.name, part), []).append(column.name)
    numbers = by_kind.get("number", []) + by_kind.get("integer", []) + by_kind.get("boolean", [])
    transformers: list[tuple[str, Any, list[str]]] = []
    if numbers:
        ordered = [name for name in names if name in numbers]
        shares = {name: rules.clips.get(name, rules.clip) for name in ordered}
        for share in sorted(set(shares.values()), key=lambda value: (value != rules.clip, value)):
            label = "numbers" if share == rules.clip else f"numbers-{share:g}"
            pipeline = _build_number_pipeline(share, rules, requirements)
            transformers.append((label, pipeline, [n for n in ordered if shares[n] == share]))
    if "category" in by_kind:
        encoder = _build_category_encoder(requirements.encoding, rules, requirements, task)
        transformers.append(("categories", encoder, by_kind["category"]))
    for encoding in sorted(set(rules.encodings.values())):
        encoder = _build_category_encoder(encoding, rules, requirements, task)
        transformers.append((f"categories-{encoding}", encoder, by_kind[encoding]))
    if "date" in by_kind:
        transformers.append(("dates", _build_date_pipeline(rules, requirements), by_kind["date"]))
    for number, (name, text) in enumerate(sorted(rules.computed.items())):
        left, right, how = parse_combination(text, f"cells.computed.{name}")
        share = rules.clips.get(name, rules.clip)
        pipeline = _build_number_pipeline(share, rules, requirements, ("combine", Combined(how)))
        transformers.append((f"{COMPUTED}{number}", pipeline, [left, right]))
    for number, name in enumerate(by_kind.get("bins", [])):
        transformers.append((f"bins-{number}", Bins(list(rules.bins[name])), [name]))
    for number, name in enumerate(by_kind.get("text", [])):
        encoder = _build_text_encoder(rules.texts[name], rules, requirements)
        transformers.append((f"{TEXT}{number}", encoder, [name]))
    is_sparse = requirements.sparse and "text" in by_kind
    column_transformer = ColumnTransformer(
        transformers, verbose_feature_names_out=False, sparse_threshold=1.0 if is_sparse else 0
    )
    return (("cells", column_transformer),)


def _build_number_pipeline(
    clip: float, rules: CellRules, requirements: Requirements, *before: tuple[str, Any]
) -> Any:
    steps: list[tuple[str, Any]] = [*before]
    if clip > 0:
        steps.append(("clip", Clip(clip)))
    if requirements.imputed:
        # a column with values may have none in one of the folds
        imputer = SimpleImputer(
            strategy="median", add_indicator=rules.indicator, keep_empty_features=True
        )
        steps.append(("impute", imputer))
    else:
        steps.append(("empty", EmptyToZero()))
    steps += _build_scaler(rules, requirements)
    return Pipeline(steps) if steps else "passthrough"


def _build_scaler(rules: CellRules, requirements: Requirements) -> list[tuple[str, Any]]:
    """Return the step that scales numbers; none where they are not to be scaled."""
    scale = "standard" if rules.scale == "auto" and requirements.scaled else rules.scale
    if scale in ("auto", "none"):
        return []
    scaler: Any = {
        "standard": StandardScaler,
        "robust": RobustScaler,
        "power": PowerTransformer,
        "quantile": functools.partial(
            QuantileTransformer, n_quantiles=100, output_distribution="normal", random_state=0
        ),
    }[scale]()
    return [("scale", scaler)]


def _build_category_encoder(
    encoding: str, rules: CellRules, requirements: Requirements, task: str
) -> Any:
    if encoding == "frequency":
        return Pipeline([("encode", Frequencies()), *_build_scaler(rules, requirements)])
    if encoding == "target":
        target_type = "continuous" if task == "regression" else task
        encoder = TargetEncoder(target_type=target_type, cv=KFold(5, shuffle=True, random_state=0))
        return Pipeline([("encode", encoder), *_build_scaler(rules, requirements)])
    rare_options = {"min_frequency": rules.rare} if rules.rare else {}
    if encoding == "ordinal":
        # codes of categories are 0, 1, ...; an estimator that reads no NaN gets codes before them
        codes = (-1, -2) if requirements.imputed else (np.nan, np.nan)
        return OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=codes[0],
            encoded_missing_value=codes[1],
            **rare_options,
        )
    unknown = "infrequent_if_exist" if rules.rare else "ignore"
    return OneHotEncoder(handle_unknown=unknown, sparse_output=False, **rare_options)


def _build_text_encoder(encoding: str, rules: CellRules, requirements: Requirements) -> Any:
    of_words: dict[str, Any] = {"token_pattern": ANY_WORD, "ngram_range": (1, 2)}
    learned: dict[str, Any] = {"min_df": rules.term_rows, "max_features": rules.max_terms}
    terms: Any
    if encoding == "hashed":
        # what condenses them has a number for each hash and component
        hashes = 1 << (16 if requirements.sparse else 12)
        terms = HashedTerms(n_features=hashes, norm=None, alternate_sign=False, **of_words)
    elif encoding == "counts":
        terms = TextTerms(**of_words, **learned, use_idf=False, norm=None)
    elif encoding == "characters":
        terms = TextTerms(analyzer="char_wb", ngram_range=(1, 4), **learned, sublinear_tf=True)
    else:
        terms = TextTerms(**of_words, **learned, sublinear_tf=True)
    if requirements.sparse:
        return terms
    condensed = CondensedTerms(rules.text_components, random_state=0)
    return Pipeline(
        [("terms", terms), ("condense", condensed), *_build_scaler(rules, requirements)]
    )


def _build_date_pipeline(rules: CellRules, requirements: Requirements) -> Any:
    steps: list[tuple[str, Any]] = [("parts", DateParts(rules.dates == "cyclic"))]
    if requirements.imputed:
        steps.append(("impute", SimpleImputer(strategy="median", keep_empty_features=True)))
    return Pipeline([*steps, *_build_scaler(rules, requirements)])
