"""Registers a bundle as a version."""

from __future__ import annotations

import functools
import json

import msgspec

from lockgate.data.io.digests import sha256_bytes, sha256_file
from lockgate.errors import LedgerConflict, LedgerError, UsageError
from lockgate.models.bundle.copy import copy_bundle
from lockgate.models.bundle.evaluation import estimates
from lockgate.models.bundle.manifest import Manifest
from lockgate.registry.bundle_source import BundleSource
from lockgate.registry.bundle_store import store_path
from lockgate.registry.ledger import rules
from lockgate.registry.ledger.drafts import Draft
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.state import State, VersionRecord, newest_first
from lockgate.registry.provenance.events import VERSION
from lockgate.registry.versioning import next_version

__all__ = ["register_source"]


def register_source(
    ledger: EventLog,
    source: BundleSource,
    *,
    version: str | None = None,
    bump: str | None = None,
    reason: str = "",
) -> tuple[VersionRecord, bool]:
    """Keep a bundle in the store of this clone, and record it as a version.

    Parameters
    ----------
    ledger : EventLog
        The ledger.
    source : BundleSource
        The bundle.
    version, bump, reason
        As for `Ledger.register`.

    Returns
    -------
    tuple of (VersionRecord, bool)
        The version, and whether it is new.

    Raises
    ------
    LedgerConflict
        If the bundle is registered as another version.

    """
    copy_bundle(source.folder, store_path(ledger.repository, source.digest), source.digest)
    draft = functools.partial(
        _registration_draft, source=source, version=version, bump=bump, reason=reason
    )
    name = source.manifest.name
    try:
        event = ledger.writer.write(draft)
    except _AlreadyRegistered as error:
        if version not in (None, error.record.version):
            raise LedgerConflict(
                f"this bundle is already registered as {name}@{error.record.version}"
            ) from None
        return error.record, False
    return rules.find_version(ledger.state, name, event.after), True


class _AlreadyRegistered(Exception):
    """The bundle is already registered.

    Attributes
    ----------
    record : VersionRecord
        The version that it is.

    """

    def __init__(self, record: VersionRecord) -> None:
        self.record = record
        super().__init__(record.version)


def _registration_draft(
    state: State, *, source: BundleSource, version: str | None, bump: str | None, reason: str
) -> Draft:
    """Draft the registration of a bundle; `_AlreadyRegistered` where it is a version."""
    name = source.manifest.name
    for existing in state.versions(name):
        record = state.version(name, existing)
        if record is not None and record.digest == source.digest:
            raise _AlreadyRegistered(record)
    new_record = _record_of(state, source, version=version, bump=bump)
    raw = msgspec.json.format(msgspec.json.encode(new_record), indent=1) + b"\n"
    fields = {
        "op": "register",
        "name": name,
        "after": new_record.version,
        "digest": source.digest,
        "attached": sha256_bytes(raw),
        "reason": reason,
    }
    return Draft(fields, (raw, source.raw))


def _record_of(
    state: State, source: BundleSource, *, version: str | None, bump: str | None
) -> VersionRecord:
    """Return the record of the version that a bundle becomes."""
    name = source.manifest.name
    versions = state.versions(name)
    last = versions[0] if versions else None
    raw = state.manifest(name, last) if last else None
    old = msgspec.json.decode(raw, type=Manifest) if raw else None
    new_version, reasons = next_version(last, old, source.manifest, bump=bump)
    if version is not None:
        new_version = _check_requested(version, new_version, last, reasons)
    return VersionRecord(
        name=name,
        version=new_version,
        digest=source.digest,
        lineage=source.lineage.kind,
        commit=source.lineage.commit,
        path=source.lineage.path,
        tracked=source.lineage.tracked,
        params_edited=source.lineage.params_edited,
        size=sum(path.stat().st_size for path in source.folder.rglob("*") if path.is_file()),
        why=tuple(reasons),
        figures=_read_estimates(source),
    )


def _check_requested(version: str, minimum: str, last: str | None, reasons: list[str]) -> str:
    if not VERSION.fullmatch(version):
        raise UsageError(f"{version[:80]!r} is not a version; expected e.g. {minimum}")
    if last is not None and newest_first([version, last])[0] == last:
        raise UsageError(f"{version} does not follow {last}; the next version is {minimum}")
    if last is not None and newest_first([version, minimum])[0] == minimum != version:
        raise UsageError(
            f"{version} is too low; expected at least {minimum}, as {'; '.join(reasons)}"
        )
    return version


def _read_estimates(source: BundleSource) -> dict[str, dict[str, float]]:
    """Read the estimates of the metrics that the bundle reports."""
    path = source.folder / "metrics.json"
    if sha256_file(path) != source.manifest.files["metrics.json"]:
        raise LedgerError(f"{path} was changed while the bundle was registered; try again")
    return estimates(json.loads(path.read_bytes()))
