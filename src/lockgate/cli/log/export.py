"""``lockgate export``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

__all__ = ["command"]

DATE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.command("export")
@click.argument(
    "directory", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.argument("target", metavar="OUT.parquet", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--model", help="Which model; not needed where there is one.")
@click.option("--since", type=DATE, help="From then on, UTC.")
@click.option("--until", type=DATE, help="Before then, UTC.")
@click.option("--force", is_flag=True, help="Overwrite OUT.")
def command(
    directory: Path,
    target: Path,
    model: str | None,
    since: datetime | None,
    until: datetime | None,
    force: bool,
) -> int:
    """Write the prediction log of DIR to a Parquet file, labels joined to their answers.

    \b
    lockgate export /srv/churn march.parquet --since 2026-03-01 --until 2026-04-01

    One row for each row answered: id, time, version, bundle, the inputs that are
    kept, label, score, and, where it came, the truth.
    """
    from tqdm import tqdm

    from lockgate.deployment.directory import Deployment
    from lockgate.errors import UsageError
    from lockgate.prediction_log.export import export

    if target.exists() and not force:
        raise UsageError(f"{target} is there already; --force overwrites it")
    with tqdm(unit=" rows", unit_scale=True, disable=None) as bar:
        row_count = export(
            Deployment(directory),
            target,
            model=model,
            since=_microseconds(since, 0),
            until=_microseconds(until, 1 << 62),
            on_written=bar.update,
        )
    click.echo(f"{row_count:,} rows: {target}")
    return 0


def _microseconds(date: datetime | None, default: int) -> int:
    return default if date is None else int(date.replace(tzinfo=UTC).timestamp() * 1e6)
