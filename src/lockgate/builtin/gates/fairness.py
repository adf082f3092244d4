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

        one = request.candidate
        if one.task != "binary":
            raise lockgate.NotApplicable(
                f"rates of groups need two classes, and this is {one.task}"
            )
        if (
            one.not_measured_because
            or request.rows is None
            or one.table is None
            or one.output is None
        ):
            return lockgate.GateResult(
                False, f"cannot be measured: {one.not_measured_because or 'no rows'}"
            )
        if self.column not in request.rows:
            known = ", ".join(map(str, request.rows.columns[:20]))
            raise lockgate.UsageError(
                f"gate fairness: no column {self.column!r}; rows have {known}"
            )
        said = np.asarray(one.output.label == one.classes[1])
        truth = np.asarray(one.table.target == one.classes[1])
        counted = {"selection": said | ~said, "true_positive": truth, "false_positive": ~truth}
        groups = np.asarray(request.rows[self.column].astype(str))
        rates = {}
        for name in sorted(set(groups.tolist())):
            these = (groups == name) & counted[self.rate]
            if these.sum() >= self.min_rows:
                rates[str(name)] = float(said[these].mean())
        if len(rates) < 2:
            return lockgate.GateResult(
                False, f"fewer than two groups of {self.column} have {self.min_rows} rows to count"
            )
        gap = max(rates.values()) - min(rates.values())
        most, least = max(rates, key=rates.__getitem__), min(rates, key=rates.__getitem__)
        return lockgate.GateResult(
            gap <= self.at_most,
            f"{self.rate.replace('_', ' ')} rate {rates[most]:.1%} for {self.column} {most}, "
            f"{rates[least]:.1%} for {least}; a gap of {self.at_most:.1%} is allowed",
            {"gap": gap},
        )
