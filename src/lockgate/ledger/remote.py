"""The shared ledger: a protected branch of a remote, fetched and pushed without force."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lockgate.errors import LedgerError, LedgerTampered, RemoteUnavailable
from lockgate.ledger.commands import run_git
from lockgate.ledger.repository import Repository

__all__ = ["BRANCH", "Outrun", "Remote", "Unanswered", "remote_of"]

BRANCH = "refs/heads/lockgate/ledger"

OUTRUN = re.compile(
    r"fetch first|non-fast-forward|stale info|cannot lock ref|failed to update ref|"
    r"incorrect old value|reference already exists|failed to lock|is at [0-9a-f]+ but expected|"
    r"atomic (push|transaction) failed"
)
"""What git says of a push that came second."""


class Outrun(Exception):
    """Somebody pushed first."""


class Unanswered(Exception):
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
        words = [
            "fetch",
            "--no-progress",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
        ]
        # without a +, so that a history that was rewritten is refused
        done = run_git([*words, self.name, f"{BRANCH}:{self.tracking}"], self.repository.top)
        if done.returncode == 0:
            return self.repository.store.ref(self.tracking)
        said = " ".join(done.stderr.decode("utf-8", "replace").split())
        if "couldn't find remote ref" in said:
            if before is not None:
                raise LedgerTampered(
                    f"{self.name} has no {BRANCH} any more; it had one, at {before[:12]}, which is "
                    f"kept here as {self.tracking}"
                )
            return None
        if "non-fast-forward" in said or "[rejected]" in said:
            raise LedgerTampered(
                f"the ledger of {self.name} was rewritten: it does not go on from "
                f"{str(before)[:12]}, which is kept here as {self.tracking}; ask who did it before "
                "anything else"
            )
        if "cannot lock ref" in said:
            return self.repository.store.ref(self.tracking)  # another fetch of this clone
        raise RemoteUnavailable(f"{self.name} cannot be reached: {said[-300:]}")

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
        done = run_git([*words, f"{oid}:{BRANCH}", *others], self.repository.top)
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
        if any(outrun) or (refused and "hook" not in said):
            raise Outrun(said)
        if refused or "denied" in said.lower():
            raise LedgerError(f"{self.name} does not take the event: {said[-400:]}")
        raise Unanswered(said[-300:])


def remote_of(repository: Repository) -> Remote | None:
    """Return the remote that holds the shared ledger, or None where the ledger is only here.

    `git config lockgate.remote NAME` says which; `none` keeps the ledger to this
    clone. Without it, `origin` is taken where there is one.
    """
    settings = repository.settings
    said = settings.get("lockgate.remote")
    there = sorted({k.split(".")[1] for k in settings if re.fullmatch(r"remote\..*\.url", k)})
    if said == "none":
        return None
    if said is None:
        return Remote(repository, "origin") if "origin" in there else None
    if said not in there:
        raise LedgerError(
            f"lockgate.remote is {said!r}, and there are {', '.join(there) or 'no remotes'}; "
            "git config lockgate.remote NAME, or none"
        )
    return Remote(repository, said)
