"""Calls gates: an error in a gate is a refusal."""

from __future__ import annotations

from lockgate.contract.gates import GateResult, JudgeRequest
from lockgate.errors import LockgateError, NotApplicable, NotMeasured
from lockgate.plugins.host.host import Host

__all__ = ["run_gate"]


def run_gate(host: Host, gate: str, request: JudgeRequest) -> GateResult:
    """Return the result of a gate.

    One that raises `NotApplicable` does not apply, which blocks nothing; any other error refuses.

    Raises
    ------
    NotMeasured
        If the gate needs what was not measured.

    """
    try:
        result: GateResult = host.call("gate", gate, request)
    except NotMeasured:
        raise
    except NotApplicable as error:
        return GateResult(None, str(error) or "not applicable")
    except LockgateError as error:
        return GateResult(False, str(error))
    return result
