"""``lockgate predict``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

__all__ = ["command"]


@click.command("predict")
@click.argument("bundle", type=click.Path(file_okay=False, path_type=Path))
@click.argument("source", metavar="IN", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--keep", multiple=True, metavar="COLUMN", help="Copy it beside the answers.")
@click.option("--threads", default=0, type=click.IntRange(0), help="0: one a core.")
@click.option("--engine", metavar="NAME", help="Another way to walk trees, e.g. numba.")
@click.option("--force", is_flag=True, help="Overwrite OUT.")
def command(
    bundle: Path,
    source: Path,
    target: Path,
    keep: tuple[str, ...],
    threads: int,
    engine: str | None,
    force: bool,
) -> int:
    """Answer for every row of IN, and write OUT.

    \b
    lockgate predict bundle march.parquet answers.parquet
    lockgate predict bundle customers.csv answers.csv --keep customer_id

    Files end in .csv, .parquet, .arrow, .feather, .ndjson or .jsonl and may be
    larger than memory. A run that was killed goes on where it stopped. Rows that
    the model refuses are in OUT.rejected.ndjson, with reasons; every row of IN is
    in one of the two files, once. OUT holds the row's number, the columns kept,
    the label, and the score or one score a class.

    Exit codes: 0, every row is answered; 1, some were refused; 2, nothing is done.
    """
    from tqdm import tqdm

    from lockgate.batch.predict_file import predict_file
    from lockgate.data.io.files import count_rows
    from lockgate.errors import UsageError
    from lockgate.models.bundle.open import open_bundle

    unfinished = target.with_name(f"{target.name}.parts").exists()
    if target.exists() and not force and not unfinished:
        raise UsageError(f"{target} is there already; --force overwrites it")
    opened = open_bundle(bundle)
    cores = threads or len(os.sched_getaffinity(0))
    total = count_rows(source) if source.is_file() else None
    with tqdm(total=total, unit=" rows", unit_scale=True, disable=None) as bar:
        result = predict_file(
            opened,
            source,
            target,
            keep=keep,
            threads=cores,
            engine=_load_engine(engine),
            on_progress=lambda rows: bar.update(rows),
        )
    if result.resumed:
        click.echo(f"{result.resumed:,} rows were done by an earlier run")
    click.echo(f"{result.answered:,} rows answered: {target}")
    if result.rejected is not None:
        click.secho(f"{result.refused:,} rows refused: {result.rejected}", fg="yellow")
    return 1 if result.refused else 0


def _load_engine(name: str | None) -> Any:
    from lockgate.plugins.host.catalogue import Catalogue
    from lockgate.plugins.host.host import Host

    if name is None:
        return None
    host = Host("predict")
    host.register("engine", name, Catalogue.installed().find("engine", name).load()())
    return host.call("engine", name)
