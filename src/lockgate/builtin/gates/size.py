"""Gate `size`: the bytes of the model files."""

from __future__ import annotations

import lockgate

__all__ = ["Size"]


@lockgate.plugin
class Size:
    """Refuse a model whose files are too large, in kB or relative to the incumbent."""

    at_most_kb: float = lockgate.setting(
        100_000.0, above=0, help="largest size in kB of 1,024 bytes"
    )
    max_ratio: float = lockgate.setting(
        0.0, at_least=0, help="largest multiple of the incumbent's size; 0: no limit"
    )

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Compare the sizes."""
        size = request.candidate.model_bytes / 1024
        metrics = {"model_kb": size}
        # :g, as :.0f would show a limit of 0.5 kB as 0
        message = f"the model is {size:,.1f} kB; allowed: {self.at_most_kb:,.10g} kB"
        passed = size <= self.at_most_kb
        if request.incumbent is not None and self.max_ratio:
            incumbent_size = request.incumbent.model_bytes / 1024
            passed = passed and size <= self.max_ratio * incumbent_size
            message += (
                f" and {self.max_ratio:g} times the {incumbent_size:,.1f} kB of "
                f"{request.incumbent.version}"
            )
        return lockgate.GateResult(passed, message, metrics)
