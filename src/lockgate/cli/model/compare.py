"""``lockgate compare``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from lockgate.cli.terminal.bundle import default_bundle
from lockgate.cli.terminal.comparison import comparison_json, comparison_lines
from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.status_line import status_line
from lockgate.data.io.atomic import write_file

__all__ = ["command"]

OUTPUT = click.Path(dir_okay=False, path_type=Path)


@click.command(
    "compare",
    epilog=examples("""
        lockgate compare shop@prod
        lockgate compare shop@1.2.0 shop@1.3.0 --data march.csv --page comparison.html
        lockgate compare bundle other/bundle --data march.csv --differing rows.csv
        lockgate compare main deeper-trees
    """),
)
@click.argument("first")
@click.argument("second", default=lambda: str(default_bundle()))
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Labelled rows, CSV or Parquet.",
    show_default="the project's test rows, if one of the two is its bundle",
)
@click.option("--page", type=OUTPUT, metavar="FILE", help="Also write it as an HTML page.")
@click.option(
    "--differing",
    type=OUTPUT,
    metavar="FILE",
    help="Also write the rows that both predict differently, with both predictions, as CSV.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def command(
    first: str,
    second: str,
    data: Path | None,
    page: Path | None,
    differing: Path | None,
    as_json: bool,
) -> int:
    """Compare two bundles: which is better, beyond chance, where, and at what cost.

    FIRST and SECOND are each a bundle's folder, NAME@VERSION or NAME@STAGE of the
    ledger, or an experiment of DVC or another revision of Git; without SECOND, the
    bundle of the project. Both predict the same rows. The change of each metric has a
    95 % interval, from rows that are resampled for both alike; the first metric, which
    the model is tuned by or the value of decisions, says which of the two is better.
    Without rows the metrics that both report are shown beside each other.
    """
    from lockgate.registry.compare import compare

    _check_outputs(data, page, differing)
    with status_line() as on_status:
        comparison = compare(
            first, second, data, project=default_bundle().parent, on_status=on_status
        )
    if differing is not None and comparison.differing is None:
        raise click.UsageError("--differing needs rows: pass --data FILE")
    if page is not None:
        write_file(page, comparison.html_page())
    if differing is not None and comparison.differing is not None:
        write_file(differing, comparison.differing.to_csv(index=False))
    if as_json:
        click.echo(json.dumps(comparison_json(comparison), indent=1))
    else:
        click.echo("\n".join(comparison_lines(comparison)))
    return 0


def _check_outputs(data: Path | None, page: Path | None, differing: Path | None) -> None:
    """Refuse files that would be written over each other, or over the rows."""
    files = {"--data": data, "--page": page, "--differing": differing}
    named = {option: file.resolve() for option, file in files.items() if file is not None}
    options = list(named)
    for k, option in enumerate(options):
        if named[option].is_dir():
            raise click.UsageError(f"{option} names a folder, expected a file")
        for other in options[:k]:
            if named[other] == named[option]:
                raise click.UsageError(f"{other} and {option} name the same file")
