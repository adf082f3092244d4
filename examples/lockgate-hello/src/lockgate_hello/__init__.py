"""The smallest package of lockgate plugins: a compressor and an evaluator."""

import copy
from dataclasses import replace

import lockgate


@lockgate.plugin
class Round:
    """Round coefficients to `digits` decimal places."""

    digits: int = lockgate.setting(3, at_least=0, at_most=12)

    @lockgate.hookimpl
    def compress(self, request: lockgate.CompressRequest) -> lockgate.Candidate:
        """Round a copy; the host measures what that costs."""
        fitted = copy.deepcopy(request.candidate.estimator)
        if not hasattr(fitted[-1], "coef_"):
            raise lockgate.NotApplicable("the model has no coefficients")
        fitted[-1].coef_ = fitted[-1].coef_.round(self.digits)
        return replace(request.candidate, estimator=fitted)


@lockgate.plugin
class Positives:
    """Share of rows that get the second of two labels."""

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Count them."""
        if request.task != "binary":
            raise lockgate.DataError("evaluator positives needs two classes")
        share = (request.output.label == request.classes[1]).mean()
        return lockgate.Report({"share": lockgate.Metric(float(share))})
