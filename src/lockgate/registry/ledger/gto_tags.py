"""Tags in GTO's grammar, so that `gto show` and `dvc artifacts get --stage` agree with the ledger.

They follow from the ledger alone, so that every clone writes the same ones. GTO
orders tags by seconds, considers every version of a stage that was never unassigned
current, and distinguishes versions by their commits. So each assignment unassigns
the one before it, dated a second earlier, and each version has a release commit of
its own, with the tree of the commit that it was registered at.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping

from lockgate.errors import LedgerError
from lockgate.registry.git.objects import RefChanged
from lockgate.registry.ledger.repository import LEDGER, Repository
from lockgate.registry.ledger.state import State, VersionRecord
from lockgate.registry.provenance.commits import Commit, Person
from lockgate.registry.provenance.events import Event

__all__ = ["GtoTags", "Tags"]

Tags = Mapping[str, str | None]
"""Object ids by reference; None where the reference must not exist."""

MESSAGE = re.compile(r"\n\n.*\n\nlockgate event (\d+), ([0-9a-f]{32})\n\Z")
"""The message of a tag, with the number and the id of its event."""

NAMED = re.compile(r"refs/tags/([^@#]+)(?:@v[^#]+|#[^#]+#\d+)")
"""The reference of a tag, with the name of its model."""

GRAMMAR = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9_-]*[a-zA-Z0-9])?")
"""Names that GTO can read (gto.constants, 1.10): no dots, no sign at the end."""


class GtoTags:
    """Computes and writes tags.

    Parameters
    ----------
    repository : Repository
        The repository with the ledger.

    """

    def __init__(self, repository: Repository) -> None:
        self.repository = repository

    @property
    def enabled(self) -> bool:
        """Whether tags are written; ``git config lockgate.mirror false`` turns them off."""
        return self.repository.settings.get("lockgate.mirror", "true").lower() not in (
            "false",
            "no",
            "off",
            "0",
        )

    def tags(self, event: Event, commit: Commit) -> dict[str, str | None]:
        """Return the tags that an event adds and removes."""
        names = (event.name, event.stage or "x")
        if not self.enabled or not all(GRAMMAR.fullmatch(name) for name in names):
            return {}
        try:
            return self._tags(event, commit)
        except LedgerError:
            return {}  # a shallow clone lacks the commit of the code; a full clone writes them

    def _tags(self, event: Event, commit: Commit) -> dict[str, str | None]:
        name, stage, date = event.name, event.stage, commit.person.date
        if event.op == "register":
            release = self._write_release(event, commit)
            return dict(
                [self._write_tag(f"{name}@v{event.after}", release, commit.person, date, event)]
            )
        if event.op in ("promote", "rollback"):
            assigned = f"{name}#{stage}#{2 * event.seq}"
            tags = [
                self._write_tag(
                    assigned,
                    self._release_commit(name, event.after),
                    commit.person,
                    date + 1,
                    event,
                )
            ]
            if event.before is not None:
                unassigned = f"{name}#{stage}!#{2 * event.seq - 1}"
                release = self._release_commit(name, event.before)
                tags.append(self._write_tag(unassigned, release, commit.person, date, event))
            return dict(tags)
        if event.op == "retire" and stage is not None:
            pattern = re.compile(rf"refs/tags/{re.escape(name)}#{re.escape(stage)}!?#\d+")
            refs = self.repository.store.list_refs("refs/tags/").items()
            return {
                ref: None for ref, oid in refs if pattern.fullmatch(ref) and self._event_of(oid)
            }
        if event.op == "retire":
            release = self._release_commit(name, event.before)
            return dict(
                [self._write_tag(f"{name}@v{event.before}!", release, commit.person, date, event)]
            )
        return {}

    def all_tags(self, events: Iterable[tuple[Event, Commit]]) -> dict[str, str | None]:
        """Return the tags after all events, which come oldest first."""
        tags: dict[str, str | None] = {}
        for event, commit in events:
            tags |= self.tags(event, commit)
            if event.op == "retire" and event.stage is not None:
                prefixes = (
                    f"refs/tags/{event.name}#{event.stage}#",
                    f"refs/tags/{event.name}#{event.stage}!#",
                )
                tags |= {ref: None for ref in tags if ref.startswith(prefixes)}
        return tags

    def missing(self, tags: Tags) -> dict[str, str | None]:
        """Return the tags that are missing or different in this clone."""
        existing = {ref: self.repository.store.ref(ref) for ref in tags}
        return {ref: oid for ref, oid in tags.items() if existing[ref] != oid}

    def write(self, tags: Tags) -> None:
        """Write and remove tags in this clone; those of users are not changed."""
        for ref, oid in tags.items():
            old = self.repository.store.ref(ref)
            if old != oid and (old is None or oid is None or self.is_written(old)):
                with contextlib.suppress(RefChanged):
                    self.repository.update_ref(ref, old, oid)

    def remove(self, tags: Tags) -> None:
        """Remove tags from this clone, where they are these."""
        for ref, oid in tags.items():
            if oid is not None and self.repository.store.ref(ref) == oid:
                with contextlib.suppress(RefChanged):
                    self.repository.update_ref(ref, oid, None)

    def stale(self, events: Iterable[Event]) -> dict[str, str]:
        """Return the tags in this clone that were written for other events than these."""
        if not self.enabled:
            return {}
        known = {(event.seq, event.id) for event in events}
        refs = self.repository.store.list_refs("refs/tags/").items()
        written = {ref: self._event_of(oid) for ref, oid in refs if "@" in ref or "#" in ref}
        return {ref: oid for ref, oid in refs if written.get(ref) and written[ref] not in known}

    def is_written(self, oid: str) -> bool:
        """Return whether a tag was written by a ledger, rather than by a user."""
        return self._event_of(oid) is not None

    def may_be_written(self, ref: str, names: Collection[str]) -> bool:
        """Return whether a reference is called like a tag of one of these models."""
        match = NAMED.fullmatch(ref)
        return match is not None and match[1] in names

    def _event_of(self, oid: str) -> tuple[int, str] | None:
        """Return number and id of the event that a tag was written for; None for other tags."""
        kind, raw = self.repository.store.read(oid)
        match = MESSAGE.search(raw.decode("utf-8", "replace")) if kind == "tag" else None
        return None if match is None else (int(match[1]), match[2])

    def _write_tag(
        self, name: str, release: str, person: Person, date: int, event: Event
    ) -> tuple[str, str]:
        tagger = dataclasses.replace(person, date=date)
        head = [f"object {release}", "type commit", f"tag {name}"]
        raw = "\n".join(head).encode() + b"\ntagger " + tagger.encode()
        message = f"{event.subject}\n\nlockgate event {event.seq}, {event.id}\n"
        oid = self.repository.store.write("tag", raw + b"\n\n" + message.encode())
        return f"refs/tags/{name}", oid

    def _write_release(self, event: Event, commit: Commit) -> str:
        """Write the release commit of a version: a child of its commit, with the same files."""
        store = self.repository.store
        record = State(self.repository.trees, commit.tree).version(event.name, str(event.after))
        assert isinstance(record, VersionRecord)
        tree, parent = None, record.commit
        if parent is not None:
            _, raw = store.read(parent)
            tree = raw.partition(b"\n")[0].removeprefix(b"tree ").decode()
        tree = tree or store.write("tree", b"")
        message = f"release {event.name} {event.after}\n"
        return store.write("commit", Commit(tree, parent, commit.person, message).encode())

    def _release_commit(self, name: str, version: str | None) -> str:
        """Return the release commit of a version."""
        tag = self.repository.store.ref(f"refs/tags/{name}@v{version}")
        if tag is not None:
            kind, raw = self.repository.store.read(tag)
            if kind == "tag":
                return raw.partition(b"\n")[0].removeprefix(b"object ").decode()
        for event, commit, _ in self.repository.events(self.repository.store.ref(LEDGER)):
            if (event.op, event.name, event.after) == ("register", name, version):
                return self._write_release(event, commit)
        raise LedgerError(f"the ledger has no registration of {name}@{version}")
