"""Traces predictions, versions and bundles to their origin, by prediction log and ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate.data.io.digests import sha256_file
from lockgate.deployment.directory import Deployment
from lockgate.deployment.private import private_root
from lockgate.errors import (
    LedgerConflict,
    LedgerError,
    LedgerTampered,
    LogError,
    MissingExtra,
    RemoteUnavailable,
)
from lockgate.models.bundle.manifest import MANIFEST, read_manifest
from lockgate.prediction_log.trace import trace
from lockgate.registry.bundle_references import find_version_by_reference
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.report.version_report import find_version_by_digest, version_report

__all__ = ["Lineage", "trace_lineage"]


@dataclass(frozen=True)
class Lineage:
    """What is known of a prediction, and of the version that made it.

    Attributes
    ----------
    prediction : dict or None
        The logged prediction: inputs, outputs, labels; None if the subject is a version.
    version : dict or None
        The ledger's report of the version; None if the ledger does not have it.

    """

    prediction: dict[str, Any] | None
    version: dict[str, Any] | None

    def as_dict(self) -> dict[str, Any]:
        """Return both as plain data, the version below ``ledger`` if there is a prediction."""
        if self.prediction is None:
            return self.version or {}
        return self.prediction | ({"ledger": self.version} if self.version else {})

    def as_html(self) -> str:
        """Return both as one HTML page.

        Raises
        ------
        LedgerError
            If the ledger does not have the version.

        """
        from lockgate.registry.report.version_page import version_page

        if self.version is None:
            raise LedgerError("this repository's ledger does not have the version: pass -C FOLDER")
        return version_page(self.version, self.prediction)


def trace_lineage(
    subject: str | Path,
    *,
    directory: str | Path | None = None,
    ledger: EventLog | str | Path = ".",
    on_warning: Callable[[str], None] = lambda _: None,
) -> Lineage:
    """Trace a prediction, a version or a bundle to its origin.

    Parameters
    ----------
    subject : str or path-like
        ID of a prediction, ``NAME@VERSION``, ``NAME@STAGE``, or the path of a bundle.
    directory : path-like, optional
        Deployment directory with the prediction log; by default the directories
        of bundles that were served directly are searched.
    ledger : Ledger or path-like
        The ledger, or a folder of its repository; by default the current one.
    on_warning : callable
        Called with a message if the remote cannot be reached.

    Raises
    ------
    LogError
        If no prediction has this ID.
    LedgerError
        If the bundle or version is not registered.

    """
    subject = str(subject)
    if (Path(subject) / MANIFEST).is_file():
        digest = sha256_file(Path(subject) / MANIFEST)
        report = _report_digest(ledger, digest, read_manifest(Path(subject)).name)
        if report is None:
            raise LedgerError(
                f"{subject} ({digest[:12]}) is not registered: run lockgate register {subject}"
            )
        return Lineage(None, report)
    if "@" in subject:
        return Lineage(None, _report_address(subject, EventLog.of(ledger), on_warning))
    prediction = _find_prediction(subject, None if directory is None else Path(directory))
    report = _report_digest(ledger, prediction["bundle"], prediction["model"])
    return Lineage(prediction, report)


def _report_digest(ledger: EventLog | str | Path, digest: str, name: str) -> dict[str, Any] | None:
    """Return the report of a bundle; None if the ledger is missing or does not have it."""
    try:
        ledger = EventLog.of(ledger)
        record = find_version_by_digest(ledger.state, digest, name)
    except (LedgerError, MissingExtra):  # served without a ledger, or on another machine
        return None
    return None if record is None else version_report(ledger, record.name, record.version)


def _report_address(
    subject: str, ledger: EventLog, on_warning: Callable[[str], None]
) -> dict[str, Any]:
    try:
        ledger.fetch()
    except RemoteUnavailable as error:
        on_warning(error.problem)
    except (LedgerConflict, LedgerTampered) as error:
        on_warning(str(error))
    record = find_version_by_reference(ledger, subject)
    return version_report(ledger, record.name, record.version)


def _find_prediction(prediction_id: str, directory: Path | None) -> dict[str, Any]:
    folders = [directory] if directory else sorted(private_root().glob("*"))
    for folder in folders:
        prediction = trace(Deployment(folder), prediction_id)
        if prediction is not None:
            return prediction
    searched = str(directory) if directory else f"{len(folders)} directories of {private_root()}"
    raise LogError(
        f"no prediction with id {prediction_id[:80]!r} in {searched}: it was made elsewhere, "
        "not logged, or deleted because of its age"
        + ("" if directory else "; --here DIR names one")
    )
