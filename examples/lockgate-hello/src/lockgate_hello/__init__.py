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
        """Round a copy; the host measures the change in loss."""
        fitted = copy.deepcopy(request.candidate.estimator)
        if not hasattr(fitted[-1], "coef_"):
            raise lockgate.NotApplicable("the model has no coefficients")
        fitted[-1].coef_ = fitted[-1].coef_.round(self.digits)
        return replace(request.candidate, estimator=fitted)


@lockgate.plugin
class Positives:
    """Share of rows predicted as the second of two classes."""

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Compute the share."""
        if request.task != "binary":
            raise lockgate.DataError(f"evaluator positives needs a binary task, got {request.task}")
        share = (request.output.label == request.classes[1]).mean()
        return lockgate.Report({"share": lockgate.Metric(float(share))})
