"""``lockgate init``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import get_args

import click

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.settings import parse_kinds, parse_settings
from lockgate.contract.recipes import Task
from lockgate.pipeline.scaffold import create_project

__all__ = ["command"]


@click.command(
    "init",
    epilog=examples("""
        lockgate init shop && cd shop && lockgate run
        lockgate init churn --data churn.csv --target churned
        lockgate init shop --loader sql --set url=sqlite:///data/raw/a.db --set table=b --target y
        lockgate init segments --data customers.csv --task clustering
        lockgate init bank --data bank.csv --target default --set dates=day-first
    """),
)
@click.argument("directory", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV or Parquet file, or workbook, to train on; it is copied.",
    show_default="an example",
)
@click.option(
    "--loader",
    metavar="NAME",
    help="Loader of the rows instead of --data, e.g. sql, duckdb, remote; --set has its settings.",
)
@click.option(
    "--target",
    "targets",
    metavar="COLUMN",
    multiple=True,
    help="Column to predict. Repeatable: several columns of numbers are predicted together.",
)
@click.option(
    "--task",
    type=click.Choice(["auto", *get_args(Task)]),
    default="auto",
    help="What to predict; clustering (groups of rows) and anomaly (rows unlike the others) need "
    "no target.",
    show_default="inferred from the target",
)
@click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="Setting of the loader: id, time, group, value, weight, horizon_days, dates; of CSV files "
    "also encoding, delimiter, decimal, thousands, quote, missing. Repeatable.",
    show_default="detected",
)
@click.option(
    "--kind",
    "kinds",
    metavar="COLUMN=KIND",
    multiple=True,
    help="Kind of a column: number, integer, boolean, category, date or text. Repeatable.",
    show_default="inferred",
)
@click.option("--name", help="Name of the model.", show_default="name of the directory")
def command(
    directory: Path,
    data: Path | None,
    loader: str | None,
    targets: tuple[str, ...],
    task: str,
    settings: tuple[str, ...],
    kinds: tuple[str, ...],
    name: str | None,
) -> None:
    """Create a project in DIRECTORY that runs without further edits.

    The project has a pipeline (dvc.yaml), its configuration (conf/) and the data
    (data/raw/), tracked by DVC. DIRECTORY may lie in a repository of Git and DVC, which
    are then used; otherwise new ones are created. A dvc.yaml that exists keeps its
    stages. Encoding, delimiter and decimal separator of a CSV
    file are detected and written to conf/loader/. Where a single column holds dates, the
    rows are split by it (on a terminal you are asked), so that the model is tested on later
    rows; --set time='' keeps it a feature. The example predicts whether a tumour is
    malignant, from 30 measurements.
    """
    project = create_project(
        directory,
        data=data,
        target=targets[0] if len(targets) == 1 else targets or None,
        loader=loader,
        task=task,
        name=name,
        settings=parse_settings(settings),
        kinds=parse_kinds(kinds),
        use_as_time=_ask if sys.stdin.isatty() else lambda _: True,
    )
    cd_prefix = "" if directory == Path() else f"cd {shlex.quote(str(directory))} && "
    created = [project.stages, project.conf, *([project.data] if project.data else [])]
    click.echo(
        f"Created {', '.join(map(str, created[:-1]))} and {created[-1]}; the model's name is "
        f"{project.name}."
    )
    if project.summary:
        click.echo(f"{project.summary}.")
    if project.settings:
        described = ", ".join(f"{key}={value!r}" for key, value in project.settings.items())
        click.echo(f"The loader's settings: {described}.")
    if "time" in project.settings and not any(text.startswith("time=") for text in settings):
        click.echo(
            f"Rows are split by time, the column {project.settings['time']}; if they are not to "
            "be: --set time=''"
        )
    for column, encoding in project.texts.items():
        click.echo(
            f"Texts of {column}: encoded by {encoding}; another encoding: lockgate run "
            f"{shlex.quote(f'cells.texts={{{column}: characters}}')}, or leave it out."
        )
    if project.left_out:
        columns = ", ".join(project.left_out)
        click.echo(
            f"Left out, as names or codes of many values: {columns}. To use one, declare its "
            f"kind: --kind {shlex.quote(f'{project.left_out[0]}=category')}; an identifier: "
            "--set id=COLUMN."
        )
    if project.note:
        click.echo(f"Note: {project.note}.")
    click.echo(f"Next: {cd_prefix}lockgate run")
    click.echo("Then: git add -A && git commit -m 'first run'   (experiments start from a commit)")


def _ask(column: str) -> bool:
    """Ask whether rows are split by a column of dates."""
    return click.confirm(
        f"{column} holds dates: split by time, so that the model is tested on later rows?",
        default=True,
    )
