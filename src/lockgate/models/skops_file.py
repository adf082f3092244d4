"""Model files written with skops: a fixed list of types, size limits, and checked trees.

Reading never runs code from the file: skops builds only types that are on the
list, and what a crafted file could make scikit-learn do (read outside of a tree,
expand without end) is rejected here.
"""

from __future__ import annotations

import contextlib
import functools
import io
import re
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.errors import BrokenPlugin, BundleError
from lockgate.plugins.host.catalogue import Catalogue

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["own_types", "read_estimator", "trusted_types", "write_estimator"]

LIBRARY_TYPES = (
    "collections.OrderedDict",
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
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.model_selection._split.KFold",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
)
"""Types of libraries, beyond skops' own list of estimators, that a model may contain."""

LARGEST = 1 << 30
"""Largest size of a model file when uncompressed, in bytes."""


def own_types() -> tuple[type, ...]:
    """Return lockgate's classes that a model may contain."""
    # imported here: their modules import scikit-learn and pandas
    from lockgate.data.text_terms import CondensedTerms, HashedTerms, TextTerms
    from lockgate.data.transformers import Bins, Clip, Combined, DateParts, EmptyToZero, Frequencies
    from lockgate.modeling.solvers.regressor import LeastSquares
    from lockgate.modeling.training.anomaly_detector import AnomalyDetector
    from lockgate.modeling.training.fusion import Member, VoteShares
    from lockgate.modeling.training.mixture_clusters import MixtureClusters

    of_texts = (CondensedTerms, HashedTerms, TextTerms)
    of_models = (AnomalyDetector, LeastSquares, Member, MixtureClusters, VoteShares)
    of_cells = (Bins, Clip, Combined, DateParts, EmptyToZero, Frequencies)
    return (*of_cells, *of_models, *of_texts)


@functools.cache
def trusted_types() -> frozenset[str]:
    """Return the full names of all types that a file may contain beyond skops' own list."""
    local_names = (f"{cls.__module__}.{cls.__qualname__}" for cls in own_types())
    return frozenset(LIBRARY_TYPES).union(local_names)


def _types_of_converters(names: Collection[str]) -> set[str]:
    """Return the types of other libraries' models that their installed converters vouch for."""
    catalogue = Catalogue.installed()
    libraries = {name.partition(".")[0] for name in names} & set(catalogue.names("converter"))
    types: set[str] = set()
    for library in libraries:
        with contextlib.suppress(BrokenPlugin):  # its types are not trusted then
            types |= set(getattr(catalogue.find("converter", library).load(), "model_types", ()))
    return types


def write_estimator(path: Path, estimator: BaseEstimator, *, between_stages: bool = False) -> None:
    """Write a fitted estimator.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    estimator : fitted estimator
        The model.
    between_stages : bool
        Whether only this project reads it: then it may contain types of installed converters,
        whose libraries read their own state, and check it less than is checked here.

    Raises
    ------
    BundleError
        If it contains types that reading would reject; the message names them.

    """
    from skops import io as skops_io

    raw = _canonical(skops_io.dumps(estimator))
    untrusted = _untrusted_types(raw, between_stages=between_stages)
    if untrusted:
        raise BundleError(
            f"the model contains types that a model file must not contain: {', '.join(untrusted)}; "
            "what it may contain: docs/writing-a-plugin.md"
        )
    path.write_bytes(raw)


def read_estimator(path: Path, *, between_stages: bool = False) -> Any:
    """Read a fitted estimator without running code from the file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    between_stages : bool
        Whether an earlier stage of this project wrote it; see `write_estimator`.

    Raises
    ------
    BundleError
        If the file is damaged, too large, or contains types that are not on the list.

    """
    from skops import io as skops_io

    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > LARGEST:
            raise BundleError(f"{path} expands to {size} bytes; at most {LARGEST} are read")
        raw = path.read_bytes()
        untrusted = _untrusted_types(raw, between_stages=between_stages)
        if untrusted:
            raise BundleError(
                f"{path} contains types that a model file must not contain: {', '.join(untrusted)}"
            )
        estimator = skops_io.loads(raw, trusted=skops_io.get_untrusted_types(data=raw))
    except BundleError:
        raise
    except Exception as error:
        message = " ".join(str(error).split())
        if isinstance(error, (AttributeError, ImportError)):
            raise BundleError(
                f"{path} was written with other versions of its libraries: {message}"
            ) from None
        raise BundleError(f"{path} is damaged: {message}") from None
    for tree in _trees(estimator, set(), 0):
        _check_tree(path, tree)
    return estimator


def _canonical(raw: bytes) -> bytes:
    """Replace memory addresses by numbers and remove dates: equal models give equal bytes."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(raw)) as archive,
        zipfile.ZipFile(buffer, "w") as output_archive,
    ):
        schema = archive.read("schema.json").decode()
        numbering: dict[str, str] = {}
        numbers = re.compile(r'("__id__": |"file": ")([0-9a-f-]+)')  # bytes are named by UUIDs
        schema = numbers.sub(
            lambda m: m[1] + numbering.setdefault(m[2], str(len(numbering) + 1)), schema
        )
        names = {
            name: name.replace(stem := name.partition(".")[0], numbering.get(stem, stem))
            for name in archive.namelist()
        }
        for name, new in sorted(names.items(), key=lambda pair: (len(pair[1]), pair[1])):
            content = schema.encode() if name == "schema.json" else archive.read(name)
            output_archive.writestr(zipfile.ZipInfo(new), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _untrusted_types(raw: bytes, *, between_stages: bool) -> list[str]:
    from skops import io as skops_io

    untrusted = set(skops_io.get_untrusted_types(data=raw)) - trusted_types()
    if untrusted and between_stages:
        untrusted -= _types_of_converters(untrusted)
    return sorted(untrusted)


@dataclass(frozen=True)
class _Tree:
    """The arrays of a tree that decide which memory is read when it predicts."""

    left: Any
    right: Any
    feature: Any
    is_leaf: Any
    features: int
    bitset: Any = None
    bitsets: int = 0


def _trees(part: Any, seen: set[int], features: int) -> list[_Tree]:
    """Collect every tree inside an object, with the number of features that it may compare."""
    if id(part) in seen:
        return []
    seen.add(id(part))
    features = int(getattr(part, "n_features_in_", features))
    name = type(part).__name__
    if name == "TreePredictor":
        nodes = part.nodes
        known = min(len(part.binned_left_cat_bitsets), len(part.raw_left_cat_bitsets))
        categorical = np.where(
            nodes["is_categorical"] > 0, nodes["bitset_idx"].astype(np.int64), -1
        )
        leaf = nodes["is_leaf"].astype(bool)
        return [
            _Tree(
                nodes["left"],
                nodes["right"],
                nodes["feature_idx"],
                leaf,
                features,
                categorical,
                known,
            )
        ]
    if name == "Tree":
        left = part.children_left
        return [_Tree(left, part.children_right, part.feature, left == -1, part.n_features)]
    if isinstance(part, dict):
        inner: list[Any] = list(part.values())
    elif isinstance(part, (list, tuple)) or (isinstance(part, np.ndarray) and part.dtype == object):
        inner = list(part)
    else:
        inner = list(getattr(part, "__dict__", {}).values())
    return [tree for child in inner for tree in _trees(child, seen, features)]


def _check_tree(path: Path, tree: _Tree) -> None:
    """Reject a tree that would read outside of its arrays or of a row, or never end.

    Children follow their parent and exist; so do features and sets of categories.
    """
    count = len(tree.is_leaf)
    inner = np.flatnonzero(~tree.is_leaf)
    children = np.stack([tree.left[inner], tree.right[inner]]).astype(np.int64)
    feature = tree.feature[inner].astype(np.int64)
    bad_children = count == 0 or (children <= inner).any() or (children >= count).any()
    bad_features = (feature < 0).any() or (feature >= tree.features).any()
    if tree.bitset is not None:
        bad_features |= bool((tree.bitset[inner] >= tree.bitsets).any())
    if bad_children or bad_features:
        raise BundleError(f"{path} contains a tree with invalid branches; do not use the file")
