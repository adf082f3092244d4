"""``lockgate predict``."""

from __future__ import annotations

import os
from pathlib import Path

import click
from tqdm import tqdm

from lockgate.cli.terminal.examples import examples
from lockgate.contract.explanation import Against
from lockgate.errors import UsageError

__all__ = ["command"]


@click.command(
    "predict",
    epilog=examples("""
        lockgate predict bundle march.parquet predictions.parquet
        lockgate predict bundle customers.csv predictions.csv --keep customer_id
        lockgate predict bundle customers.csv predictions.csv --explain 3
    """),
)
@click.argument("bundle", type=click.Path(file_okay=False, path_type=Path))
@click.argument("source", metavar="IN", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--keep", multiple=True, metavar="COLUMN", help="Column of IN to copy to OUT; may be repeated."
)
@click.option(
    "--threads",
    default=0,
    type=click.IntRange(0),
    help="Threads; 0 uses every core.",
    show_default=True,
)
@click.option(
    "--max-unknown",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="Exit with 4 if a larger share of a column holds unknown categories.",
    show_default="off",
)
@click.option("--engine", metavar="NAME", help="Engine for tree models, e.g. numba.")
@click.option(
    "--contract",
    default="enforce",
    type=click.Choice(["enforce", "report", "ignore"]),
    help="Rows that violate the bundle's data contract: reject, report, or do not check.",
    show_default=True,
)
@click.option(
    "--explain",
    default=0,
    type=click.IntRange(0),
    metavar="N",
    help="Write the N columns of each row that contribute most to its prediction.",
    show_default="off",
)
@click.option(
    "--against",
    default="reference",
    type=click.Choice(["reference", "training"]),
    help="What --explain compares with: medians and modes, or the training rows of trees.",
    show_default=True,
)
@click.option("--force", is_flag=True, help="Overwrite OUT.")
def command(
    bundle: Path,
    source: Path,
    target: Path,
    keep: tuple[str, ...],
    threads: int,
    max_unknown: float | None,
    engine: str | None,
    contract: str,
    explain: int,
    against: Against,
    force: bool,
) -> int:
    """Predict every row of IN with a bundle, and write the predictions to OUT.

    Files end in .csv, .tsv, .csv.gz, .tsv.gz, .parquet, .arrow, .feather, .ndjson
    or .jsonl and may be larger than memory; CSV files are read as those that the
    model was trained on. An interrupted run continues where it stopped. OUT has
    the row number, the columns of --keep, the label, and the score (score_CLASS for
    each of several classes), or the margin of a model without scores (of clusters the
    distance to each centre); of a regression, the value, or value_TARGET of each of several
    targets. Intervals are low and high, sets
    of classes a JSON array. With --explain, reason_1 is the column that contributes most
    to the prediction and contribution_1 how much, to the margin (of models without one
    the score, or the value), and so on. Rows with invalid values are written to
    OUT.rejected.ndjson, each with the reason. Columns with many categories that
    training did not have are reported. Where the bundle has a data contract, so are
    violations of it, by column; rows that violate it are rejected. What an engine
    computes is compared with the model for 1,000 rows; one that differs is refused,
    and OUT is not written.

    Exit codes: 0, all rows were predicted; 1, some were rejected; 2, nothing was
    written; 3, an engine failed or differs, and nothing was written; 4, a column
    holds more unknown categories than --max-unknown allows.
    """
    from lockgate.batch.predict_file import predict_file
    from lockgate.data.io.files import count_rows
    from lockgate.models.bundle.open import open_bundle

    if against != "reference" and not explain:
        raise UsageError("--against says what --explain compares with; add --explain N")
    opened = open_bundle(bundle)
    total = count_rows(source) if source.is_file() else None
    with tqdm(total=total, unit=" rows", unit_scale=True, disable=None) as bar:
        result = predict_file(
            opened,
            source,
            target,
            keep=keep,
            threads=threads or len(os.sched_getaffinity(0)),
            engine=engine,
            contract=contract,
            explain=explain,
            against=against,
            force=force,
            on_progress=lambda rows: bar.update(rows),
        )
    if result.resumed:
        click.echo(f"{result.resumed:,} rows were predicted by an earlier run")
    click.echo(f"{result.predicted_rows:,} rows predicted: {target}")
    if result.comparison is not None:
        click.echo(f"engine {engine}: {result.comparison}")
    if result.rejected is not None:
        click.secho(f"{result.rejected_rows:,} rows rejected: {result.rejected}", fg="yellow")
    for violation in result.violations:
        click.secho(f"data contract: {violation}", fg="yellow", err=True)
    for warning in result.warnings:
        click.secho(warning, fg="yellow", err=True)
    share = result.filled.largest_unknown_share()
    if max_unknown is not None and share > max_unknown:
        click.secho(
            f"{share:.1%} of a column's cells are unknown categories; --max-unknown allows "
            f"{max_unknown:.1%}",
            fg="red",
            err=True,
        )
        return 4
    return 1 if result.rejected_rows else 0
