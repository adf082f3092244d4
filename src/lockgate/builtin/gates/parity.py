"""Gate `parity`: the model gives the answers that its probes record."""

from __future__ import annotations

import lockgate

__all__ = ["Parity"]


@lockgate.plugin
class Parity:
    """Refuse a model that answers a row alone otherwise than among others.

    Online and offline would differ. Labels and scores must be equal to the last
    bit; the rows are those given, or those that lie in the bundle.
    """

    rows: int = lockgate.setting(500, at_least=1, help="of the rows given, the first so many")

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Ask each row alone."""
        import numpy as np

        from lockgate.builtin.gates.rows import plain_rows

        candidate = request.candidate
        predict_one = getattr(candidate.predictor, "predict_one", None)
        if candidate.table is None:
            return lockgate.GateResult(True, "its probe rows were answered as when it was made")
        if predict_one is None:
            return lockgate.GateResult(None, "its format answers no single row")
        features = candidate.table.features.iloc[: self.rows].reset_index(drop=True)
        batch_output = candidate.predictor.predict(features)
        for index, row in enumerate(plain_rows(features)):
            row_output = predict_one(row)
            same = row_output.label == batch_output.label[index]
            if batch_output.score is not None:
                same = same and np.array_equal(row_output.score, batch_output.score[index])
            if not same:
                return lockgate.GateResult(
                    False,
                    f"row {index} alone is answered {row_output.label!r} ({row_output.score}), among others "
                    f"{batch_output.label[index]!r}",
                )
        return lockgate.GateResult(True, f"{len(features)} rows alone are answered as among others")
