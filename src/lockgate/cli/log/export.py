"""``lockgate log export``."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click
from tqdm import tqdm

from lockgate.cli.terminal.examples import examples
from lockgate.errors import UsageError
from lockgate.prediction_log.export import export

__all__ = ["command"]

DATE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.command(
    "export",
    epilog=examples("""
        lockgate log export /srv/churn march.parquet --since 2026-03-01 --until 2026-04-01
        lockgate log export /srv/shop all.parquet --model churn
    """),
)
@click.argument(
    "directory", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.argument("target", metavar="OUT.parquet", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--model", help="Name of the model; needed only if there are several.")
@click.option("--version", help="Version of the model; all of them by default.")
@click.option("--since", type=DATE, help="First day or time to export, UTC.")
@click.option("--until", type=DATE, help="Day or time at which to stop, UTC.")
@click.option("--force", is_flag=True, help="Overwrite OUT.parquet.")
def command(
    directory: Path,
    target: Path,
    model: str | None,
    version: str | None,
    since: datetime | None,
    until: datetime | None,
    force: bool,
) -> int:
    """Export the prediction log of DIR to a Parquet file, joined with the labels.

    The file has one row per predicted row: the logged inputs and the target by
    their own names, so that `lockgate evaluate` reads it as it is, and beside them
    prediction.id, prediction.time, prediction.version, prediction.label (of a
    regression prediction.value, or prediction.value_TARGET of each of several targets),
    prediction.score and more. The target is empty until it is recorded with `lockgate log
    label`. Damaged files of the log are named, and left out.
    """
    if target.suffix.lower() not in (".parquet", ".pq"):
        raise UsageError(f"{target} ends in {target.suffix!r}; an export is written as .parquet")
    if target.exists() and not force:
        raise UsageError(f"{target} already exists: pass --force to overwrite it")
    with tqdm(unit=" rows", unit_scale=True, disable=None) as bar:
        row_count = export(
            directory,
            target,
            model=model,
            version=version,
            since=since,
            until=until,
            on_written=bar.update,
            on_damaged=lambda message: bar.write(f"left out: {message}", file=sys.stderr),
        )
    click.echo(f"{row_count:,} rows: {target}")
    return 0
