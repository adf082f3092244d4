"""Gate `fairness`: prediction rates of groups of rows are close to each other."""

from __future__ import annotations

from typing import ClassVar

import lockgate

__all__ = ["Fairness"]


@lockgate.plugin
class Fairness:
    """Refuse a classifier whose rates differ too much between groups.

    `selection` compares how often each group is predicted positive
    (demographic parity), `true_positive` how often its positive rows are
    (equal opportunity), `false_positive` how often its negative rows are. Hardt,
    Price and Srebro, Equality of Opportunity in Supervised Learning, 2016.
    """

    in_report: ClassVar = True
    column: str = lockgate.setting(
        help="column with the group of each row; need not be an input of the model"
    )
    rate: str = lockgate.setting(
        "true_positive",
        choices=("selection", "true_positive", "false_positive"),
        help="the rate to compare",
    )
    at_most: float = lockgate.setting(
        0.1, at_least=0, at_most=1, help="largest allowed difference between two groups"
    )
    min_rows: int = lockgate.setting(30, at_least=1, help="groups with fewer rows are left out")

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Compare the rates of all large enough groups."""
        import numpy as np

        candidate = request.candidate
        if candidate.task != "binary":
            raise lockgate.NotApplicable(
                f"group rates need a binary classifier, and the task is {candidate.task}"
            )
        if request.rows is None:
            raise lockgate.NotMeasured(candidate.not_measured_because)
        if candidate.table is None or candidate.output is None:
            return lockgate.GateResult(False, f"not measured: {candidate.not_measured_because}")
        if self.column not in request.rows:
            available = ", ".join(map(str, request.rows.columns[:20]))
            raise lockgate.UsageError(
                f"gate fairness: unknown column {self.column!r}; available: {available}"
            )
        predicted = np.asarray(candidate.output.label == candidate.classes[1])
        truth = np.asarray(candidate.table.target == candidate.classes[1])
        eligible = {
            "selection": predicted | ~predicted,  # all rows
            "true_positive": truth,
            "false_positive": ~truth,
        }
        column = request.rows[self.column]
        groups = np.asarray(column.astype(object).where(column.notna(), "(missing)").astype(str))
        rates = {}
        for name in sorted(set(groups.tolist())):
            group_rows = (groups == name) & eligible[self.rate]
            if group_rows.sum() >= self.min_rows:
                rates[str(name)] = float(predicted[group_rows].mean())
        if len(rates) < 2:
            return lockgate.GateResult(
                False,
                f"fewer than two groups of {self.column} have at least {self.min_rows} rows that "
                "count for this rate",
            )
        difference = max(rates.values()) - min(rates.values())
        highest, lowest = max(rates, key=rates.__getitem__), min(rates, key=rates.__getitem__)
        return lockgate.GateResult(
            difference <= self.at_most,
            f"{self.rate.replace('_', ' ')} rate {rates[highest]:.1%} for {self.column} {highest}, "
            f"{rates[lowest]:.1%} for {lowest}; allowed difference: {self.at_most:.1%}",
            {"gap": difference},
        )
