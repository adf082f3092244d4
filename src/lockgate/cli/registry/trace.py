"""``lockgate trace``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from lockgate.cli.terminal.repository import repository_option

__all__ = ["command"]


@click.command("trace")
@click.argument("subject", metavar="ID|NAME@VERSION|BUNDLE")
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
@repository_option
def command(subject: str, directory: Path | None, page: Path | None, shown: bool, root: str) -> int:
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
    prediction, name, version = _identify(subject, directory, root)
    report = _read_version_report(root, name, version) if name else None
    if page is None and not shown:
        document = {
            **(prediction or {}),
            **({"ledger": report} if prediction and report else report or {}),
        }
        click.echo(json.dumps(document, indent=1, default=str))
        return 0
    return _show_page(report, prediction, page, shown=shown)


def _identify(
    subject: str, directory: Path | None, root: str
) -> tuple[dict[str, Any] | None, str | None, str | None]:
    """Return what is known of an answer, and the model and version that it is about."""
    from lockgate.data.io.digests import sha256_file
    from lockgate.errors import LedgerError
    from lockgate.models.bundle.manifest import MANIFEST, read_manifest

    if (Path(subject) / MANIFEST).is_file():
        name = read_manifest(Path(subject)).name
        digest = sha256_file(Path(subject) / MANIFEST)
        record = _find_version_by_digest(root, digest, name)
        if record is None:
            raise LedgerError(
                f"the bundle {subject} ({digest[:12]}) is no version; lockgate register"
            )
        return None, record.name, record.version
    if "@" in subject:
        return None, *_resolve_version(subject, root)
    prediction = _find_prediction(subject, directory)
    record = _find_version_by_digest(root, prediction["bundle"], prediction["model"])
    return prediction, *((record.name, record.version) if record else (None, None))


def _find_version_by_digest(root: str, digest: str, name: str) -> Any:
    from lockgate.cli.terminal.repository import open_ledger
    from lockgate.errors import LedgerError, MissingExtra
    from lockgate.registry.report.version_report import find_version_by_digest

    try:
        return find_version_by_digest(open_ledger(root).state, digest, name)
    except (LedgerError, MissingExtra):  # served without a ledger, or elsewhere
        return None


def _resolve_version(subject: str, root: str) -> tuple[str, str]:
    from lockgate.cli.terminal.repository import fetch_ledger
    from lockgate.registry.versioning import address

    name, version_or_stage = address(subject)
    current = fetch_ledger(root).current(name, version_or_stage or "")
    return name, current.slot.version if current else str(version_or_stage)


def _read_version_report(root: str, name: str, version: str | None) -> dict[str, Any]:
    from lockgate.cli.terminal.repository import open_ledger
    from lockgate.registry.report.version_report import version_report

    return version_report(open_ledger(root), name, version)


def _find_prediction(prediction_id: str, directory: Path | None) -> dict[str, Any]:
    from lockgate.deployment.directory import Deployment
    from lockgate.deployment.private import private_root
    from lockgate.errors import LogError
    from lockgate.prediction_log.trace import trace

    folders = [directory] if directory else sorted(private_root().glob("*"))
    for folder in folders:
        prediction = trace(Deployment(folder), prediction_id)
        if prediction is not None:
            return prediction
    searched = str(directory) if directory else f"{len(folders)} directories of {private_root()}"
    raise LogError(
        f"no answer {prediction_id[:80]!r} in {searched}: given elsewhere, not logged, or deleted by age"
    )


def _show_page(
    report: dict[str, Any] | None,
    prediction: dict[str, Any] | None,
    page: Path | None,
    *,
    shown: bool,
) -> int:
    import tempfile
    import webbrowser

    from lockgate.data.io.atomic import write_file
    from lockgate.errors import LedgerError
    from lockgate.registry.report.version_page import version_page

    if report is None:
        raise LedgerError("the ledger of this repository does not know the version; -C FOLDER")
    if page is None:
        page = Path(tempfile.mkdtemp(prefix="lockgate-")) / "trace.html"
    write_file(page, version_page(report, prediction))
    click.echo(f"written: {page}")
    if shown and not webbrowser.open(page.absolute().as_uri()):
        click.echo("no browser to show it in", err=True)
    return 0
