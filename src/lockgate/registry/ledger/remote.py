"""The shared ledger: a protected branch of a remote, fetched and pushed without force."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lockgate.errors import LedgerError, LedgerTampered, RemoteUnavailable
from lockgate.registry.git.commands import TookTooLong, run_git
from lockgate.registry.git.objects import free_lock
from lockgate.registry.ledger.repository import Repository

__all__ = ["BRANCH", "TRUSTED", "PushRejected", "PushUnconfirmed", "Remote", "remote_of"]

BRANCH = "refs/heads/lockgate/ledger"

TRUSTED = "refs/lockgate/main"
"""Where this clone keeps the main branch of each remote, whose word on signers counts."""

FETCH = ("fetch", "--no-progress", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")

OUTRUN = re.compile(
    r"fetch first|non-fast-forward|stale info|cannot lock ref|failed to update ref|"
    r"incorrect old value|reference already exists|failed to lock|is at [0-9a-f]+ but expected|"
    r"atomic (push|transaction) failed"
)
"""What git says of a push that came second."""


class PushRejected(Exception):
    """Somebody pushed first."""


class PushUnconfirmed(Exception):
    """A push was sent, and whether it landed is not known."""


@dataclass(frozen=True)
class Remote:
    """A remote, as the ledger's writers and readers see it.

    Attributes
    ----------
    repository : Repository
        The clone here.
    name : str
        Of the remote in Git's configuration.

    """

    repository: Repository
    name: str

    @property
    def tracking(self) -> str:
        """Reference that says what the remote had when it was last asked."""
        return f"refs/lockgate/remotes/{self.name}"

    def fetch(self) -> str | None:
        """Ask what the remote has, and return its tip; None where it has no ledger yet.

        Raises
        ------
        RemoteUnavailable
            If it cannot be reached.
        LedgerTampered
            If what it has does not go on from what it had.

        """
        before = self.repository.store.ref(self.tracking)
        said = self._fetched(main=True)
        if "find remote ref" in said and BRANCH not in said:  # a remote without a main branch yet
            said = self._fetched(main=False)
        if not said:
            return self.repository.store.ref(self.tracking)
        if "couldn't find remote ref" in said:
            if before is not None:
                raise LedgerTampered(
                    f"{self.name} has no {BRANCH} any more; it had one, at {before[:12]}, which is "
                    f"kept here as {self.tracking}; to bring it back: git push {self.name} "
                    f"{self.tracking}:{BRANCH}"
                )
            self._fetched(ledger=False)
            return None
        if "non-fast-forward" in said or "[rejected]" in said:
            raise LedgerTampered(
                f"the ledger of {self.name} was rewritten: it does not go on from "
                f"{str(before)[:12]}, which is kept here as {self.tracking}; ask who did it before "
                "anything else"
            )
        raise RemoteUnavailable(f"{self.name} cannot be reached: {said[-300:]}")

    def _fetched(self, *, ledger: bool = True, main: bool = True) -> str:
        """Fetch the ledger and the main branch, and return what git complains of."""
        # without a +, so that a ledger that was rewritten is refused
        branch = self.repository.settings.get("lockgate.main", "HEAD")
        wanted = [f"{BRANCH}:{self.tracking}"] if ledger else []
        wanted += [f"+{branch}:{TRUSTED}/{self.name}"] if main else []
        for _ in range(60):
            done = run_git([*FETCH, self.name, *wanted], self.repository.top)
            said = " ".join(done.stderr.decode("utf-8", "replace").split())
            locks = [one for one in (self.tracking, f"{TRUSTED}/{self.name}") if one in said]
            if "cannot lock ref" not in said or not locks:
                return said if done.returncode else ""
            for name in locks:  # another fetch of this clone, or what a killed one left
                free_lock(self.repository.folder, name)
        return said

    def tags(self) -> dict[str, str]:
        """Return the remote's tags, and what they point to.

        Raises
        ------
        RemoteUnavailable
            If it cannot be reached.

        """
        done = run_git(["ls-remote", "--tags", self.name], self.repository.top)
        if done.returncode:
            said = " ".join(done.stderr.decode("utf-8", "replace").split())
            raise RemoteUnavailable(f"{self.name} cannot be reached: {said[-300:]}")
        pairs = (line.split("\t", 1) for line in done.stdout.decode().splitlines())
        return {ref: oid for oid, ref in pairs if not ref.endswith("^{}")}

    def push(self, oid: str, *others: str) -> None:
        """Push a new tip, with other references, all or nothing.

        Raises
        ------
        Outrun
            If the remote has moved on.
        Unanswered
            If it is not known whether the push landed.
        LedgerError
            If the remote does not let this user write.

        """
        words = ["push", "--porcelain", "--no-verify", "--atomic", "--no-signed", self.name]
        try:
            done = run_git([*words, f"{oid}:{BRANCH}", *others], self.repository.top)
        except TookTooLong as error:
            raise PushUnconfirmed(str(error)) from None
        if done.returncode == 0:
            return
        lines = (done.stdout + b"\n" + done.stderr).decode("utf-8", "replace").splitlines()
        refused = [line for line in lines if line.startswith("!") and BRANCH in line]
        said = " ".join(" ".join(lines).split())
        outrun = [OUTRUN.search(line) for line in refused]
        taken = [line for line in lines if line.startswith("!") and "already exists" in line]
        # all is refused where one tag is; where somebody was first, so are their tags
        if taken and all(one is None or one[0].startswith("atomic") for one in outrun):
            raise LedgerError(
                f"{self.name} has a tag that is not the ledger's: {taken[0][1:].strip()}; remove "
                "it there, or do without tags for GTO: git config lockgate.mirror false"
            )
        if any(outrun) and "cannot create" not in said:
            raise PushRejected(said)
        if refused or "denied" in said.lower() or "could not read" in said:
            raise LedgerError(f"{self.name} does not take the event: {said[-400:]}")
        raise PushUnconfirmed(said[-300:])


def remote_of(repository: Repository) -> Remote | None:
    """Return the remote that holds the shared ledger, or None where the ledger is only here.

    `git config lockgate.remote NAME` says which; `none` keeps the ledger to this
    clone. Without it, `origin` is taken where there is one.
    """
    settings = repository.settings
    said = settings.get("lockgate.remote")
    urls = (re.fullmatch(r"remote\.(.*)\.url", key) for key in settings)
    there = sorted({match[1] for match in urls if match})
    if said == "none":
        return None
    if said is None and len(there) > 0 and "origin" not in there:
        raise LedgerError(
            f"which remote holds the ledger: {', '.join(there)}? git config lockgate.remote NAME, "
            "or none to keep it here"
        )
    if said is None:
        return Remote(repository, "origin") if there else None
    if said not in there:
        raise LedgerError(
            f"lockgate.remote is {said!r}, and there are {', '.join(there) or 'no remotes'}; "
            "git config lockgate.remote NAME, or none"
        )
    return Remote(repository, said)
