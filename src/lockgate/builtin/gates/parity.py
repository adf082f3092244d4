"""Gate `parity`: single-row and batch predictions are identical."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lockgate
from lockgate.models.bundle.single_rows import plain_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Parity"]


@lockgate.plugin
class Parity:
    """Refuse a model whose single-row predictions differ from its batch predictions.

    Serving and offline scoring would differ. Labels and scores must be equal to
    the last bit on the evaluation rows; without rows, the check of the probe rows
    when the bundle was opened counts.
    """

    rows: int = lockgate.setting(
        500, at_least=1, help="number of evaluation rows to compare, from the first"
    )

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Predict each row alone and in the batch."""
        import numpy as np

        candidate = request.candidate
        predict_one = getattr(candidate.predictor, "predict_one", None)
        if candidate.table is None and request.rows is not None:
            return lockgate.GateResult(False, f"not measured: {candidate.not_measured_because}")
        if candidate.table is None:
            return lockgate.GateResult(
                True, "predictions for its probe rows match the recorded ones"
            )
        if predict_one is None:
            return lockgate.GateResult(None, "its format cannot predict a single row")
        features = candidate.table.features.iloc[: self.rows].reset_index(drop=True)
        batch = candidate.predictor.predict(features)
        for index, row in enumerate(plain_rows(features)):
            single = predict_one(row)
            batch_score = None if batch.score is None else batch.score[index]
            same = np.array_equal(single.label, batch.label[index])
            if batch_score is not None:
                same = same and np.array_equal(single.score, batch_score)
            if not same:
                return lockgate.GateResult(
                    False,
                    f"row {index} is predicted {_format(single.label, single.score)} alone, "
                    f"{_format(batch.label[index], batch_score)} in the batch",
                )
        return lockgate.GateResult(
            True, f"single-row and batch predictions are identical on {len(features)} rows"
        )


def _format(label: object, score: ArrayLike | None) -> str:
    """Format a prediction; scores that differ in the last bit must look different."""
    return f"{label}" if score is None else f"{label} (score {score})"
