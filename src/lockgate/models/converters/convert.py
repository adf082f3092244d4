"""Packs a fitted pipeline: traces it, writes the file, and says what was covered."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lockgate.contract.conversion import ConvertedModel
from lockgate.data.columns.inputs import ColumnInput
from lockgate.errors import NotCovered, PackedFormatError
from lockgate.models.converters.encoders import ENCODERS
from lockgate.models.converters.linear_models import LINEAR
from lockgate.models.converters.meta_estimators import ENSEMBLES, convert_model
from lockgate.models.converters.symbols import RawColumn
from lockgate.models.converters.trace import Trace
from lockgate.models.converters.transformers import TRANSFORMERS
from lockgate.models.converters.tree_models import TREES
from lockgate.models.converters.vectorizers import TEXTS
from lockgate.models.packed.format.header import Answers

__all__ = ["CONVERTERS", "Packed", "inputs_of", "library_of", "pack_estimator"]

CONVERTERS: dict[str, Callable[..., Any]] = {
    **TRANSFORMERS,
    **ENCODERS,
    **LINEAR,
    **TREES,
    **TEXTS,
    **ENSEMBLES,
}
"""What turns an estimator into operations, by library and class."""

PASSES = 4


@dataclasses.dataclass(frozen=True)
class Packed:
    """A packed model, before its answers were compared with the original's.

    Attributes
    ----------
    raw : bytes
        The file.
    steps : tuple of str
        What was covered, one line a step.
    used : tuple of str
        Columns that the model asks for.

    """

    raw: bytes
    steps: tuple[str, ...]
    used: tuple[str, ...]


def library_of(estimator: Any) -> str:
    """Return the top-level package of an estimator's class, e.g. ``sklearn``."""
    return type(estimator).__module__.partition(".")[0]


def inputs_of(columns: Sequence[Any]) -> tuple[ColumnInput, ...]:
    """Return inputs for a schema's columns, their categories left to the encoders."""
    return tuple(
        ColumnInput(
            one.name, one.kind, one.missing, one.unknown if one.kind == "category" else "ignore"
        )
        for one in columns
    )


def pack_estimator(
    estimator: Any,
    inputs: Sequence[ColumnInput],
    *,
    others: Mapping[str, Callable[..., Any]] | None = None,
) -> Packed:
    """Turn a fitted model into a packed one.

    Parameters
    ----------
    estimator : fitted estimator
        A classifier, regressor, clustering, or a pipeline that ends in one.
    inputs : sequence of Input
        Columns of the table that it was fitted on, in order.
    others : mapping of str to callable, optional
        Converters of other libraries' models, by library.

    Raises
    ------
    NotCovered
        Naming the step, the option, and what to do instead.

    """
    found = functools.partial(_converter, others=others or {})
    categories: dict[int, tuple[str, ...]] = {}
    for _ in range(PASSES + len(inputs)):  # each pass but the last learns of another column
        trace = Trace(inputs, categories, found)
        columns = [RawColumn(k) for k in range(len(inputs))]
        try:
            outcome = convert_model(trace, "model", estimator, list(columns))
        except (NotCovered, PackedFormatError):
            if not _more(trace, categories):
                raise
            continue
        if not _more(trace, categories):
            return _finished(trace, estimator, outcome)
    raise NotCovered("its encoders ask for ever more categories; report this with the pipeline")


def _more(trace: Trace, categories: dict[int, tuple[str, ...]]) -> bool:
    """Take over categories that encoders asked for; say whether there were new ones."""
    wanted = {source: tuple(sorted(names)) for source, names in trace.required.items()}
    if wanted == {source: categories.get(source) for source in wanted}:
        return False
    categories.update(wanted)
    return True


def _finished(trace: Trace, estimator: Any, outcome: ConvertedModel) -> Packed:
    """Leave out inputs that nothing reads, and write the file."""
    builder = trace.builder
    keep = sorted(trace.used)
    place = {source: k for k, source in enumerate(keep)}
    builder.ops = [_moved(op, place) for op in builder.ops]
    builder.inputs = [builder.inputs[source] for source in keep]
    count = len(outcome.classes)
    task = "regression" if not count else "binary" if count == 2 else "multiclass"
    if hasattr(estimator, "cluster_centers_") or _ends_in_clusters(estimator):
        task = "clustering"
    answers = Answers(
        outcome.label, outcome.score, outcome.margin, tuple(trace.finite), tuple(trace.short)
    )
    raw = builder.finish(task, outcome.classes, answers, tolerance=trace.tolerance)
    return Packed(raw, tuple(trace.steps), tuple(one.name for one in builder.inputs))


def _ends_in_clusters(estimator: Any) -> bool:
    steps = getattr(estimator, "steps", None) or [("", None)]
    return hasattr(steps[-1][1], "cluster_centers_")


def _moved(op: Any, place: Mapping[int, int]) -> Any:
    """Return an operation with its inputs where they are now."""
    fields = {name: getattr(op, name) for name in op.__struct_fields__}
    if "column" in fields:
        fields["column"] = place[fields["column"]]
    elif type(op).__name__ == "Numbers":
        fields["columns"] = tuple(place[one] for one in fields["columns"])
    else:
        return op
    return type(op)(**fields)


def _converter(estimator: Any, others: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
    library, name = library_of(estimator), type(estimator).__name__
    key = f"{library}.{name}"
    if key in CONVERTERS:
        return CONVERTERS[key]
    if library in others:
        return others[library]
    remedy = {
        "lightgbm": "pip install lockgate-treelite",
        "xgboost": "pip install lockgate-treelite",
    }.get(library, "see docs/packing.md for what is, and how a plugin adds more")
    raise NotCovered(f"{key} has no packed form; {remedy}")
