"""``lockgate log label``."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from tqdm import tqdm

from lockgate.cli.terminal.examples import examples
from lockgate.errors import UsageError
from lockgate.prediction_log.feedback import import_labels

__all__ = ["command"]


@click.command(
    "label",
    epilog=examples("""
        lockgate log label chargebacks.csv --here /srv/fraud --key transaction_id --label fraud
        lockgate log label april.parquet --here /srv/churn --id id --label churned
    """),
)
@click.argument("source", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--here",
    "directory",
    required=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Deployment directory.",
)
@click.option(
    "--key", metavar="COLUMN", help="Column with the key of each row; see `lockgate serve --key`."
)
@click.option("--id", "id_column", metavar="COLUMN", help="Column with the prediction's id.")
@click.option(
    "--label",
    "labels",
    metavar="COLUMN",
    multiple=True,
    default=("label",),
    show_default=True,
    help="Column with the label. Repeatable: the columns of several targets.",
)
def command(
    source: Path, directory: Path, key: str | None, id_column: str | None, labels: tuple[str, ...]
) -> int:
    """Record labels, the true outcomes, for logged predictions of DIR.

    Labels are joined with predictions by your own key, which the server logs with
    `lockgate serve --key COLUMN`, or by the id in its responses. FILE ends in
    .csv, .parquet, .arrow, .ndjson or .jsonl. If a row gets several labels, the
    latest counts.
    """
    if (key is None) == (id_column is None):
        raise UsageError("expected either --key COLUMN or --id COLUMN, to join the labels by")
    if len(set(labels)) < len(labels):
        raise UsageError(f"--label names a column twice: {', '.join(labels)}")
    with tqdm(unit=" labels", unit_scale=True, disable=None) as bar:
        counts = import_labels(
            directory,
            source,
            by=key or id_column or "",
            label=labels,
            ids=id_column is not None,
            on_written=bar.update,
            on_damaged=lambda message: bar.write(f"left out: {message}", file=sys.stderr),
        )
    matching = ""
    if counts.keys:
        matching = f"; {counts.matching:,} of {counts.keys:,} keys match logged predictions"
    plural = "" if counts.labels == 1 else "s"
    click.echo(f"{counts.labels:,} label{plural} recorded{matching}")
    if counts.example_key.endswith(".0") and counts.matching < counts.keys:
        click.secho(
            f"keys such as {counts.example_key} are other keys than "
            f"{counts.example_key.removesuffix('.0')}: pandas writes whole numbers so, if the "
            "column has missing values; write them as integers (Int64)",
            fg="yellow",
        )
    if counts.unknown:
        click.secho(
            f"{counts.unknown:,} ids are not in the log, e.g. {counts.example}: "
            "their labels were not recorded",
            fg="yellow",
        )
    if counts.empty:
        click.secho(f"{counts.empty:,} rows without a key or label were skipped", fg="yellow")
    return 0
