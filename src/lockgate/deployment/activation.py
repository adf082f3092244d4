"""Waits until a running server serves what a deployment directory says, or refuses it."""

from __future__ import annotations

import time

from lockgate.deployment.directory import Deployment
from lockgate.deployment.pointer import Pointer
from lockgate.errors import BundleError, DeploymentError, LockgateError, ServingError

__all__ = ["wait_until_served"]

TIMEOUT_SECONDS = 150.0


def wait_until_served(deployment: Deployment, pointer: Pointer) -> str:
    """Wait for the server, if one runs; take the event back if it refuses.

    Returns
    -------
    str
        A note for the user, empty where the server serves what was asked for.

    Raises
    ------
    BundleError
        If the server refuses, with its reason.

    """
    from lockgate.deployment.control.client import ask

    deadline = time.monotonic() + TIMEOUT_SECONDS
    try:
        ask(deployment.path, "reload")
        while time.monotonic() < deadline:
            outcome = ask(deployment.path, "outcome", seq=pointer.seq)["outcome"]
            if outcome == "":
                return ""
            if outcome is not None:
                _revert_pointer(deployment, pointer, outcome)
                raise BundleError(f"the server refuses it, and the pointer went back: {outcome}")
            time.sleep(0.02)
    except ServingError as error:
        return f"{error}; it is served when one starts"
    raise DeploymentError(f"the server did not follow within {TIMEOUT_SECONDS:g} s; see its log")


def _revert_pointer(deployment: Deployment, pointer: Pointer, reason: str) -> None:
    event = pointer.event
    if event is None or event.after is None:
        return
    try:
        _record_refusal(deployment, pointer, reason)
    except LockgateError as error:
        raise BundleError(
            f"the server refuses it ({reason}), and the pointer cannot go back: {error}"
        ) from None


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
