"""A forest compiled for one backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lockgate.contract.requests import Backend
from lockgate.models.packed.format.array_types import Array
from lockgate.models.packed.format.forest import Forest
from lockgate.models.packed.runtime.forest_codes import ForestCodes
from lockgate.models.packed.runtime.mask_tables import MaskTables
from lockgate.models.packed.runtime.one_hot_masks import ForestPart
from lockgate.models.packed.runtime.tree_arrays import UnpackedForest
from lockgate.models.packed.runtime.tree_walk import TreeWalk

__all__ = ["MAX_TABLE_BYTES", "CompiledForest"]


MAX_TABLE_BYTES = 1 << 26
"""Largest mask tables, in bytes; larger ones leave the cache and are slower than walking."""


class CompiledForest:
    """A forest compiled for one backend.

    Parameters
    ----------
    forest : Forest
        Checked.
    arrays : mapping of str to ndarray
        Arrays of the file, in host memory.
    backend : Backend
        Where the forest runs.
    max_bytes : int
        Largest size of mask tables.
    parts : sequence of ForestPart
        The blocks of which its columns consist. Mask tables take these, codes for one-hot
        columns, instead of all columns; see `takes_parts`.

    """

    def __init__(
        self,
        forest: Forest,
        arrays: Mapping[str, np.ndarray],
        backend: Backend,
        max_bytes: int = MAX_TABLE_BYTES,
        parts: Sequence[ForestPart] = (),
    ) -> None:
        self.forest, self.arrays, self.backend = forest, arrays, backend
        self.xp = backend.xp
        unpacked = UnpackedForest.unpack(forest, arrays)
        self.codes, self.edges = unpacked.codes, unpacked.edges
        self.used = np.flatnonzero(unpacked.counts > 0)
        self._parts: tuple[ForestPart, ...] = ()
        tables = None
        # a forest that splits categories by sets reads their codes from its columns
        if any(part.code_columns is not None for part in parts) and not unpacked.codes.any():
            tables = MaskTables.of(unpacked, backend, max_bytes, parts)
        if tables is not None:
            self._parts = tuple(parts)
        else:
            tables = MaskTables.of(unpacked, backend, max_bytes)
        self.encoder = ForestCodes(unpacked, backend, self._parts)
        self.engine: MaskTables | TreeWalk = tables or TreeWalk(unpacked, backend)

    @property
    def name(self) -> str:
        """Name of the chosen way to evaluate the trees."""
        return self.engine.name

    @property
    def takes_parts(self) -> bool:
        """Whether it takes its parts, not one block of all columns."""
        return bool(self._parts)

    def run(self, *parts: Array) -> Array:
        """Return the sums for columns of shape (width, n), as shape (outputs, n)."""
        xp, block = self.xp, self.engine.block
        rows = parts[0].shape[-1]
        if self.backend.name != "numpy":
            return self.engine.sums(self.encoder.columns(parts), rows)
        pieces = []
        for start in range(0, max(rows, 1), block):
            chunk = [part[..., start : start + block] for part in parts]
            pieces.append(self.engine.sums(self.encoder.columns(chunk), chunk[0].shape[-1]))
        return pieces[0] if len(pieces) == 1 else xp.concat(pieces, axis=1)

    def row(self) -> Callable[..., list[float]]:
        """Make the function for one row, which takes the row of each part."""
        encode_row = self.encoder.row()
        compute_sums: Callable[[list[int]], list[float]] = self.engine.row()
        return lambda *parts: compute_sums(encode_row(*parts))
