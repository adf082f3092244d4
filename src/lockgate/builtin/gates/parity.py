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

        one = request.candidate
        single = getattr(one.predictor, "predict_one", None)
        if one.table is None:
            return lockgate.GateResult(True, "its probe rows were answered as when it was made")
        if single is None:
            return lockgate.GateResult(None, "its format answers no single row")
        features = one.table.features.iloc[: self.rows].reset_index(drop=True)
        together = one.predictor.predict(features)
        for k, row in enumerate(plain_rows(features)):
            answer = single(row)
            same = answer.label == together.label[k]
            if together.score is not None:
                same = same and np.array_equal(answer.score, together.score[k])
            if not same:
                return lockgate.GateResult(
                    False,
                    f"row {k} alone is answered {answer.label!r} ({answer.score}), among others "
                    f"{together.label[k]!r}",
                )
        return lockgate.GateResult(True, f"{len(features)} rows alone are answered as among others")
