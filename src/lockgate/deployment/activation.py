"""Waits until a running server serves the deployment directory's pointer, or rejects it."""

from __future__ import annotations

import time
from typing import Any

from lockgate.deployment.control.client import ask
from lockgate.deployment.directory import Deployment
from lockgate.deployment.pointer import Pointer
from lockgate.errors import (
    BundleError,
    LockgateError,
    NotServed,
    ServerNotRunning,
    ServingError,
)

__all__ = ["wait_until_served"]

TIMEOUT_SECONDS = 150.0
"""Longest time to wait for the server's decision."""

LATER_SECONDS = 5.0
"""Time for the command of a later event that was rejected to revert it."""


def wait_until_served(deployment: Deployment, pointer: Pointer) -> str:
    """Let a running server reload, and wait; revert the event if the server rejects it.

    Parameters
    ----------
    deployment : Deployment
        The directory that changed.
    pointer : Pointer
        Its pointer after the change.

    Returns
    -------
    str
        A note for the user; empty if every worker of the server now serves the change.

    Raises
    ------
    BundleError
        If the server rejects it, with its reason.
    NotServed
        If the server does not respond, does not decide in time, or another event has replaced
        this one; with what is served.

    """
    path, deadline, later_since = deployment.path, time.monotonic() + TIMEOUT_SECONDS, 0.0
    answer: dict[str, Any] = {}
    try:
        ask(path, "reload")
        while time.monotonic() < deadline:
            answer = ask(path, "outcome", seq=pointer.seq)
            outcome = answer["outcome"]
            if answer["draining"]:
                raise NotServed(
                    f"the server is stopping, and the change takes effect when a server starts; "
                    f"until then {_describe_served(answer)}"
                )
            if outcome == "":
                _check_served(answer, pointer)
                return ""
            if outcome is not None:
                reverted = _revert_pointer(deployment, pointer, outcome)
                raise BundleError(f"the server rejected it, so {reverted}: {outcome}")
            later = _find_later_rejection(deployment, answer)
            later_since = (later_since or time.monotonic()) if later else 0.0
            if later and time.monotonic() - later_since > LATER_SECONDS:
                reverted = _revert_pointer(deployment, pointer, later)
                raise NotServed(f"{later}, so {reverted}; {_describe_served(answer)}")
            time.sleep(0.02)
    except ServerNotRunning as error:
        return f"{error}; the change takes effect when a server starts"
    except ServingError as error:
        raise NotServed(
            f"{error}: the change is recorded in {path}, and what is served is unknown; see "
            "the log of the server, or restart it"
        ) from None
    raise NotServed(
        f"the change is recorded in {path}, but not every worker serves it after "
        f"{TIMEOUT_SECONDS:g} s; {_describe_served(answer)}; the server goes on trying, see its log"
    )


def _check_served(answer: dict[str, Any], pointer: Pointer) -> None:
    """Raise if what is served is not what the event has put there."""
    event = pointer.event
    assert event is not None
    served = {(s["model"], s["stage"]): (s["version"], s["digest"]) for s in answer["served"]}
    after = event.after and (event.after.version, event.after.digest)
    if served.get((event.name, event.stage)) != after:
        raise NotServed(
            f"event {event.seq} of the directory was replaced by event "
            f"{answer['seq']}; {_describe_served(answer)}"
        )


def _find_later_rejection(deployment: Deployment, answer: dict[str, Any]) -> str:
    """Return why the server stays where it is, if a later event was rejected."""
    seq = deployment.pointer().seq
    reason = answer["refused"].get(str(seq))
    if reason is None or answer["phase"] != "idle":
        return ""
    return f"event {seq} of the directory, which came later, was rejected ({reason})"


def _describe_served(answer: dict[str, Any]) -> str:
    served = [f"{s['model']}@{s['version']} in {s['stage']}" for s in answer["served"]]
    serving = [worker for worker in answer["workers"] if worker["serving"]]
    behind = [str(worker["slot"]) for worker in serving if not worker["live"]]
    silent = [str(worker["slot"]) for worker in answer["workers"] if not worker["responds"]]
    return (
        f"served: {', '.join(served) or 'nothing'}"
        + (f", not yet by worker {', '.join(behind)}" if behind else "")
        + (f"; worker {', '.join(silent)} does not respond" if silent else "")
    )


def _revert_pointer(deployment: Deployment, pointer: Pointer, reason: str) -> str:
    """Revert the event, unless another one came after it; return what was done."""
    event = pointer.event
    if event is None or event.after is None:
        return "the change stays recorded"
    try:
        current = deployment.pointer().find(event.name, event.stage)
        if current is None or current.digest != event.after.digest:
            return "it is not served, and another event has replaced it since"
        _record_refusal(deployment, pointer, reason)
    except LockgateError as error:
        raise BundleError(
            f"the server rejected it ({reason}), and the change cannot be reverted: {error}"
        ) from None
    return "the change was reverted"


def _record_refusal(deployment: Deployment, pointer: Pointer, reason: str) -> None:
    event = pointer.event
    assert event is not None
    assert event.after is not None
    if event.before is None:
        deployment.remove(event.name, event.stage, reason=reason, op="refused")
    else:
        deployment.rollback(
            event.name,
            stage=event.stage,
            to=event.before.version,
            reason=reason,
            op="refused",
            expect=event.after.digest,
        )
