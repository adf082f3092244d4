"""``lockgate pack``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.settings import parse_kinds, parse_settings, split_setting
from lockgate.errors import NotCovered, UsageError
from lockgate.models.packing.pack_file import PackJob, PackResult, pack_file, pack_model_file
from lockgate.models.packing.row_files import detect_form

__all__ = ["command"]

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(
    "pack",
    epilog=examples("""
        lockgate pack churn.skops --data train.csv --target churned
        lockgate pack churn.joblib --data train.csv --target churned --trust-code
        lockgate pack churn.joblib --data train.csv --target churned --trust-code --dry-run
    """),
)
@click.argument("model", type=FILE)
@click.option("--data", required=True, type=FILE, help="Training rows, all or a sample.")
@click.option(
    "--target",
    "targets",
    metavar="COLUMN",
    multiple=True,
    help="Target column; leave it out for clusters and anomalies. Repeatable, in the order in "
    "which the model was fitted on several.",
)
@click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="How CSV files are written: encoding, delimiter, decimal, thousands, quote, missing. "
    "Repeatable.",
    show_default="detected",
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="COLUMN=KIND",
    help="Kind of a column that the model was fitted on, e.g. zip=category for 01067; may be "
    "repeated.",
)
@click.option("--name", help="Name of the model.", show_default="name of the file")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Directory to write.", show_default="the name"
)
@click.option("--tune", type=FILE, help="Rows not trained on, for --threshold f1 and --coverage.")
@click.option("--test", type=FILE, help="Rows not trained on, to evaluate the model.")
@click.option(
    "--threshold",
    metavar="NUMBER|f1",
    help="Score from which the positive class is predicted; f1 maximizes F1 on --tune.",
)
@click.option(
    "--coverage",
    type=float,
    metavar="SHARE",
    help="Share of later rows whose truth lies in the interval or set of a prediction; measured "
    "on --tune.",
    show_default="no intervals",
)
@click.option(
    "--positive",
    metavar="CLASS",
    default="",
    help="Class of two that scores, recall and the like are about.",
    show_default="the last in sorted order",
)
@click.option(
    "--declare",
    multiple=True,
    metavar="KEY=TEXT",
    help="Origin of the model, for the record, e.g. commit=1a2b3c; may be repeated.",
)
@click.option("--contract", type=FILE, help="Data contract for the bundle to carry.")
@click.option(
    "--trust-code", is_flag=True, help="Open a joblib or pickle file, which can run any code."
)
@click.option("--dry-run", is_flag=True, help="Only list the model's steps; write nothing.")
def command(
    model: Path,
    data: Path,
    targets: tuple[str, ...],
    settings: tuple[str, ...],
    kinds: tuple[str, ...],
    name: str | None,
    out: Path | None,
    tune: Path | None,
    test: Path | None,
    threshold: str | None,
    coverage: float | None,
    positive: str,
    declare: tuple[str, ...],
    contract: Path | None,
    trust_code: bool,
    dry_run: bool,
) -> int:
    """Pack MODEL, a skops, joblib or pickle file with a fitted model, into a bundle.

    The file is opened in a separate process. The bundle contains data only, no
    code, and its predictions are compared with the original model's.
    """
    job = PackJob(
        str(model),
        str(data),
        targets,
        trust_code,
        not dry_run,
        csv=detect_form(data, parse_settings(settings)),
        kinds=parse_kinds(kinds),
        positive=positive,
    )
    score_threshold = _parse_threshold(threshold)
    lineage = dict(split_setting(text, "--declare") for text in declare)
    if dry_run:
        result, raw = pack_file(job)
        _print_steps(result)
        if raw is None:
            raise NotCovered(str(result.error))
        click.echo("every step is supported; run without --dry-run to write the bundle")
        return 0
    bundle = pack_model_file(
        job,
        name=name,
        path=out,
        tune=tune,
        test=test,
        threshold=score_threshold,
        coverage=coverage,
        lineage=lineage,
        contract=contract,
        on_packed=_print_steps,
    )
    size = sum(path.stat().st_size for path in bundle.path.iterdir()) / 1024
    click.echo(f"{bundle.path}: {bundle.manifest.task} model {bundle.digest[:12]}, {size:.1f} kB")
    click.echo(f"Next: lockgate predict {bundle.path} {data} predictions.csv")
    return 0


def _print_steps(result: PackResult) -> None:
    for step in result.steps:
        click.echo(f"  {step}")
    for note in result.notes:
        click.echo(f"  note: {note}", err=True)


def _parse_threshold(text: str | None) -> float | str | None:
    if text is None or text == "f1":
        return text
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--threshold {text!r}: expected a number from 0 to 1, or f1") from None
