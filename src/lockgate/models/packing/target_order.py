"""Checks that several targets are passed in the order in which a model was fitted on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lockgate.contract.tables import Table
from lockgate.data.columns.rejections import RejectedRows
from lockgate.errors import DataError

if TYPE_CHECKING:
    from lockgate.models.bundle.open_format import Model

__all__ = ["check_target_order"]

WELL = 0.5
"""R² from which values are taken for predictions of a target, where another order was passed."""


def check_target_order(model: Model, table: Table) -> None:
    """Refuse targets whose values the model predicts in another order, on rows of training.

    scikit-learn's models do not know the names of their targets. Refused is an order in which a
    value explains less of its target than the target's mean does (R² below 0), where in another
    order all values that change their place explain most of theirs.

    Raises
    ------
    DataError
        With the order in which the values fit.

    """
    from scipy.optimize import linear_sum_assignment

    rejected = RejectedRows()
    predicted = model.predict(table.frame, rejected=rejected).label
    keep = np.ones(len(table), bool)
    keep[list(rejected.reasons)] = False
    truth, predicted = table.target[keep], predicted[keep]
    spread = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    errors = np.stack([((truth - part[:, None]) ** 2).sum(axis=0) for part in predicted.T])
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = 1 - errors / spread  # of each target (columns) by each value (rows)
    explained = np.nan_to_num(explained, nan=0.0, posinf=0.0, neginf=-1e9)
    order = linear_sum_assignment(explained, maximize=True)[1]
    moved = np.flatnonzero(order != np.arange(len(order)))
    if not len(moved) or explained[moved, moved].min() >= 0:
        return
    if explained[moved, order[moved]].min() < WELL:
        return
    names = table.schema.targets
    raise DataError(
        f"the model predicts {', '.join(names[k] for k in order)}, in that order, as far as the "
        f"rows show, and the targets were passed as {', '.join(names)}: pass them in the order in "
        "which it was fitted on them"
    )
