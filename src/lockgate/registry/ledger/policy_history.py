"""The policies that the main branch had: changes of stages are checked by those of their time."""

from __future__ import annotations

import contextlib
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
from lockgate.registry.provenance.policy import StagePolicy

__all__ = ["GRACE_SECONDS", "PolicyHistory"]

GRACE_SECONDS = 24 * 3600
"""How long a policy counts after the commit that replaced it, and before its own.

A commit of the main branch is dated when it is made, which may be before it is pushed.
"""

SETTLED_SECONDS = 3600
"""How long a policy must have been in force for that grace."""

UNDATED = (
    "it is dated before the main branch had a policy, as far as this clone knows: if it is right, "
    "anchor it (lockgate verify --anchor); a shallow clone needs git fetch --unshallow"
)


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
        self._files: dict[str, PolicyFile | None] = {}

    def problem(self, state: State, event: Event, commit: Commit, *, after: int = 0) -> str | None:
        """Return what the policies of its time have against an event; None if nothing.

        The gates of a promotion are checked unless they were overridden, and the author of any
        promotion or removal from a stage.

        Parameters
        ----------
        state : State
            The ledger with the event.
        event : Event
            The event.
        commit : Commit
            Its commit.
        after : int
            Seconds since 1970 after which it was written, whatever its date.

        """
        if event.stage is None or event.op not in ("promote", "retire") or not self._changes:
            return None
        needs_gates = event.op == "promote" and not event.override
        changes = self._in_force(max(commit.person.date, after))
        if not changes:
            return UNDATED if needs_gates else None
        version = str(event.after if event.op == "promote" else event.before)
        if event.op == "retire" and self._was_undeclared(event, changes):
            return None  # anybody may empty it
        policies = self._policies(event, changes)
        if not policies:
            return f"no valid policy of the main branch declared {event.stage} at the time"
        if needs_gates:
            used = state.policy(event.name, version, event.gate or "")
            if used is None:
                return "the policy of its verdict is missing"
            policies = [policy for policy in policies if policy and policy.digest == used.digest]
            if not policies:
                return (
                    f"its verdict was made by other gates than those that the main branch named "
                    f"for {event.stage} at the time"
                )
        email = commit.person.email
        if not any(policy is None or policy.lets_promote(email) for policy in policies):
            return f"{email} was not a promoter of {event.stage} at the time"
        return None

    def _policies(self, event: Event, changes: list[_Change]) -> list[StagePolicy | None]:
        """Return the valid policies of an event's stage; None stands for a commit without."""
        policies: list[StagePolicy | None] = []
        for change in changes:
            # not valid, or the stage is not declared
            with contextlib.suppress(LockgateError):
                file = self._file(change.commit)
                policies.append(None if file is None else file.of(event.name, str(event.stage)))
        return policies

    def _was_undeclared(self, event: Event, changes: list[_Change]) -> bool:
        """Whether a valid policy did not declare an event's stage."""
        for change in changes:
            with contextlib.suppress(LockgateError):
                file = self._file(change.commit)
                if file is not None and not file.declares(event.name, str(event.stage)):
                    return True
        return False

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
        # from the last back: no commit is later than those after it, whatever its clock said
        latest, changes = int(time.time()), list[_Change]()
        for line in git(arguments, self.repository.top).splitlines():
            commit, date = line.split()
            latest = min(latest, int(date))
            changes.append(_Change(commit, latest))
        return changes[::-1]

    def _file(self, commit: str) -> PolicyFile | None:
        if commit not in self._files:
            self._files[commit] = read_policy(self.repository, commit)
        return self._files[commit]
