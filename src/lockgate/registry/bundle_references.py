"""Finds the bundle that a reference names: a version, a stage, or a revision of Git."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lockgate.data.io.visible import visible
from lockgate.errors import LedgerError, UsageError
from lockgate.registry.bundle_source import find_named_digest
from lockgate.registry.bundle_store import bundle_at_commit, bundle_of
from lockgate.registry.git.commands import run_git
from lockgate.registry.ledger import rules
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.repository import Repository
from lockgate.registry.ledger.state import VersionRecord
from lockgate.registry.ledger.trust import read_from_commit
from lockgate.registry.versioning import parse_reference

__all__ = ["NamedBundle", "find_bundle", "find_version_by_reference"]


@dataclass(frozen=True)
class NamedBundle:
    """A bundle that a reference names.

    Attributes
    ----------
    label : str
        How it is called in texts.
    folder : pathlib.Path
        Its folder.

    """

    label: str
    folder: Path


def find_bundle(reference: str, project: Path) -> NamedBundle:
    """Find a bundle.

    Parameters
    ----------
    reference : str
        ``NAME@VERSION`` or ``NAME@STAGE`` of the ledger; or an experiment of DVC, a branch, a tag
        or a commit of Git.
    project : pathlib.Path
        Folder of the project, whose ledger and ``bundle`` are meant.

    Raises
    ------
    UsageError
        If it names none of these.
    LedgerError
        If its files are not here, and DVC cannot get them.

    """
    try:
        repository = Repository.find(project)
    except LedgerError:
        raise UsageError(
            f"{visible(reference, limit=80)!r} is not a folder, and {project} is not in a Git "
            "repository, where it could be a version, a stage or an experiment"
        ) from None
    if "@" in reference and "@{" not in reference:  # the latter is Git's, e.g. HEAD@{1}
        record = find_version_by_reference(EventLog(repository.top), reference)
        return NamedBundle(f"{record.name}@{record.version}", bundle_of(repository, record))
    commit = _find_commit(reference, repository)
    path = (project.resolve() / "bundle").relative_to(repository.top.resolve()).as_posix()
    named = find_named_digest(lambda file: read_from_commit(repository, commit, file), path)
    if named is None:
        raise UsageError(f"the files of DVC in {reference} name no bundle at {path}")
    return NamedBundle(reference, bundle_at_commit(repository, path, named[1], commit))


def find_version_by_reference(ledger: EventLog, reference: str) -> VersionRecord:
    """Return the version that ``NAME``, ``NAME@VERSION`` or ``NAME@STAGE`` names.

    Raises
    ------
    LedgerError
        If it is not registered, or the stage is empty.

    """
    name, version = parse_reference(reference)
    if version is not None and version in ledger.state.stages(name):
        current = ledger.current(name, version)
        version = version if current is None else current.slot.version
    elif any(event.stage == version for event in ledger.history(name)):
        raise LedgerError(
            f"no version of {name} is in {version} now; `lockgate history` has those before"
        )
    return rules.find_version(ledger.state, name, version)


def _find_commit(reference: str, repository: Repository) -> str:
    """Return the commit of a revision, or of an experiment of DVC."""
    if not reference.startswith("-"):
        command = ["rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}"]
        completed = run_git(command, repository.top)
        if completed.returncode == 0:
            return completed.stdout.decode().strip()
        commits = _find_experiments(reference, repository)
        if len(commits) > 1:
            raise UsageError(
                f"{len(commits)} experiments are called {visible(reference, limit=80)!r}: name one "
                f"by its commit, {' or '.join(commit[:12] for commit in commits)}"
            )
        if commits:
            return commits[0]
    raise UsageError(
        f"{visible(reference, limit=80)!r} is not a bundle: expected a folder, NAME@VERSION, "
        "NAME@STAGE, or an experiment of DVC or another revision of Git"
    )


def _find_experiments(name: str, repository: Repository) -> list[str]:
    """Return the commits of the experiments of DVC with a name, which start from different ones."""
    command = ["for-each-ref", "--format=%(refname) %(objectname)", "refs/exps"]
    lines = run_git(command, repository.top).stdout.decode("utf-8", "replace").splitlines()
    references = [line.partition(" ") for line in lines]
    # refs/exps/<two digits>/<38 digits of the commit that it starts from>/<name>
    return [
        commit
        for refname, _, commit in references
        if refname.count("/") == 4 and refname.rpartition("/")[2] == name
    ]
