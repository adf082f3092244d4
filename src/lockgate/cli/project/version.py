"""``lockgate version``."""

from __future__ import annotations

import click

__all__ = ["command"]

LIBRARIES = ("numpy", "pandas", "scikit-learn", "skops", "pluggy", "hydra-core", "omegaconf", "dvc")


@click.command("version")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def command(as_json: bool) -> None:
    """Show versions of lockgate, its contract, and what answers depend on."""
    import json
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from lockgate import CONTRACT, __version__
    from lockgate.cli.terminal.text import align_columns

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
