"""``lockgate serve``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

__all__ = ["command"]


@click.command("serve")
@click.argument("source", metavar="BUNDLE|DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64))
@click.option("--access-log", "access", is_flag=True, help="Log every request, not only failures.")
def command(source: Path, host: str, port: int, workers: int, access: bool) -> int:
    """Answer over HTTP, from a bundle or from a deployment directory.

    \b
    lockgate serve bundle                 # http://127.0.0.1:8080, only this machine
    lockgate serve /srv/churn --workers 4
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # several workers share the cores; read when NumPy is imported
    os.environ.setdefault("LOCKGATE_ALLOW_PLUGINS", "lockgate")
    from lockgate.serving.logs import log_lines
    from lockgate.serving.settings import ServeSettings

    log_lines()
    settings = ServeSettings(host=host, port=port, workers=workers, access=access)
    return _serve(source, settings)


def _serve(source: Path, settings: Any) -> int:
    from lockgate.bundle.deployment import Deployment
    from lockgate.serving.supervisor import Supervisor, address, listen

    deployment = Deployment(source)
    if not deployment.exists():
        from lockgate.serving.private import private_deployment

        deployment = private_deployment(source)
        click.echo(f"no gate was passed: {source} is served as it is", err=True)
    listening = listen(settings)

    def started(pointer: Any) -> None:
        where = address(settings, listening)
        for one in pointer.slots:
            click.echo(f"serving {one.name}@{one.version} ({one.stage})", err=True)
        click.echo(f"at {where}", err=True)

    return Supervisor(settings, deployment, listening, started).run()
