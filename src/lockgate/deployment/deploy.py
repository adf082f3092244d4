"""Deploys a bundle or a stage of the ledger, rolls back, and waits for the running server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.deployment.activation import wait_until_served
from lockgate.deployment.directory import Deployment
from lockgate.deployment.pointer import DeploymentEvent, Pointer
from lockgate.errors import (
    BundleError,
    DeploymentError,
    NotServed,
    RemoteUnavailable,
    UsageError,
)
from lockgate.models.bundle.check import check_in_subprocess
from lockgate.registry.slots import STAGE

if TYPE_CHECKING:
    from lockgate.registry.ledger.event_log import EventLog

__all__ = [
    "DeployResult",
    "deploy",
    "deploy_bundle",
    "follow_ledger",
    "parse_source",
    "remove",
    "roll_back",
]


@dataclass(frozen=True)
class DeployResult:
    """What a deployment or a rollback did.

    Attributes
    ----------
    event : Event or None
        The new event of the deployment directory; None if nothing was changed.
    message : str
        What was done, or why nothing was; empty if the event says it all.
    warning : str
        What to know about the running server; empty if it serves the change.

    """

    event: DeploymentEvent | None = None
    message: str = ""
    warning: str = ""


def parse_source(source: str) -> tuple[str, str] | Path:
    """Tell a stage of the ledger (``fraud@prod``) from a bundle's directory.

    Returns
    -------
    tuple of (str, str) or pathlib.Path
        Model and stage, or the bundle. A directory whose name has an @ is written with a
        slash, ``./fraud@prod``.

    Raises
    ------
    UsageError
        If the stage is empty, or the directory does not exist.

    """
    name, separator, stage = source.partition("@")
    if separator and not stage:
        raise UsageError(f"{source} has no stage: write {name}@STAGE, for example {name}@prod")
    if separator and "/" not in source:  # a folder of that name is written ./fraud@prod
        return name, stage
    if not Path(source).is_dir():
        raise UsageError(
            f"{source} is not a folder: expected a bundle, or NAME@STAGE from the ledger"
        )
    return Path(source)


def deploy(
    source: str | Path,
    directory: str | Path,
    *,
    version: str | None = None,
    stage: str = STAGE,
    reason: str = "",
    ledger: EventLog | str | Path = ".",
    on_warning: Callable[[str], None] = lambda _: None,
) -> DeployResult:
    """Deploy a bundle, or the version that the ledger has in a stage, to a directory.

    Parameters
    ----------
    source : path-like
        Path of a bundle, or ``NAME@STAGE``.
    directory : path-like
        The deployment directory; created if it does not exist.
    version : str, optional
        Version of a bundle; by default the beginning of its digest.
    stage : str
        Stage in which a bundle is served.
    reason : str
        Why a bundle is deployed, for the record.
    ledger : Ledger or path-like
        For ``NAME@STAGE``: the ledger, or a folder of its repository; by default the current one.
    on_warning : callable
        Called with a message if the ledger's remote cannot be reached.

    Raises
    ------
    UsageError
        If the source is neither, or a version or reason is passed for ``NAME@STAGE``.
    BundleError
        If the bundle cannot be used, or the running server rejects it.

    """
    target = parse_source(str(source))
    deployment = Deployment(Path(directory))
    if isinstance(target, Path):
        return deploy_bundle(deployment, target, version=version, stage=stage, reason=reason)
    if version is not None or reason:
        raise UsageError("version and reason of NAME@STAGE come from the ledger: leave them out")
    # here, so that bundles can be deployed without Git
    from lockgate.deployment.follow import deploy_stage
    from lockgate.registry.ledger.event_log import EventLog

    ledger = EventLog.of(ledger)
    try:
        ledger.fetch()
    except RemoteUnavailable as error:
        on_warning(f"{error.problem}; deploying what was last fetched")
    pointer, message = deploy_stage(ledger, deployment, *target)
    return _await_server(deployment, pointer, message)


def deploy_bundle(
    deployment: Deployment,
    bundle: Path,
    *,
    version: str | None = None,
    stage: str = STAGE,
    reason: str = "",
) -> DeployResult:
    """Deploy a bundle; it is first opened in a process with limited resources.

    Raises
    ------
    BundleError
        If it is incomplete, changed, or rejected by the running server.

    """
    before = deployment.pointer().seq if deployment.exists() else 0
    pointer = deployment.deploy(
        bundle, version=version, stage=stage, reason=reason, check=check_in_subprocess
    )
    if pointer.seq == before:
        return DeployResult(message="already deployed; nothing was changed")
    return _await_server(deployment, pointer)


def follow_ledger(
    source: str,
    directory: str | Path,
    *,
    ledger: EventLog | str | Path = ".",
    every: float = 10.0,
) -> Iterator[DeployResult]:
    """Deploy what the ledger has in a stage, again at each change, without end.

    Parameters
    ----------
    source : str
        ``NAME@STAGE``.
    directory : path-like
        The deployment directory; created if it does not exist.
    ledger : Ledger or path-like
        The ledger, or a folder of its repository; by default the current one.
    every : float
        Seconds between two fetches from the remote.

    Returns
    -------
    iterator of DeployResult
        For each change, and for each failure once; failures do not end the iteration.

    Raises
    ------
    UsageError
        If the source is not ``NAME@STAGE``, or `every` is not a positive number.

    """
    from lockgate.deployment.follow import follow
    from lockgate.registry.ledger.event_log import EventLog

    target = parse_source(source)
    if isinstance(target, Path):
        raise UsageError(f"{source} is a bundle; only a stage can be followed: NAME@STAGE")
    if not every > 0:
        raise UsageError(f"every is {every!r}, expected a positive number of seconds")
    name, stage = target
    deployment = Deployment(Path(directory))
    steps = follow(EventLog.of(ledger), deployment.path, name, stage, every=every)
    return _await_each(deployment, steps)


def _await_each(
    deployment: Deployment, steps: Iterator[tuple[Pointer | None, str]]
) -> Iterator[DeployResult]:
    """Wait after each change until the running server serves it."""
    for pointer, message in steps:
        try:
            yield _await_server(deployment, pointer, message)
        except (BundleError, DeploymentError, NotServed) as error:
            yield DeployResult(message=message, warning=f"not deployed: {error}")


def roll_back(
    directory: str | Path,
    name: str | None = None,
    *,
    stage: str = STAGE,
    to: str | None = None,
    reason: str = "",
) -> DeployResult:
    """Serve an earlier bundle of a deployment directory again; needs no network and no Git.

    Parameters
    ----------
    directory : path-like
        The deployment directory.
    name : str, optional
        Which model; not needed if only one is served.
    stage : str
        Stage to roll back.
    to : str, optional
        A version, or the beginning of a digest; by default the previous one.
    reason : str
        Why, for the record.

    Raises
    ------
    DeploymentError
        If no earlier bundle is left.
    BundleError
        If the running server rejects it.

    """
    deployment = Deployment(Path(directory))
    pointer = deployment.rollback(
        name, stage=stage, to=to, reason=reason, check=check_in_subprocess
    )
    unsynced = any(slot.local for slot in pointer.slots)
    message = f"not in the ledger yet: lockgate sync {directory}" if unsynced else ""
    return _await_server(deployment, pointer, message)


def remove(directory: Path, name: str, *, stage: str = STAGE, reason: str = "") -> DeployResult:
    """Stop serving a model in a stage of a deployment directory.

    Parameters
    ----------
    directory : pathlib.Path
        The deployment directory.
    name, stage : str
        Model and stage.
    reason : str
        Why, for the record.

    Raises
    ------
    DeploymentError
        If the stage does not have the model, or follows the ledger.

    """
    deployment = Deployment(Path(directory))
    pointer = deployment.pointer()
    if pointer.require(name, stage).ledger:
        raise DeploymentError(
            f"{stage} of {name} follows the ledger, which would deploy it again; retire it there: "
            f"lockgate retire {name} {stage}"
        )
    changed = deployment.remove(name, stage, reason=reason, expect_seq=pointer.seq)
    return _await_server(deployment, changed)


def _await_server(
    deployment: Deployment, pointer: Pointer | None, message: str = ""
) -> DeployResult:
    if pointer is None or pointer.event is None:
        return DeployResult(message=message)
    return DeployResult(pointer.event, message, wait_until_served(deployment, pointer))
