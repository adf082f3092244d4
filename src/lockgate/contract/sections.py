"""Settings of the host: the sections of ``params.yaml`` beside the plugins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from lockgate.contract.evaluation import ValueMatrix
from lockgate.contract.recipes import Task
from lockgate.contract.settings import setting

__all__ = [
    "DATES",
    "SECTIONS",
    "CellRules",
    "Compression",
    "DataSelection",
    "DecisionSettings",
    "Project",
    "ResourceLimits",
    "RowRules",
    "SearchSettings",
    "Sections",
    "Split",
    "WindowSettings",
]

METRICS = (
    "auto",
    "log_loss",
    "roc_auc",
    "pr_auc",
    "brier",
    "accuracy",
    "f1",
    "rmse",
    "mae",
    "r2",
    "mean_r2",
    "quantile_loss",
    "quantile_skill",
    "silhouette",
    "davies_bouldin",
    "score_shift",
)


@dataclass(kw_only=True)
class Project:
    """Name, seed and task of the model."""

    name: str = setting("model", help="name of the model")
    seed: int = setting(0, at_least=0, at_most=2**32 - 1, help="seed of all randomness")
    task: str = setting(
        "auto",
        choices=("auto", *get_args(Task)),
        help="what to predict; auto: inferred from the target; clustering and anomaly take a table "
        "without a target",
    )


@dataclass(kw_only=True)
class DataSelection:
    """The rows and columns of the loader's table to use."""

    since: str | None = setting(None, help="ISO date; earlier rows are left out")
    until: str | None = setting(None, help="ISO date; rows of this date or later are left out")
    kinds: dict[str, str] = setting(
        {},
        choices=("number", "integer", "boolean", "category", "date", "text"),
        help="column: its kind, where it should not be inferred",
    )
    positive: str | int | float | bool = setting(
        "",
        help="the class of two that scores, recall and the value of decisions are about; by "
        "default the last in sorted order: yes of no and yes, but nein of ja and nein",
    )
    leave_out: list[str] = setting(
        [],
        help="columns that the model does not use, e.g. because they leak the target; "
        "those of the test rows are kept for evaluators, monitors and gates",
    )
    uninformative: str = setting(
        "drop",
        choices=("drop", "refuse"),
        help="what to do with features that are constant or have no values",
    )


@dataclass(kw_only=True)
class RowRules:
    """Rules for rows; those for training rows never change tune, test and served rows."""

    duplicates: str = setting(
        "keep",
        choices=("keep", "drop"),
        help="rows equal in features, target and time; drop leaves one of each, before the split",
    )
    outlier_spread: float = setting(
        0.0,
        at_least=0,
        help="drop rows more than this many interquartile ranges outside the quartiles; 0: off",
    )
    ranges: dict[str, list[float]] = setting(
        {}, help="column: [low, high]; rows outside are dropped"
    )


@dataclass(kw_only=True)
class CellRules:
    """Rules for cells; they are fitted on the training rows and become part of the model."""

    missing: str = setting(
        "impute",
        choices=("impute", "refuse"),
        help="impute numbers by the median where the model needs it, or refuse the row",
    )
    unknown: str = setting(
        "ignore",
        choices=("ignore", "refuse"),
        help="what to do with a category that is not in the training rows",
    )
    indicator: bool = setting(False, help="add a column that indicates missing values")
    scale: str = setting(
        "auto",
        choices=("auto", "standard", "robust", "power", "quantile", "none"),
        help="scaling of numbers; auto: standard where the model needs it; robust: by median and "
        "quartiles; power: Yeo-Johnson, for skewed numbers; quantile: to a normal distribution",
    )
    clip: float = setting(
        0.0, at_least=0, below=0.5, help="clip numbers to the quantiles [clip, 1 - clip]; 0: off"
    )
    clips: dict[str, float] = setting(
        {},
        at_least=0,
        below=0.5,
        help="column of numbers: its own quantile to clip at (winsorizing), instead of clip",
    )
    computed: dict[str, str] = setting(
        {},
        help="new column: the difference or ratio of two, e.g. {per_order: dollars / orders, age: "
        "visited - born}; dates differ in days; division by 0 gives a missing value",
    )
    dates: str = setting(
        "parts",
        choices=("parts", "cyclic"),
        help="parts: days since 1970, month, weekday and hour; cyclic: the last three as points on "
        "a circle, so that December is next to January",
    )
    bins: dict[str, list[float]] = setting(
        {}, help="column: rising edges; the column becomes a category"
    )
    rare: int = setting(
        0, at_least=0, help="categories with fewer rows than this are merged; 0: off"
    )
    encodings: dict[str, str] = setting(
        {},
        choices=("one-hot", "ordinal", "target", "frequency"),
        help="column of categories: its encoding, where the model's own is not wanted; target: the "
        "mean target of each category, cross-fitted, for many categories; frequency: the share of "
        "the training rows that have it",
    )
    texts: dict[str, str] = setting(
        {},
        choices=("words", "characters", "counts", "hashed"),
        help="column of texts: its encoding; words: TF-IDF of words and pairs of words; "
        "characters: of 1 to 4 characters, for Chinese and for typing errors; counts: of words; "
        "hashed: of words, without a list of them",
    )
    max_terms: int = setting(
        20_000, at_least=1, at_most=1_000_000, help="terms of a column of texts, the frequent first"
    )
    term_rows: int = setting(
        2, at_least=1, help="terms in fewer training rows than this are left out"
    )
    text_components: int = setting(
        100,
        at_least=1,
        at_most=10_000,
        help="numbers that a column of texts is condensed to for models that take no sparse matrix",
    )


@dataclass(kw_only=True)
class Split:
    """How the rows are split into train, tune and test."""

    by: str = setting(
        "auto",
        choices=("auto", "time", "group", "stratified", "random"),
        help="auto: time if there is a time column, else group, else stratified",
    )
    test: float = setting(0.2, above=0, below=1, help="share of the rows to test on")
    tune: float = setting(0.2, above=0, below=1, help="share of the other rows to tune on")
    test_from: str | None = setting(None, help="ISO date; by time: test rows start here")
    tune_from: str | None = setting(None, help="ISO date; by time: tune rows start here")


@dataclass(kw_only=True)
class SearchSettings:
    """How parameters are searched."""

    metric: str = setting(
        "auto",
        choices=METRICS,
        help="auto: log_loss, rmse, quantile_loss, mean_r2, silhouette or score_shift",
    )
    folds: int = setting(5, at_least=2, at_most=50, help="folds of the cross-validation")
    seconds: float | None = setting(
        None, above=0, help="no trial of a model starts after this time"
    )
    fusion: str = setting(
        "average",
        choices=("average", "vote", "stack"),
        help="how several models become one (model=[logistic,forest]): the mean of their scores "
        "or values, the shares of their votes, or a linear model on their predictions",
    )
    calibration: str = setting(
        "none",
        choices=("none", "sigmoid", "isotonic"),
        help="correction of a classifier's scores, fitted on folds of the training rows after the "
        "search: a sigmoid (Platt), or isotonic for many rows",
    )


@dataclass(kw_only=True)
class Compression:
    """How much loss a compressor may add."""

    max_loss: float = setting(
        0.01,
        at_least=0,
        help="largest relative increase of the loss on tune in a step; 0.01 is one per cent",
    )
    strict: bool = setting(False, help="fail instead of skipping a step that adds more")


@dataclass(kw_only=True)
class DecisionSettings:
    """How scores become decisions, and how wide predictions are."""

    rule: str = setting(
        "fixed",
        choices=("fixed", "f1", "value"),
        help="fixed: the threshold below; f1, value: the one with the best F1 or value on tune",
    )
    threshold: float = setting(0.5, at_least=0, at_most=1, help="threshold of the rule fixed")
    value_matrix: ValueMatrix = field(default_factory=ValueMatrix)
    anomalies: float = setting(
        0.01,
        above=0,
        below=1,
        help="task anomaly: share of rows like those of training that are called anomalies",
    )
    coverage: float | None = setting(
        None,
        above=0,
        below=1,
        help="share of later rows whose true value lies in the interval, or true class in the set, "
        "that is predicted; measured on the tune rows; null: no intervals and sets",
    )


@dataclass(kw_only=True)
class ResourceLimits:
    """Limits on what stages use of the machine."""

    threads: int = setting(0, at_least=0, help="0: as many as there are idle cores")
    memory_mb: int | None = setting(
        None, at_least=64, help="memory limit in MiB that plugins receive"
    )


@dataclass(kw_only=True)
class WindowSettings:
    """The time window of the monitors; without one they use the test rows."""

    since: str | None = setting(None, help="ISO date")
    until: str | None = setting(None, help="ISO date, exclusive")


@dataclass(kw_only=True)
class Sections:
    """All sections of the host."""

    project: Project = field(default_factory=Project)
    data: DataSelection = field(default_factory=DataSelection)
    rows: RowRules = field(default_factory=RowRules)
    cells: CellRules = field(default_factory=CellRules)
    split: Split = field(default_factory=Split)
    search: SearchSettings = field(default_factory=SearchSettings)
    compression: Compression = field(default_factory=Compression)
    decision: DecisionSettings = field(default_factory=DecisionSettings)
    resources: ResourceLimits = field(default_factory=ResourceLimits)
    window: WindowSettings = field(default_factory=WindowSettings)


DATES = (
    "data.since",
    "data.until",
    "split.test_from",
    "split.tune_from",
    "window.since",
    "window.until",
)
"""Settings whose values are ISO dates."""

SECTIONS: dict[str, type] = {
    "project": Project,
    "data": DataSelection,
    "rows": RowRules,
    "cells": CellRules,
    "split": Split,
    "search": SearchSettings,
    "compression": Compression,
    "decision": DecisionSettings,
    "resources": ResourceLimits,
    "window": WindowSettings,
}
"""Sections by their key in ``params.yaml``."""
