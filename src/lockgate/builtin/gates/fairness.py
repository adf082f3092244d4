"""Gate `fairness`: rates of groups of rows lie close to each other."""

from __future__ import annotations

import lockgate

__all__ = ["Fairness"]


@lockgate.plugin
class Fairness:
    """Refuse a classifier that treats groups too differently.

    `selection` compares how often each group gets the positive answer
    (demographic parity), `true_positive` how often those who are positive do
    (equal opportunity), `false_positive` how often those who are not. Hardt,
    Price and Srebro, Equality of Opportunity in Supervised Learning, 2016.
    """

    column: str = lockgate.setting(help="column of the rows that says the group; no input needed")
    rate: str = lockgate.setting(
        "true_positive",
        choices=("selection", "true_positive", "false_positive"),
        help="which rate is compared",
    )
    at_most: float = lockgate.setting(0.1, at_least=0, at_most=1, help="largest gap of two groups")
    min_rows: int = lockgate.setting(30, at_least=1, help="rows below which a group does not count")

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Compare rates."""
        import numpy as np

        candidate = request.candidate
        if candidate.task != "binary":
            raise lockgate.NotApplicable(
                f"rates of groups need two classes, and this is {candidate.task}"
            )
        if (
            candidate.not_measured_because
            or request.rows is None
            or candidate.table is None
            or candidate.output is None
        ):
            return lockgate.GateResult(
                False, f"cannot be measured: {candidate.not_measured_because or 'no rows'}"
            )
        if self.column not in request.rows:
            known = ", ".join(map(str, request.rows.columns[:20]))
            raise lockgate.UsageError(
                f"gate fairness: no column {self.column!r}; rows have {known}"
            )
        predicted = np.asarray(candidate.output.label == candidate.classes[1])
        truth = np.asarray(candidate.table.target == candidate.classes[1])
        eligible = {
            "selection": predicted | ~predicted,
            "true_positive": truth,
            "false_positive": ~truth,
        }
        groups = np.asarray(request.rows[self.column].astype(str))
        rates = {}
        for name in sorted(set(groups.tolist())):
            group_rows = (groups == name) & eligible[self.rate]
            if group_rows.sum() >= self.min_rows:
                rates[str(name)] = float(predicted[group_rows].mean())
        if len(rates) < 2:
            return lockgate.GateResult(
                False, f"fewer than two groups of {self.column} have {self.min_rows} rows to count"
            )
        difference = max(rates.values()) - min(rates.values())
        highest, lowest = max(rates, key=rates.__getitem__), min(rates, key=rates.__getitem__)
        return lockgate.GateResult(
            difference <= self.at_most,
            f"{self.rate.replace('_', ' ')} rate {rates[highest]:.1%} for {self.column} {highest}, "
            f"{rates[lowest]:.1%} for {lowest}; a gap of {self.at_most:.1%} is allowed",
            {"gap": difference},
        )
