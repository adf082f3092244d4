"""``lockgate trace``."""

from __future__ import annotations

import json
import tempfile
import webbrowser
from pathlib import Path

import click

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.repository import repository_option
from lockgate.data.io.atomic import write_file
from lockgate.data.io.visible import visible
from lockgate.prediction_log.lineage import trace_lineage

__all__ = ["command"]


@click.command(
    "trace",
    epilog=examples("""
        lockgate trace abandonwhat23456-1f --here /srv/churn
        lockgate trace abandonwhat23456-1f.3       # row 3 of that request
        lockgate trace fraud@1.4.0 --open
        lockgate trace fraud@prod                  # the version in production
        lockgate trace bundle/
    """),
)
@click.argument("subject", metavar="ID|NAME@VERSION|BUNDLE")
@click.option(
    "--here",
    "directory",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Deployment directory.",
    show_default="those of `lockgate serve BUNDLE`",
)
@click.option(
    "--page",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write an HTML page instead of printing JSON.",
)
@click.option("--open", "open_browser", is_flag=True, help="Open the HTML page in a browser.")
@repository_option
def command(
    subject: str, directory: Path | None, page: Path | None, open_browser: bool, root: str
) -> int:
    """Show where a prediction, a version or a bundle comes from.

    For a prediction: its inputs, outputs and labels, and the version that made
    it. For a version or bundle: commit, data, parameters, environment, changes
    since the previous version, gates, and events. ID is the id in the server's
    response.
    """
    lineage = trace_lineage(
        subject,
        directory=directory,
        ledger=root,
        on_warning=lambda message: click.echo(f"note: {visible(message, limit=None)}", err=True),
    )
    if page is None and not open_browser:
        click.echo(json.dumps(lineage.as_dict(), indent=1, default=str))
        return 0
    html = lineage.as_html()
    if page is None:
        page = Path(tempfile.mkdtemp(prefix="lockgate-")) / "trace.html"
    write_file(page, html)
    click.echo(f"written: {page}")
    if open_browser and not webbrowser.open(page.absolute().as_uri()):
        click.echo("no browser is available", err=True)
    return 0
