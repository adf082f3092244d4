"""The shared ledger: a protected branch of a remote, fetched and pushed without force."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lockgate.errors import LedgerError, LedgerTampered, RemoteUnavailable
from lockgate.registry.git.commands import GitTimeout, run_git
from lockgate.registry.git.objects import free_lock
from lockgate.registry.ledger.repository import Repository

__all__ = ["BRANCH", "TRUSTED", "PushRejected", "PushUnconfirmed", "Remote", "remote_of"]

BRANCH = "refs/heads/lockgate/ledger"

TRUSTED = "refs/lockgate/main"
"""Where this clone keeps the main branch of each remote, whose word on signers counts."""

FETCH = ("fetch", "--no-progress", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")

PUSH_REJECTED = re.compile(
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
        stderr = self._run_fetch(main=True)
        if (
            "find remote ref" in stderr and BRANCH not in stderr
        ):  # a remote without a main branch yet
            stderr = self._run_fetch(main=False)
        if not stderr:
            return self.repository.store.ref(self.tracking)
        if "couldn't find remote ref" in stderr:
            if before is not None:
                raise LedgerTampered(
                    f"{self.name} has no {BRANCH} any more; it had one, at {before[:12]}, which is "
                    f"kept here as {self.tracking}; to bring it back: git push {self.name} "
                    f"{self.tracking}:{BRANCH}"
                )
            self._run_fetch(ledger=False)
            return None
        if "non-fast-forward" in stderr or "[rejected]" in stderr:
            raise LedgerTampered(
                f"the ledger of {self.name} was rewritten: it does not go on from "
                f"{str(before)[:12]}, which is kept here as {self.tracking}; ask who did it before "
                "anything else"
            )
        raise RemoteUnavailable(f"{self.name} cannot be reached: {stderr[-300:]}")

    def _run_fetch(self, *, ledger: bool = True, main: bool = True) -> str:
        """Fetch the ledger and the main branch, and return what git complains of."""
        # without a +, so that a ledger that was rewritten is refused
        branch = self.repository.settings.get("lockgate.main", "HEAD")
        refspecs = [f"{BRANCH}:{self.tracking}"] if ledger else []
        refspecs += [f"+{branch}:{TRUSTED}/{self.name}"] if main else []
        for _ in range(60):
            completed = run_git([*FETCH, self.name, *refspecs], self.repository.top)
            stderr = " ".join(completed.stderr.decode("utf-8", "replace").split())
            locks = [ref for ref in (self.tracking, f"{TRUSTED}/{self.name}") if ref in stderr]
            if "cannot lock ref" not in stderr or not locks:
                return stderr if completed.returncode else ""
            for name in locks:  # another fetch of this clone, or what a killed one left
                free_lock(self.repository.folder, name)
        return stderr

    def tags(self) -> dict[str, str]:
        """Return the remote's tags, and what they point to.

        Raises
        ------
        RemoteUnavailable
            If it cannot be reached.

        """
        completed = run_git(["ls-remote", "--tags", self.name], self.repository.top)
        if completed.returncode:
            stderr = " ".join(completed.stderr.decode("utf-8", "replace").split())
            raise RemoteUnavailable(f"{self.name} cannot be reached: {stderr[-300:]}")
        pairs = (line.split("\t", 1) for line in completed.stdout.decode().splitlines())
        return {ref: oid for oid, ref in pairs if not ref.endswith("^{}")}

    def push(self, oid: str, *refspecs: str) -> None:
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
        arguments = ["push", "--porcelain", "--no-verify", "--atomic", "--no-signed", self.name]
        try:
            completed = run_git([*arguments, f"{oid}:{BRANCH}", *refspecs], self.repository.top)
        except GitTimeout as error:
            raise PushUnconfirmed(str(error)) from None
        if completed.returncode == 0:
            return
        lines = (
            (completed.stdout + b"\n" + completed.stderr).decode("utf-8", "replace").splitlines()
        )
        refused = [line for line in lines if line.startswith("!") and BRANCH in line]
        output = " ".join(" ".join(lines).split())
        matches = [PUSH_REJECTED.search(line) for line in refused]
        tags = [line for line in lines if line.startswith("!") and "already exists" in line]
        # all is refused where one tag is; where somebody was first, so are their tags
        if tags and all(match is None or match[0].startswith("atomic") for match in matches):
            raise LedgerError(
                f"{self.name} has a tag that is not the ledger's: {tags[0][1:].strip()}; remove "
                "it there, or do without tags for GTO: git config lockgate.mirror false"
            )
        if any(matches) and "cannot create" not in output:
            raise PushRejected(output)
        if refused or "denied" in output.lower() or "could not read" in output:
            raise LedgerError(f"{self.name} does not take the event: {output[-400:]}")
        raise PushUnconfirmed(output[-300:])


def remote_of(repository: Repository) -> Remote | None:
    """Return the remote that holds the shared ledger, or None where the ledger is only here.

    `git config lockgate.remote NAME` says which; `none` keeps the ledger to this
    clone. Without it, `origin` is taken where there is one.
    """
    settings = repository.settings
    setting = settings.get("lockgate.remote")
    urls = (re.fullmatch(r"remote\.(.*)\.url", key) for key in settings)
    names = sorted({match[1] for match in urls if match})
    if setting == "none":
        return None
    if setting is None and len(names) > 0 and "origin" not in names:
        raise LedgerError(
            f"which remote holds the ledger: {', '.join(names)}? git config lockgate.remote NAME, "
            "or none to keep it here"
        )
    if setting is None:
        return Remote(repository, "origin") if names else None
    if setting not in names:
        raise LedgerError(
            f"lockgate.remote is {setting!r}, and there are {', '.join(names) or 'no remotes'}; "
            "git config lockgate.remote NAME, or none"
        )
    return Remote(repository, setting)
