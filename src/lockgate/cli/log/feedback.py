"""``lockgate feedback``."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("feedback")
@click.argument("source", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--here",
    "directory",
    required=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Deployment directory.",
)
@click.option("--key", metavar="COLUMN", help="Column with your own key of the row.")
@click.option("--id", "id_column", metavar="COLUMN", help="Column with the id of the answer.")
@click.option("--label", default="label", show_default=True, help="Column with what is true.")
def command(
    source: Path, directory: Path, key: str | None, id_column: str | None, label: str
) -> int:
    """Tell the prediction log of DIR what turned out to be true.

    \b
    lockgate feedback chargebacks.csv --here /srv/fraud --key transaction_id --label fraud
    lockgate feedback april.parquet --here /srv/churn --id id --label churned

    FILE ends in .csv, .parquet, .arrow, .ndjson or .jsonl. Labels may come again:
    the latest one counts. Keys are joined with those that the server was told to
    keep (`lockgate serve --key COLUMN`).
    """
    from tqdm import tqdm

    from lockgate.deployment.directory import Deployment
    from lockgate.errors import UsageError
    from lockgate.prediction_log.feedback import import_labels

    if (key is None) == (id_column is None):
        raise UsageError("say by what labels are joined: --key COLUMN or --id COLUMN")
    with tqdm(unit=" labels", unit_scale=True, disable=None) as bar:
        counts = import_labels(
            Deployment(directory),
            source,
            by=key or id_column or "",
            label=label,
            ids=id_column is not None,
            on_written=bar.update,
        )
    click.echo(f"{counts.labels:,} labels taken")
    if counts.empty:
        click.secho(f"{counts.empty:,} rows without a key or a label were left out", fg="yellow")
    return 0
