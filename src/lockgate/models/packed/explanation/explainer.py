"""Explains predictions of a packed model: a value for each input, exact and additive."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lockgate.contract.explanation import Against
from lockgate.errors import NotApplicable
from lockgate.models.packed.explanation.additive_terms import (
    Interaction,
    Trees,
    find_explained,
    split_terms,
)
from lockgate.models.packed.explanation.block_contributions import (
    add_block,
    compared_with,
    row_adder,
)
from lockgate.models.packed.explanation.cell_tables import CellTables
from lockgate.models.packed.explanation.coalitions import (
    MAX_PLAYERS,
    mix_cells,
    shapley_values,
)
from lockgate.models.packed.explanation.players import split_mask
from lockgate.models.packed.explanation.tree_explainer import (
    TreeExplainer,
    find_forest_parts,
    read_covers,
)
from lockgate.models.packed.format.arithmetic import ordered_sum
from lockgate.models.packed.format.array_types import Cells
from lockgate.models.packed.format.linear import TermCounts
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.models.packed.runtime.one_hot_masks import ForestPart
from lockgate.models.packed.runtime.program import Program

__all__ = ["Explainer"]

FAST_NUMBERS = 4096
"""Most weights of a model that is fast to explain without trees."""

MIXED_ROWS = 1 << 13
"""Rows in which inputs come from a row or from the reference, computed together."""


class Explainer:
    """Explains a packed model's predictions.

    The values of a row add up to what is explained, less the base value.

    Parameters
    ----------
    model : PackedModel
        The model.
    reference : sequence of array or list
        Cells of the reference row, as `read_columns` returns them for one row.
    against : {"reference", "training"}
        What predictions are compared with. Only sums of trees know their training rows.

    Attributes
    ----------
    names : tuple of str
        Inputs, in the order of the values.
    explained : str
        What the values add up to: margin, score or value, or what stands before a link.
    base : ndarray of float, shape (outputs,)
        Value of the reference, or the mean over the training rows.
    engines : list of str
        How each sum of trees is explained.
    evaluations : int
        Mixed rows that are computed for each row: of columns that act together.
    is_fast : bool
        Whether a row is explained in a fraction of a millisecond.

    Raises
    ------
    NotApplicable
        If more inputs interact than can be told apart, or nothing is known of training rows.

    """

    def __init__(
        self, model: PackedModel, reference: Sequence[Cells], against: Against = "reference"
    ) -> None:
        self.model, self.reference, self.against = model, list(reference), against
        self.names = tuple(column.name for column in model.inputs)
        header, arrays, shapes = model.header, model.arrays, model.shapes
        index, self.explained = find_explained(header, shapes)
        terms = split_terms(header, arrays, shapes, index)
        self.outputs = terms.outputs
        self._blocks, self._interactions = terms.blocks, terms.interactions
        self._check(terms.trees)
        with np.errstate(all="ignore"):
            forests = [find_forest_parts(model, part) for part in terms.trees]
            needed = [block.operation for block in self._blocks]
            needed += [part.operand for parts in forests for part in parts]
            self._program = model.compile_operations(needed)
            self._read = self._program.row()
            row = _cells_of_row(self.reference)
            at_reference = self._read(row)
            self._deltas = [
                compared_with(block, reference)
                for block, reference in zip(self._blocks, at_reference, strict=False)
            ]
            self._trees = self._explain_forests(terms.trees, forests, at_reference)
            base = model.compile_operations([index]).row()(row)[0]
        self.base = np.asarray(base, dtype=float) + sum(
            explainer.base_change for explainer in self._trees
        )
        self.engines = [explainer.engine.name for explainer in self._trees]
        self._programs = [
            model.compile_operations(list(interaction.weights))
            for interaction in self._interactions
        ]
        self.evaluations = sum(
            1 << interaction.players.bit_count() for interaction in self._interactions
        )
        numbers = sum(block.weights.size for block in self._blocks)
        self.is_fast = (
            self._explains_rows
            and numbers <= FAST_NUMBERS
            and all(isinstance(explainer.engine, CellTables) for explainer in self._trees)
        )

    def _explain_forests(
        self, trees: Sequence[Trees], forests: Sequence[list[ForestPart]], at_reference: list[Any]
    ) -> list[TreeExplainer]:
        """Make what explains each sum of trees, read from its blocks among the results."""
        explainers, start = [], len(self._blocks)
        for part, parts in zip(trees, forests, strict=True):
            span = slice(start, start + len(parts))
            explainers.append(
                TreeExplainer(self.model, part, parts, at_reference[span], self.against, span)
            )
            start = span.stop
        return explainers

    def _check(self, trees: Sequence[Trees]) -> None:
        classes = len(self.model.classes)
        if classes > 2 and self.outputs != classes:
            raise NotApplicable(
                f"this model has {self.outputs} margins of pairs of its {classes} classes, and no "
                "number of each class that could be explained"
            )
        for interaction in self._interactions:
            players = split_mask(interaction.players)
            if len(players) > MAX_PLAYERS:
                names = ", ".join(self.names[k] for k in players[:3])
                raise NotApplicable(
                    f"{len(players)} inputs ({names}, ...) act together in this model, as behind a "
                    f"kernel, a network, votes or a calibration of several models, and "
                    f"{MAX_PLAYERS} are the most that can be told apart exactly; sums of trees, "
                    "and linear models, are explained with any number of inputs"
                )
        if self.against == "training":
            if self._blocks or self._interactions:
                raise NotApplicable(
                    "only sums of trees know how many training rows took which way; "
                    "explain this model against its reference (against=reference)"
                )
            for part in trees:
                if read_covers(self.model, part) is None:
                    raise NotApplicable(
                        "its trees do not say how many training rows took which way; "
                        "pack the model again, or explain it against its reference"
                    )

    def columns(self, cells: Sequence[Cells], rows: int) -> np.ndarray:
        """Explain rows.

        Parameters
        ----------
        cells : sequence
            As `read_columns` returns them.
        rows : int
            Number of rows.

        Returns
        -------
        ndarray of float, shape (rows, inputs, outputs)

        """
        if rows == 1 and self._explains_rows:
            with np.errstate(all="ignore"):
                values = self._explain_row(_cells_of_row(cells))
            return np.array(values).reshape(1, -1, 1)
        step = self._program.chunk
        parts = [
            self._chunk([column[low : low + step] for column in cells], min(step, rows - low))
            for low in range(0, rows, step)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.names), self.outputs))

    def _chunk(self, cells: Sequence[Cells], rows: int) -> np.ndarray:
        total = np.zeros((len(self.names), self.outputs, rows))
        with np.errstate(all="ignore"):
            *results, _ = self._program.columns(cells, rows)
            for block, delta, result in zip(self._blocks, self._deltas, results, strict=False):
                add_block(total, block, delta, result)
            values = np.ascontiguousarray(total.transpose(2, 0, 1))
            for trees in self._trees:
                values += trees.columns(results[trees.span], rows).reshape(values.shape)
            for interaction, program in zip(self._interactions, self._programs, strict=True):
                self._add_interaction(values, interaction, program, cells, rows)
        return values

    @functools.cached_property
    def _explain_row(self) -> Callable[[list[Any]], list[float]]:
        """The function from one row's cells to its values, those of `columns` to the bit."""
        zeros = [0.0] * len(self.names)
        plan = [
            row_adder(number, block, delta)
            for number, (block, delta) in enumerate(zip(self._blocks, self._deltas, strict=True))
        ]
        trees = [(explainer.row(), explainer.span) for explainer in self._trees]
        read = self._read

        def explain_row(cells: list[Any]) -> list[float]:
            results = read(cells)
            values = zeros.copy()
            for add in plan:
                add(values, results)
            for explain, span in trees:
                values = [a + b for a, b in zip(values, explain(*results[span]), strict=True)]
            return values

        return explain_row

    @property
    def _explains_rows(self) -> bool:
        """Whether a single row is explained without arrays of columns."""
        return self.outputs == 1 and not self._interactions

    def _add_interaction(
        self,
        values: np.ndarray,
        interaction: Interaction,
        program: Program,
        cells: Sequence[Cells],
        rows: int,
    ) -> None:
        """Add what inputs contribute that act together, by all coalitions of them."""
        players = split_mask(interaction.players)
        coalitions = 1 << len(players)
        step = max(1, MIXED_ROWS // coalitions)
        for low in range(0, rows, step):
            count = min(step, rows - low)
            mixed = mix_cells(cells, self.reference, players, slice(low, low + count))
            *results, _ = program.columns(mixed, count * coalitions)
            worth = sum(
                _weighted(result, weights)
                for result, weights in zip(results, interaction.weights.values(), strict=True)
            )
            worth = np.reshape(worth, (self.outputs, count, coalitions))
            shares = shapley_values(worth.transpose(2, 1, 0))
            values[low : low + count, list(players)] += shares.transpose(1, 0, 2)


def _cells_of_row(cells: Sequence[Cells]) -> list[Any]:
    """Return the cells of the only row."""
    return [column.item() if isinstance(column, np.ndarray) else column[0] for column in cells]


def _weighted(result: Any, weights: np.ndarray) -> np.ndarray:
    """Return weighted sums, shape (outputs, n), of the columns that count."""
    if isinstance(result, TermCounts):
        return result.weighted(weights)
    used = weights.any(axis=0)
    return np.stack([ordered_sum(row[used, None] * result[used], np) for row in weights])
