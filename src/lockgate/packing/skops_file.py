"""Model files in skops' form: a fixed list of types, limits, and trees that hold together.

This is the form of bundle schema 0. Reading never runs code from the file:
skops builds only types that are on the list, and what a crafted file could
make scikit-learn do (read outside of a tree, expand without end) is refused here.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from lockgate.errors import BundleError

__all__ = ["TRUSTED", "read_estimator", "write_estimator"]

TRUSTED = (
    "collections.OrderedDict",
    "lockgate.baselines.least_squares.LeastSquares",
    "lockgate.tables.cells.Bins",
    "lockgate.tables.cells.Clip",
    "lockgate.tables.cells.DateParts",
    "numpy.dtype",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss._loss.CyHalfMultinomialLoss",
    "sklearn._loss._loss.CyHalfSquaredError",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
"""Types beyond skops' own list of scikit-learn estimators that a model may consist of."""

LARGEST = 1 << 30
"""Most bytes that a model file may expand to."""


def write_estimator(path: Path, estimator: Any) -> None:
    """Write a fitted estimator.

    Raises
    ------
    BundleError
        If it holds types that reading would refuse; they are named.

    """
    from skops import io

    raw = io.dumps(estimator)
    strange = _strange(raw)
    if strange:
        raise BundleError(
            f"the model holds {', '.join(strange)}, which a model file may not contain; "
            "use scikit-learn's own estimators and transformers"
        )
    path.write_bytes(raw)


def read_estimator(path: Path) -> Any:
    """Read a fitted estimator without running code from the file.

    Raises
    ------
    BundleError
        If the file is damaged, too large, or holds types that are not on the list.

    """
    from skops import io

    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > LARGEST:
            raise BundleError(f"{path} expands to {size} bytes; at most {LARGEST} are read")
        raw = path.read_bytes()
        strange = _strange(raw)
        if strange:
            raise BundleError(f"{path} holds {', '.join(strange)}, which no model file may")
        estimator = io.loads(raw, trusted=io.get_untrusted_types(data=raw))
    except BundleError:
        raise
    except Exception as error:
        raise BundleError(f"{path} is damaged: {' '.join(str(error).split())}") from None
    for tree in _trees(estimator, set()):
        _check_tree(path, tree)
    return estimator


def _strange(raw: bytes) -> list[str]:
    from skops import io

    return sorted(set(io.get_untrusted_types(data=raw)) - set(TRUSTED))


def _trees(found: Any, seen: set[int]) -> list[tuple[Any, Any, Any, int]]:
    """Collect (left, right, is_leaf, nodes) of every tree inside an object."""
    if id(found) in seen:
        return []
    seen.add(id(found))
    name = type(found).__name__
    if name == "TreePredictor":
        nodes = found.nodes
        return [(nodes["left"], nodes["right"], nodes["is_leaf"].astype(bool), len(nodes))]
    if name == "Tree":
        left = found.children_left
        return [(left, found.children_right, left == -1, found.node_count)]
    if isinstance(found, dict):
        inner: list[Any] = list(found.values())
    elif isinstance(found, (list, tuple)) or (
        isinstance(found, np.ndarray) and found.dtype == object
    ):
        inner = list(found)
    else:
        inner = list(getattr(found, "__dict__", {}).values())
    return [tree for one in inner for tree in _trees(one, seen)]


def _check_tree(path: Path, tree: tuple[Any, Any, Any, int]) -> None:
    """Refuse children that lie outside, or not after their parent: no read outside, no loop."""
    left, right, is_leaf, count = tree
    inner = np.flatnonzero(~is_leaf)
    for children in (left, right):
        child = children[inner].astype(np.int64)
        if count == 0 or (child <= inner).any() or (child >= count).any():
            raise BundleError(f"{path} holds a tree whose branches lead nowhere; do not use it")
