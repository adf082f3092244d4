"""Gate `size`: the bytes of the model file."""

from __future__ import annotations

import lockgate

__all__ = ["Size"]


@lockgate.plugin
class Size:
    """Refuse a model whose files are too large, by themselves or beside the incumbent's."""

    at_most_kb: float = lockgate.setting(100_000.0, above=0, help="1 kB is 1,024 bytes")
    max_ratio: float = lockgate.setting(
        0.0, at_least=0, help="of the incumbent's size; 0: no matter"
    )

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Compare bytes."""
        size = request.candidate.model_bytes / 1024
        metrics = {"model_kb": size}
        sentence = f"the model has {size:,.1f} kB; allowed: {self.at_most_kb:,.0f}"
        passed = size <= self.at_most_kb
        if request.incumbent is not None and self.max_ratio:
            incumbent_size = request.incumbent.model_bytes / 1024
            passed = passed and size <= self.max_ratio * incumbent_size
            sentence += f", and {self.max_ratio:g} times the {incumbent_size:,.1f} of {request.incumbent.version}"
        return lockgate.GateResult(passed, sentence, metrics)
