"""The policies that the main branch had: promotions are checked by the one of their time."""

from __future__ import annotations

import functools
import math
import time
from dataclasses import dataclass

from lockgate.errors import LockgateError
from lockgate.registry.git.commands import git
from lockgate.registry.ledger.policy_file import POLICY_FILE, PolicyFile
from lockgate.registry.ledger.repository import Repository
from lockgate.registry.ledger.state import State
from lockgate.registry.ledger.trust import main_commit, read_policy
from lockgate.registry.provenance.commits import Commit
from lockgate.registry.provenance.events import Event

__all__ = ["GRACE_SECONDS", "PolicyHistory"]

GRACE_SECONDS = 24 * 3600
"""How long a policy counts after the commit that replaced it, and before its own.

A commit of the main branch is dated when it is made, which may be before it is pushed.
"""


SETTLED_SECONDS = 3600
"""How long a policy must have been in force for that grace."""


@dataclass(frozen=True)
class _Change:
    commit: str
    date: int


class PolicyHistory:
    """The policies of a repository's main branch.

    Parameters
    ----------
    repository : Repository
        The repository.

    """

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._files: dict[tuple[str, str | None], PolicyFile | None] = {}

    def problem(self, state: State, event: Event, commit: Commit) -> str | None:
        """Return what the policy of its time has against a promotion; None if nothing.

        Parameters
        ----------
        state : State
            The ledger with the event.
        event : Event
            The event; only promotions that no override excuses are checked.
        commit : Commit
            Its commit.

        """
        if event.op != "promote" or event.stage is None or not self._changes:
            return None
        changes = self._in_force(commit.person.date)
        if event.override:
            return self._doubt_promoter(state, event, commit, changes)
        if not changes:
            return (
                "it is dated before the main branch had a policy, as far as this clone knows: if "
                "it is right, anchor it (lockgate verify --anchor); a shallow clone needs git "
                "fetch --unshallow"
            )
        version = str(event.after)
        used = state.policy(event.name, version, event.gate or "")
        record = state.version(event.name, version)
        if used is None or record is None:
            return "the policy of its verdict is missing"
        for change in changes:
            try:
                file = self._file(change.commit, record.path)
                if file is not None and file.of(event.name, event.stage).digest == used.digest:
                    break
            except LockgateError:  # this one is not valid, or does not declare the stage
                continue
        else:
            return (
                f"its verdict was made by other gates than those that the main branch named for "
                f"{event.stage} at the time"
            )
        if not used.lets_promote(commit.person.email):
            return f"the policy of {event.stage} does not let {commit.person.email} promote"
        return None

    def _doubt_promoter(
        self, state: State, event: Event, commit: Commit, changes: list[_Change]
    ) -> str | None:
        """Return a problem if no policy of the time lets the author of an override promote."""
        record, email = state.version(event.name, str(event.after)), commit.person.email
        allowed = not changes
        for change in changes:
            try:
                file = self._file(change.commit, None if record is None else record.path)
                policy = None if file is None else file.of(event.name, str(event.stage))
            except LockgateError:
                continue
            allowed = allowed or policy is None or policy.lets_promote(email)
        return None if allowed else f"the policy of {event.stage} does not let {email} promote"

    def _in_force(self, date: int) -> list[_Change]:
        """Return the commits whose policy counted at a date, or nearly."""
        changes = self._changes
        ends = [*(change.date for change in changes[1:]), math.inf]
        in_force = []
        for change, end in zip(changes, ends, strict=False):
            # what was replaced at once, as within a pull request, was never meant to count
            grace = GRACE_SECONDS if end - change.date >= SETTLED_SECONDS else 0
            if change.date - grace <= date <= end + grace:
                in_force.append(change)
        return in_force

    @functools.cached_property
    def _changes(self) -> list[_Change]:
        """Commits of the main branch that changed a policy, oldest first."""
        tip = main_commit(self.repository)
        if tip is None:
            return []
        paths = (POLICY_FILE, ":(glob)**/params.yaml")
        arguments = ["log", "--first-parent", "--format=%H %ct", tip, "--", *paths]
        # from the last one back: none is later than the ones after it, whatever its clock said
        latest, changes = int(time.time()), list[_Change]()
        for line in git(arguments, self.repository.top).splitlines():
            commit, date = line.split()
            latest = min(latest, int(date))
            changes.append(_Change(commit, latest))
        return changes[::-1]

    def _file(self, commit: str, bundle: str | None) -> PolicyFile | None:
        key = (commit, bundle)
        if key not in self._files:
            self._files[key] = read_policy(self.repository, bundle, commit)
        return self._files[key]
