"""``lockgate version``."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version

import click

from lockgate import CONTRACT, __version__
from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.text import align_columns

__all__ = ["command"]

LIBRARIES = ("numpy", "pandas", "scikit-learn", "skops", "pluggy", "hydra-core", "omegaconf", "dvc")


@click.command("version", epilog=examples("lockgate version --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def command(as_json: bool) -> None:
    """Show the versions of lockgate, its plugin contract, Python and the main libraries."""
    versions = {
        "lockgate": __version__,
        "contract": str(CONTRACT),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    if as_json:
        click.echo(json.dumps(versions, indent=1))
    else:
        click.echo("\n".join(align_columns([list(row) for row in versions.items()])))
