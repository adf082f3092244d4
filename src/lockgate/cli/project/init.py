"""``lockgate init``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.terminal.examples import examples
from lockgate.pipeline.scaffold import create_project

__all__ = ["command"]


@click.command(
    "init",
    epilog=examples("""
        lockgate init shop && cd shop && lockgate run
        lockgate init churn --data churn.csv --target churned
    """),
)
@click.argument("directory", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV or Parquet file to train on; it is copied.",
    show_default="an example",
)
@click.option("--target", metavar="COLUMN", help="Column of --data to predict.")
@click.option("--name", help="Name of the model.", show_default="name of the directory")
def command(directory: Path, data: Path | None, target: str | None, name: str | None) -> None:
    """Create a project in DIRECTORY that runs without further edits.

    The project has a pipeline (dvc.yaml), its configuration (conf/) and the data
    (data/raw/), tracked by DVC. DIRECTORY may lie in a Git repository; otherwise
    a new repository is created. The example predicts whether a tumour is
    malignant, from 30 measurements.
    """
    project = create_project(directory, data=data, target=target, name=name)
    cd_prefix = "" if directory == Path() else f"cd {directory} && "
    click.echo(f"Created {project.stages}, {project.conf} and {project.data}.")
    click.echo(f"Next: {cd_prefix}lockgate run")
    click.echo("Then: git add -A && git commit -m 'first run'   (experiments start from a commit)")
