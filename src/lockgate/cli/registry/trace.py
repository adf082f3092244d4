"""``lockgate trace``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from lockgate.cli.terminal.repository import in_repository

__all__ = ["command"]


@click.command("trace")
@click.argument("what", metavar="ID|NAME@VERSION|BUNDLE")
@click.option(
    "--here",
    "directory",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Deployment directory; by default those of `lockgate serve BUNDLE`.",
)
@click.option(
    "--page",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write one HTML page instead.",
)
@click.option("--open", "shown", is_flag=True, help="And show it in a browser.")
@in_repository
def command(what: str, directory: Path | None, page: Path | None, shown: bool, root: str) -> int:
    """Say all about an answer, a version, or a bundle.

    \b
    lockgate trace abandonwhat23456-1f --here /srv/churn
    lockgate trace abandonwhat23456-1f.3       # row 3 of that request
    lockgate trace fraud@1.4.0 --open
    lockgate trace fraud@prod                  # what is in production
    lockgate trace bundle/

    Of an answer: inputs, outputs, what later turned out to be true, and the
    version that gave it. Of a version: commit, data, parameters, environment,
    what changed since the one before, gates, and who did what with it.
    """
    answer, name, version = _found(what, directory, root)
    told_ = _told(root, name, version) if name else None
    if page is None and not shown:
        both = {**(answer or {}), **({"ledger": told_} if answer and told_ else told_ or {})}
        click.echo(json.dumps(both, indent=1, default=str))
        return 0
    return _show(told_, answer, page, shown=shown)


def _found(
    what: str, directory: Path | None, root: str
) -> tuple[dict[str, Any] | None, str | None, str | None]:
    """Return what is known of an answer, and the model and version that it is about."""
    from lockgate.data.io.digests import sha256_file
    from lockgate.errors import LedgerError
    from lockgate.models.bundle.manifest import MANIFEST, read_manifest

    if (Path(what) / MANIFEST).is_file():
        name = read_manifest(Path(what)).name
        digest = sha256_file(Path(what) / MANIFEST)
        record = _by_digest(root, digest, name)
        if record is None:
            raise LedgerError(f"the bundle {what} ({digest[:12]}) is no version; lockgate register")
        return None, record.name, record.version
    if "@" in what:
        return None, *_version(what, root)
    answer = _answer(what, directory)
    record = _by_digest(root, answer["bundle"], answer["model"])
    return answer, *((record.name, record.version) if record else (None, None))


def _by_digest(root: str, digest: str, name: str) -> Any:
    from lockgate.cli.terminal.repository import opened
    from lockgate.errors import LedgerError, MissingExtra
    from lockgate.registry.report.version_report import version_of

    try:
        return version_of(opened(root).state, digest, name)
    except (LedgerError, MissingExtra):  # served without a ledger, or elsewhere
        return None


def _version(what: str, root: str) -> tuple[str, str]:
    from lockgate.cli.terminal.repository import fetched
    from lockgate.registry.versioning import address

    name, said = address(what)
    standing = fetched(root).current(name, said or "")
    return name, standing.slot.version if standing else str(said)


def _told(root: str, name: str, version: str | None) -> dict[str, Any]:
    from lockgate.cli.terminal.repository import opened
    from lockgate.registry.report.version_report import version_report

    return version_report(opened(root), name, version)


def _answer(receipt: str, directory: Path | None) -> dict[str, Any]:
    from lockgate.deployment.directory import Deployment
    from lockgate.deployment.private import private_root
    from lockgate.errors import LogError
    from lockgate.prediction_log.trace import trace

    folders = [directory] if directory else sorted(private_root().glob("*"))
    for folder in folders:
        found = trace(Deployment(folder), receipt)
        if found is not None:
            return found
    looked = str(directory) if directory else f"{len(folders)} directories of {private_root()}"
    raise LogError(
        f"no answer {receipt[:80]!r} in {looked}: given elsewhere, not logged, or deleted by age"
    )


def _show(
    found: dict[str, Any] | None, answer: dict[str, Any] | None, page: Path | None, *, shown: bool
) -> int:
    import tempfile
    import webbrowser

    from lockgate.data.io.atomic import write_file
    from lockgate.errors import LedgerError
    from lockgate.registry.report.version_page import version_page

    if found is None:
        raise LedgerError("the ledger of this repository does not know the version; -C FOLDER")
    if page is None:
        page = Path(tempfile.mkdtemp(prefix="lockgate-")) / "trace.html"
    write_file(page, version_page(found, answer))
    click.echo(f"written: {page}")
    if shown and not webbrowser.open(page.absolute().as_uri()):
        click.echo("no browser to show it in", err=True)
    return 0
