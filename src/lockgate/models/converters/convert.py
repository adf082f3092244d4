"""Packs a fitted pipeline: traces it, writes the file, and lists the covered steps."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from lockgate.contract.conversion import ConvertedModel
from lockgate.contract.tables import Column as SchemaColumn
from lockgate.data.columns.inputs import ColumnInput
from lockgate.errors import NotCovered, PackedFormatError
from lockgate.modeling.training.estimators import detects_anomalies, predicts_clusters
from lockgate.models.converters.anomaly_models import ANOMALIES
from lockgate.models.converters.bayes_models import BAYES
from lockgate.models.converters.bins import BINS
from lockgate.models.converters.curve_transformers import CURVE_TRANSFORMERS
from lockgate.models.converters.encoders import ENCODERS
from lockgate.models.converters.ensembles import ENSEMBLES
from lockgate.models.converters.libraries import library_of, packages_of
from lockgate.models.converters.linear_models import LINEAR
from lockgate.models.converters.meta_estimators import META_ESTIMATORS, convert_model
from lockgate.models.converters.neighbor_models import NEIGHBOR_MODELS
from lockgate.models.converters.outputs import exchange_classes
from lockgate.models.converters.selectors import SELECTORS
from lockgate.models.converters.symbols import RawColumn
from lockgate.models.converters.trace import Converter, Trace
from lockgate.models.converters.transformers import TRANSFORMERS
from lockgate.models.converters.tree_models import TREES
from lockgate.models.converters.vectorizers import TEXTS
from lockgate.models.packed.format.categorical import Category
from lockgate.models.packed.format.header import Answers
from lockgate.models.packed.format.numeric import Date, Numbers
from lockgate.models.packed.format.operation import Operation
from lockgate.models.packed.format.text import Text

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["CONVERTERS", "Packed", "inputs_of", "pack_estimator"]

CONVERTERS: dict[str, Converter] = {
    **TRANSFORMERS,
    **CURVE_TRANSFORMERS,
    **SELECTORS,
    **ENCODERS,
    **BINS,
    **LINEAR,
    **BAYES,
    **ANOMALIES,
    **NEIGHBOR_MODELS,
    **TREES,
    **TEXTS,
    **ENSEMBLES,
    **META_ESTIMATORS,
}
"""Converters from estimators to operations, by library and class."""

PASSES = 4
"""Passes to try beyond one per input."""


@dataclasses.dataclass(frozen=True)
class Packed:
    """A packed model, before its predictions are compared with the original's.

    Attributes
    ----------
    raw : bytes
        The file.
    steps : tuple of str
        Covered steps, one line each.
    used : tuple of str
        Columns that the model needs.

    """

    raw: bytes
    steps: tuple[str, ...]
    used: tuple[str, ...]


def inputs_of(columns: Sequence[SchemaColumn]) -> tuple[ColumnInput, ...]:
    """Return inputs for a schema's columns; encoders add the categories."""
    return tuple(
        ColumnInput(
            column.name,
            column.kind,
            column.missing,
            column.unknown if column.kind == "category" else "ignore",
            dates=column.dates,
            bits=column.bits,
        )
        for column in columns
    )


def pack_estimator(
    estimator: BaseEstimator,
    inputs: Sequence[ColumnInput],
    *,
    positive: object = None,
    library_converters: Mapping[str, Converter] | None = None,
    none_columns: Collection[str] = (),
) -> Packed:
    """Turn a fitted model into a packed one.

    Parameters
    ----------
    estimator : fitted estimator
        A classifier, regressor, clustering, detector of anomalies, or a pipeline that ends in
        one.
    inputs : sequence of ColumnInput
        Columns of the table that it was fitted on, in order.
    positive : object
        The positive one of two classes; by default the estimator's second.
    library_converters : mapping of str to callable, optional
        Converters of other libraries' models, by library.
    none_columns : collection of str
        Columns whose missing cells were None in training, not NaN.

    Raises
    ------
    NotCovered
        If a step or an option has no packed form, with what to do instead.

    """
    find_converter = functools.partial(_find_converter, library_converters=library_converters or {})
    categories: dict[int, tuple[str, ...]] = {}
    for _ in range(
        PASSES + len(inputs)
    ):  # each pass but the last adds the categories of another column
        trace = Trace(inputs, categories, find_converter, none_columns)
        columns = [RawColumn(k) for k in range(len(inputs))]
        try:
            outcome = convert_model(trace, "model", estimator, list(columns))
        except (NotCovered, PackedFormatError):
            if not _learn_categories(trace, categories):
                raise
            continue
        if not _learn_categories(trace, categories):
            if len(outcome.classes) == 2 and outcome.classes[0] == positive:
                outcome = exchange_classes(trace, outcome)
            return _finish_model(trace, estimator, outcome)
    raise NotCovered("the categories of its encoders do not converge; please report this pipeline")


def _learn_categories(trace: Trace, categories: dict[int, tuple[str, ...]]) -> bool:
    """Add the categories that encoders requested; return whether there were new ones."""
    requested = {source: tuple(sorted(names)) for source, names in trace.required.items()}
    if requested == {source: categories.get(source) for source in requested}:
        return False
    categories.update(requested)
    return True


def _finish_model(trace: Trace, estimator: BaseEstimator, outcome: ConvertedModel) -> Packed:
    """Remove inputs that are not read, and write the file."""
    builder = trace.builder
    used_sources = sorted(trace.used)
    index_by_source = {source: k for k, source in enumerate(used_sources)}
    builder.ops = [_renumber_inputs(op, index_by_source) for op in builder.ops]
    builder.inputs = [builder.inputs[source] for source in used_sources]
    count = len(outcome.classes)
    task = "regression" if not count else "binary" if count == 2 else "multiclass"
    if task == "regression" and builder.width(outcome.label) > 1:
        task = "multioutput"
    if predicts_clusters(estimator):
        task = "clustering"
    elif detects_anomalies(estimator):
        task = "anomaly"
    answers = Answers(
        outcome.label, outcome.score, outcome.margin, tuple(trace.finite), tuple(trace.short)
    )
    raw = builder.finish(task, outcome.classes, answers, tolerance=trace.tolerance)
    return Packed(raw, tuple(trace.steps), tuple(column.name for column in builder.inputs))


def _renumber_inputs(op: Operation, index_by_source: Mapping[int, int]) -> Operation:
    """Return an operation with the new indices of its inputs."""
    if isinstance(op, (Category, Date, Text)):
        return msgspec.structs.replace(op, column=index_by_source[op.column])
    if isinstance(op, Numbers):
        return msgspec.structs.replace(
            op, columns=tuple(index_by_source[source] for source in op.columns)
        )
    return op


def _find_converter(
    estimator: BaseEstimator, library_converters: Mapping[str, Converter]
) -> Converter:
    library, name = library_of(estimator), type(estimator).__name__
    key = f"{library}.{name}"
    if key in CONVERTERS:
        return CONVERTERS[key]
    for package in packages_of(estimator):  # a subclass of a library's model, in another package
        if package in library_converters:
            return library_converters[package]
    remedy = {
        "lightgbm": "pip install lockgate-treelite",
        "xgboost": "pip install lockgate-treelite",
    }.get(library, "see docs/packing.md for supported models, and how a plugin adds more")
    raise NotCovered(f"{key} has no packed form; {remedy}")
