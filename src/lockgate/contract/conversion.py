"""Values of converters and engines, and what of the packed format they may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from lockgate.contract.prediction import check_tolerance
from lockgate.contract.requests import Request

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

    from lockgate.errors import NotCovered

__all__ = [
    "CodedColumn",
    "ConversionTrace",
    "ConvertRequest",
    "ConvertedModel",
    "Engine",
    "OperationWriter",
    "PreparedForest",
]


class PreparedForest(Protocol):
    """A forest of a packed model, its arrays decoded, that runs on NumPy."""

    @property
    def forest(self) -> Any:
        """The operation ``forest``, with the fields of docs/packed-format.md."""

    @property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Arrays of the model file by name."""

    @property
    def used(self) -> np.ndarray:
        """Indices of the columns that the trees split on."""

    @property
    def codes(self) -> np.ndarray:
        """Number of categories by column; 0 for a column of numbers."""

    @property
    def edges(self) -> Mapping[int, np.ndarray]:
        """Rising thresholds of each column of numbers, by its index."""

    @property
    def engine(self) -> Any:
        """The layout of the nodes: mask tables, or packed nodes to walk."""

    def run(self, x: np.ndarray, /) -> np.ndarray:
        """Return the sums, shape (outputs, n), for columns of shape (width, n)."""


@dataclass(frozen=True)
class Engine:
    """Another implementation of packed forests.

    Attributes
    ----------
    name : str
        Name of the engine.
    prepare : callable
        ``prepare(forest) -> run``: from a `PreparedForest` to a function from columns
        of shape (width, n), doubles with NaN for missing values, to sums of shape
        (outputs, n), doubles. `run` is called from several threads.
    tolerance : float
        Largest difference from NumPy's results, relative to max(1, value). The host compares
        1,000 rows of each table, and rows at the thresholds of each forest; labels
        must be equal. An engine that differs more is refused. The largest difference and
        this bound are shown after each prediction of a file.

    """

    name: str
    prepare: Callable[[PreparedForest], Callable[[np.ndarray], np.ndarray]]
    tolerance: float = 1e-12

    def __post_init__(self) -> None:
        """Reject a tolerance that would hide errors."""
        check_tolerance(self.tolerance)


@dataclass(frozen=True)
class ConvertedModel:
    """A classifier or regressor in packed form, as the indices of its operations.

    Attributes
    ----------
    label : int
        Operation of width 1: the index of the predicted class, or the predicted value.
    classes : tuple
        Labels; empty where numbers are predicted.
    score : int or None
        Probabilities, of the second of two classes alone, or of all.
    margin : int or None
        The value before it becomes a probability.
    pair : int or None
        Probabilities of both of two classes, where they are computed separately.

    """

    label: int
    classes: tuple[Any, ...] = ()
    score: int | None = None
    margin: int | None = None
    pair: int | None = None


class OperationWriter(Protocol):
    """Adds operations and arrays to a packed model."""

    def add(self, kind: Any, /, *of: int, **fields: Any) -> int:
        """Add an operation and return its index.

        `kind` is its name in ``docs/packed-format.md``, e.g. ``linear``, and `fields` are those
        that are described there. `of` are the indices of the operations whose values it
        takes. Equal operations are added once.

        Raises
        ------
        PackedFormatError
            If the operation is unknown, or a field does not fit.

        """

    def array(self, values: ArrayLike, /) -> str:
        """Add an array of doubles and return its name."""

    def width(self, index: int, /) -> int:
        """Return how many numbers an operation computes per row."""


class CodedColumn(Protocol):
    """A column of category codes."""

    @property
    def op(self) -> int:
        """Index of the operation that computes the codes."""

    @property
    def values(self) -> tuple[Any, ...]:
        """The value of each code; the last two stand for missing and unknown."""

    @property
    def source(self) -> int:
        """Index of the model input that it is read from."""


class ConversionTrace(Protocol):
    """The packed model under construction, as a converter may use it."""

    @property
    def builder(self) -> OperationWriter:
        """Adds operations and arrays."""

    def numbers(self, columns: Sequence[Any], /) -> int:
        """Return the index of an operation that yields these columns as numbers, in order."""

    def holds_categories(self, column: Any, /) -> bool:
        """Return whether a column holds categories rather than numbers."""

    def coded(self, column: Any, categories: Sequence[Any], /) -> CodedColumn:
        """Return a column as codes of these categories."""

    def table(self, column: Any, rows: Sequence[Sequence[float]], /) -> int:
        """Return the index of an operation that looks up a row of numbers by code."""

    def attribute(self, estimator: Any, /, *names: str) -> Any:
        """Return the first of these attributes that exists, or reject the model."""

    def require(self, condition: object, message: str, /) -> None:
        """Reject the model with that message unless the condition is true."""

    def refuse(self, message: str, /) -> NotCovered:
        """Return the error to raise for a model, or an option, without a packed form."""

    def allow_tolerance(self, tolerance: float, /) -> None:
        """Accept predictions that differ by that much, e.g. where a library adds in 32 bits."""


@dataclass(frozen=True, kw_only=True)
class ConvertRequest(Request):
    """A fitted model of another library, to be converted to the packed format.

    Attributes
    ----------
    estimator : object
        The model; it is never changed.
    trace : ConversionTrace
        Adds operations and arrays, and rejects what has no packed form.
    columns : tuple
        The columns that reach the model, in order; ``trace.numbers(columns)`` returns an
        operation that yields them.

    """

    estimator: Any
    trace: ConversionTrace
    columns: tuple[Any, ...]
