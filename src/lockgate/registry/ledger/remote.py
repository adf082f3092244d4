"""The shared ledger: a protected branch of a remote, fetched and pushed without force."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lockgate.errors import LedgerError, LedgerTampered, RemoteUnavailable
from lockgate.registry.git.commands import GitTimeout, run_git
from lockgate.registry.git.objects import free_lock
from lockgate.registry.ledger.repository import Repository

__all__ = [
    "BRANCH",
    "TRUSTED",
    "PushRejected",
    "PushUnconfirmed",
    "Remote",
    "branch_name",
    "is_pushed",
    "main_setting",
    "remote_of",
    "trusted_ref",
]

BRANCH = "refs/heads/lockgate/ledger"

TRUSTED = "refs/lockgate/trusted"
"""Where this clone keeps the main branch of each remote, which has the policy."""

FETCH = ("fetch", "--no-progress", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")

NO_REF = "couldn't find remote ref"
"""What Git prints where the remote lacks a branch."""

PUSH_REJECTED = re.compile(
    r"fetch first|non-fast-forward|stale info|cannot lock ref|failed to update ref|"
    r"incorrect old value|reference already exists|failed to lock|is at [0-9a-f]+ but expected|"
    r"atomic (push|transaction) failed"
)
"""What Git prints where another push was first."""


class PushRejected(Exception):
    """Another push was first."""


class TagExists(LedgerError):
    """The remote has another tag of that name, for good or since a faster writer's push."""


class PushUnconfirmed(Exception):
    """A push was sent, and it is unknown whether it was accepted."""


@dataclass(frozen=True)
class Remote:
    """A remote that shares the ledger.

    Attributes
    ----------
    repository : Repository
        The local clone.
    name : str
        Name of the remote in Git's configuration.

    """

    repository: Repository
    name: str

    @property
    def tracking(self) -> str:
        """Reference to the last event of the remote that this clone has checked."""
        return f"refs/lockgate/remotes/{self.name}"

    @property
    def incoming(self) -> str:
        """Reference to what the last fetch brought, checked or not."""
        return f"refs/lockgate/incoming/{self.name}"

    def fetch(self) -> str | None:
        """Fetch the ledger and return its tip, unchecked; None where it does not exist yet.

        Raises
        ------
        RemoteUnavailable
            If it cannot be reached.
        LedgerTampered
            If its ledger was there and is gone, or it has no main branch.

        """
        before = self.repository.store.ref(self.tracking)
        stderr = self._run_fetch(self.ledger_refspec, self.main_refspec)
        if NO_REF in stderr and BRANCH not in stderr:
            self._check_no_main()
            stderr = self._run_fetch(self.ledger_refspec)
        if not stderr:
            return self.repository.store.ref(self.incoming)
        if NO_REF in stderr:
            if before is not None:
                raise LedgerTampered(
                    f"{self.name} no longer has {BRANCH}; its last known commit {before[:12]} is "
                    f"kept here as {self.tracking}; to restore it: git push {self.name} "
                    f"{self.tracking}:{BRANCH}"
                )
            stderr = self._run_fetch(self.main_refspec)
            if NO_REF in stderr:
                self._check_no_main()
            if not stderr or NO_REF in stderr:
                return None
        raise RemoteUnavailable(f"{self.name} cannot be reached: {stderr[-300:]}")

    def _check_no_main(self) -> None:
        """Check that a remote without a main branch has no other: whoever pushes it would decide.

        The remote's ``HEAD`` may name a branch that does not exist, while another is protected.
        """
        branches = [ref for ref in self._list("--heads") if ref != BRANCH]
        names = ", ".join(branch_name(ref) for ref in branches[:5])
        configured = main_setting(self.repository)
        if branches and configured:
            raise LedgerTampered(
                f"lockgate.main is {configured!r}, which {self.name} does not have; it has: {names}"
            )
        if branches:
            raise LedgerTampered(
                f"the default branch of {self.name} does not exist: whoever pushes it would "
                f"decide on the policy; {self.name} has: {names}; name the protected one: git "
                "config lockgate.main BRANCH"
            )

    @property
    def ledger_refspec(self) -> str:
        """What to fetch of the ledger, and where to; a mistake may be taken back, hence the +."""
        return f"+{BRANCH}:{self.incoming}"

    @property
    def main_refspec(self) -> str:
        """What to fetch of the main branch, and where to."""
        # the full name: a tag of the same name, which others may push, would come first
        configured = main_setting(self.repository)
        branch = f"refs/heads/{branch_name(configured)}" if configured else "HEAD"
        return f"+{branch}:{trusted_ref(self.name, configured)}"

    def _run_fetch(self, *refspecs: str) -> str:
        """Fetch, and return the error output of Git; empty if it succeeded."""
        for _ in range(60):
            completed = run_git([*FETCH, self.name, *refspecs], self.repository.top)
            stderr = " ".join(completed.stderr.decode("utf-8", "replace").split())
            targets = [refspec.partition(":")[2] for refspec in refspecs]
            locks = [ref for ref in targets if ref in stderr]
            if "cannot lock ref" not in stderr or not locks:
                return stderr if completed.returncode else ""
            for name in locks:  # of another fetch of this clone, or left by a killed one
                free_lock(self.repository.folder, name)
        return stderr

    def tags(self) -> dict[str, str]:
        """Return the remote's tags and their object ids.

        Raises
        ------
        RemoteUnavailable
            If it cannot be reached.

        """
        return self._list("--tags")

    def fetch_tags(self, refs: Sequence[str]) -> None:
        """Fetch the objects of tags, without writing references."""
        if refs:
            run_git([*FETCH, self.name, *refs], self.repository.top)

    def _list(self, kind: str) -> dict[str, str]:
        """Return the references of a kind that the remote has."""
        completed = run_git(["ls-remote", kind, self.name], self.repository.top)
        if completed.returncode:
            stderr = " ".join(completed.stderr.decode("utf-8", "replace").split())
            raise RemoteUnavailable(f"{self.name} cannot be reached: {stderr[-300:]}")
        pairs = (line.split("\t", 1) for line in completed.stdout.decode().splitlines())
        return {ref: oid for oid, ref in pairs if not ref.endswith("^{}")}

    def push(self, oid: str, *refspecs: str) -> None:
        """Push a new tip together with other references, all or nothing.

        Raises
        ------
        PushRejected
            If another push was first.
        PushUnconfirmed
            If it is unknown whether the push was accepted.
        TagExists
            If the remote has a tag of that name. Git reads references one after the other: it may
            see the tag of a faster writer, and not yet its event.
        LedgerError
            If the remote refuses the push.

        """
        options = ["--porcelain", "--no-verify", "--atomic", "--no-signed", "--no-follow-tags"]
        arguments = ["push", *options, self.name]
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
        # one refused tag refuses all; a faster writer has pushed its tags, too
        if tags and all(match is None or match[0].startswith("atomic") for match in matches):
            ref = tags[0].partition(":")[2].partition("\t")[0]
            raise TagExists(
                f"{self.name} has another tag {ref.removeprefix('refs/tags/')}; lockgate sync "
                "replaces it if it is of the ledger; otherwise remove it: git push "
                f"{self.name} ':{ref}', or turn off the tags for GTO: git config lockgate.mirror "
                "false"
            )
        if any(matches) and "cannot create" not in output:
            raise PushRejected(output)
        if refused or "denied" in output.lower() or "could not read" in output:
            raise LedgerError(f"{self.name} refused the event: {output[-400:]}")
        raise PushUnconfirmed(output[-300:])


def main_setting(repository: Repository) -> str | None:
    """Return the main branch that ``git config lockgate.main`` names; None if it names none."""
    return repository.settings.get("lockgate.main") or None


def trusted_ref(remote: str, branch: str | None) -> str:
    """Return the reference to a remote's main branch in this clone, as of the last fetch."""
    return f"{TRUSTED}/{remote}/{'HEAD' if branch is None else f'heads/{branch_name(branch)}'}"


def is_pushed(repository: Repository, commit: str) -> bool:
    """Whether a branch of the remote has a commit, as of the last fetch or push."""
    remote = remote_of(repository)
    if remote is None:
        return False
    patterns = (f"refs/remotes/{remote.name}/", f"{TRUSTED}/{remote.name}/")
    arguments = ["for-each-ref", "--count=1", "--contains", commit, "--format=%(refname)"]
    completed = run_git([*arguments, *patterns], repository.top)
    return completed.returncode == 0 and bool(completed.stdout.strip())


def branch_name(name: str) -> str:
    """Return the short name of a branch that may be written in full."""
    return name.removeprefix("refs/heads/")


def remote_of(repository: Repository) -> Remote | None:
    """Return the remote that shares the ledger, or None for a ledger of this clone only.

    `git config lockgate.remote NAME` chooses it; `none` keeps the ledger in this
    clone. The default is `origin` where it exists.

    Raises
    ------
    LedgerError
        If there are remotes, none is called `origin`, and none was chosen; or the
        chosen one does not exist.

    """
    settings = repository.settings
    setting = settings.get("lockgate.remote")
    urls = (re.fullmatch(r"remote\.(.*)\.url", key) for key in settings)
    names = sorted({match[1] for match in urls if match})
    if setting == "none":
        return None
    if setting is None and len(names) > 0 and "origin" not in names:
        raise LedgerError(
            f"choose the remote that shares the ledger: {', '.join(names)}; git config "
            "lockgate.remote NAME, or none to keep the ledger in this clone"
        )
    if setting is None:
        return Remote(repository, "origin") if names else None
    if setting not in names:
        raise LedgerError(
            f"lockgate.remote is {setting!r}; available: {', '.join(names) or 'no remotes'}; git "
            "config lockgate.remote NAME, or none"
        )
    return Remote(repository, setting)
