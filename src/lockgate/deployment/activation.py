"""Waits until a running server serves the deployment directory's pointer, or rejects it."""

from __future__ import annotations

import time

from lockgate.deployment.control.client import ask
from lockgate.deployment.directory import Deployment
from lockgate.deployment.pointer import Pointer
from lockgate.errors import BundleError, DeploymentError, LockgateError, ServingError

__all__ = ["wait_until_served"]

TIMEOUT_SECONDS = 150.0
"""Longest time to wait for the server's decision."""


def wait_until_served(deployment: Deployment, pointer: Pointer) -> str:
    """Tell a running server to reload, and wait; revert the event if the server rejects it.

    Parameters
    ----------
    deployment : Deployment
        The directory that changed.
    pointer : Pointer
        Its pointer after the change.

    Returns
    -------
    str
        A note for the user; empty if the server now serves the pointer.

    Raises
    ------
    BundleError
        If the server rejects it, with its reason.
    DeploymentError
        If the server does not decide in time.

    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    try:
        ask(deployment.path, "reload")
        while time.monotonic() < deadline:
            outcome = ask(deployment.path, "outcome", seq=pointer.seq)["outcome"]
            if outcome == "":
                return ""
            if outcome is not None:
                _revert_pointer(deployment, pointer, outcome)
                raise BundleError(f"the server rejected it, so the change was reverted: {outcome}")
            time.sleep(0.02)
    except ServingError as error:
        return f"{error}; the change takes effect when a server starts"
    raise DeploymentError(
        f"the server did not reload within {TIMEOUT_SECONDS:g} s; see the server log"
    )


def _revert_pointer(deployment: Deployment, pointer: Pointer, reason: str) -> None:
    event = pointer.event
    if event is None or event.after is None:
        return
    try:
        _record_refusal(deployment, pointer, reason)
    except LockgateError as error:
        raise BundleError(
            f"the server rejected it ({reason}), and the change cannot be reverted: {error}"
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
