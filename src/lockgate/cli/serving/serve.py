"""``lockgate serve``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

__all__ = ["command"]

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("serve")
@click.argument(
    "source", metavar="BUNDLE|DIR", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0: any that is free.",
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Processes that answer.",
)
@click.option("--tokens", type=FILE, help="File of tokens; `lockgate token` makes them.")
@click.option("--open", "unguarded", is_flag=True, help="Let everybody ask, on any address.")
@click.option("--certificate", type=FILE, help="PEM file, for TLS.")
@click.option("--private-key", type=FILE, help="PEM file of its key, if not in the same.")
@click.option(
    "--log",
    "durability",
    default="normal",
    show_default=True,
    type=click.Choice(["full", "normal", "sampled", "off"]),
    help="The prediction log; see below.",
)
@click.option(
    "--log-share",
    default=0.1,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of the requests to keep, with --log sampled.",
)
@click.option(
    "--log-inputs",
    default="safe",
    show_default=True,
    type=click.Choice(["safe", "all", "none"]),
    help="safe: no texts, and no columns whose names point to a person.",
)
@click.option("--redact", multiple=True, metavar="COLUMN", help="Never keep it. May be repeated.")
@click.option("--key", default="", metavar="COLUMN", help="Your own key of a row; kept for labels.")
@click.option(
    "--log-days",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0, 36500),
    help="Days after which an entry is deleted.",
)
@click.option(
    "--log-megabytes",
    default=10_240,
    show_default=True,
    type=click.IntRange(1),
    help="Size beyond which the oldest entries are deleted.",
)
@click.option(
    "--log-full",
    default="keep",
    show_default=True,
    type=click.Choice(["keep", "refuse"]),
    help="A disk that is full: keep answering and count, or answer 503.",
)
@click.option("--body", default=16, show_default=True, type=click.IntRange(1, 1024), help="MiB.")
@click.option(
    "--rows", default=100_000, show_default=True, type=click.IntRange(1), help="A request."
)
@click.option(
    "--queue",
    default=512,
    show_default=True,
    type=click.IntRange(1),
    help="Rows that may wait for an answer; beyond, 503.",
)
@click.option(
    "--batching",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "on", "off"]),
    help="Compute rows together that wait together.",
)
@click.option("--require-verdict", is_flag=True, help="Serve only what passed its gates.")
@click.option("--signers", type=FILE, help="And whose events these may sign (allowed_signers).")
@click.option("--access-log", "access", is_flag=True, help="Log every request, not only failures.")
@click.option(
    "--drain-seconds",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0, 3600),
    help="Seconds that open requests get when the server stops.",
)
def command(source: Path, host: str, unguarded: bool, **options: Any) -> int:
    """Answer over HTTP, from a bundle or from a deployment directory.

    \b
    lockgate serve bundle                        # http://127.0.0.1:8080, this machine only
    lockgate serve /srv/churn --workers 4 --log full --key customer_id
    lockgate serve /srv/churn --host 0.0.0.0 --tokens tokens --certificate cert.pem

    Paths: /predict; /v2 (Open Inference Protocol); /invocations (MLflow);
    /feedback, /metrics, /openapi.json; / says what is served and how to ask.

    The prediction log (in DIR/log) is written before an answer leaves: with
    `normal` it outlives the process, with `full` the machine; `sampled` keeps a
    share. `lockgate deploy` and `rollback` change what is served, without a
    restart and without a failed request. On another address than this machine's
    own a server needs --tokens, or --open.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # several workers share the cores; read when NumPy is imported
    os.environ.setdefault("LOCKGATE_ALLOW_PLUGINS", "lockgate")
    from lockgate.errors import UsageError
    from lockgate.serving.settings import is_loopback

    if not is_loopback(host) and options["tokens"] is None and not unguarded:
        raise UsageError(
            f"{host} can be reached from elsewhere: give --tokens FILE "
            "(`lockgate token NAME --file FILE` makes one), or --open to let everybody ask"
        )
    if options["private_key"] and not options["certificate"]:
        raise UsageError("--private-key needs the --certificate that it belongs to")
    if options["key"] and options["key"] in options["redact"]:
        raise UsageError(f"--key {options['key']} is to be kept, and --redact says never to")
    return _run_server(source, _build_settings(host, options))


def _build_settings(host: str, options: dict[str, Any]) -> Any:
    from lockgate.serving.settings import Limits, LogSettings, ServeSettings

    log = LogSettings(
        durability=options["durability"],
        share=options["log_share"],
        full_disk=options["log_full"],
        inputs=options["log_inputs"],
        redact=options["redact"],
        key=options["key"],
        days=options["log_days"],
        megabytes=options["log_megabytes"],
    )
    return ServeSettings(
        host=host,
        port=options["port"],
        workers=options["workers"],
        limits=Limits(body=options["body"] << 20, rows=options["rows"], queue=options["queue"]),
        log=log,
        tokens=str(options["tokens"] or ""),
        certificate=str(options["certificate"] or ""),
        key=str(options["private_key"] or ""),
        access=options["access"],
        drain_seconds=options["drain_seconds"],
        batching=options["batching"],
        require_verdict=options["require_verdict"] or bool(options["signers"]),
        signers=str(options["signers"] or ""),
    )


def _run_server(source: Path, settings: Any) -> int:
    try:
        from lockgate.serving.workers.supervisor import Supervisor
    except ModuleNotFoundError as error:
        if error.name in ("uvloop", "httptools", "prometheus_client"):
            from lockgate.errors import MissingExtra

            raise MissingExtra("serve", "lockgate serve") from None
        raise
    from lockgate.deployment.directory import Deployment
    from lockgate.deployment.private import local_deployment
    from lockgate.serving.http.tokens import Tokens
    from lockgate.serving.telemetry.logs import configure_logging
    from lockgate.serving.workers.listener import listen
    from lockgate.serving.workers.worker import tls_context

    configure_logging()
    deployment = Deployment(source)
    bare = not deployment.exists()
    if bare:
        deployment = local_deployment(source)
    _check_redacted(deployment, settings.log.redact)
    tls_context(settings)
    if settings.tokens:
        Tokens(Path(settings.tokens))  # a wrong file is said before anything is bound
    listener = listen(settings)
    supervisor = Supervisor(settings, deployment, listener, bare=bare)
    return supervisor.run()


def _check_redacted(deployment: Any, redact: tuple[str, ...]) -> None:
    """A misspelt column would be kept."""
    from lockgate.errors import UsageError, nearest

    manifests = [deployment.manifest(slot.digest) for slot in deployment.pointer().slots]
    known = {
        column.name
        for manifest in manifests
        if manifest is not None
        for column in manifest.inputs.columns
    }
    for name in redact:
        if name not in known:
            raise UsageError(
                f"--redact {name}: no model here has such a column{nearest(name, known)}"
            )
