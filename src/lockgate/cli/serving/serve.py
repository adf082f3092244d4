"""``lockgate serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from msgspec.structs import replace

from lockgate.cli.terminal.examples import examples
from lockgate.serving.server import serve
from lockgate.serving.settings import ServeSettings, read_settings

__all__ = ["command"]

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    "serve",
    epilog=examples("""
        lockgate serve bundle                        # http://127.0.0.1:8080, this machine only
        lockgate serve /srv/churn --workers 4 --log full --key customer_id
        lockgate serve /srv/churn --config serve.toml
        lockgate serve /srv/churn --host 0.0.0.0 --tokens tokens --certificate cert.pem
    """),
)
@click.argument(
    "source", metavar="BUNDLE|DIR", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--config", type=FILE, help="TOML file with settings; options come before it.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes any that is free.",
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Number of worker processes.",
)
@click.option("--tokens", type=FILE, help="File of client tokens, from `lockgate server token`.")
@click.option(
    "--open", "allow_unauthenticated", is_flag=True, help="Accept requests without a token."
)
@click.option("--certificate", type=FILE, help="PEM file with the TLS certificate.")
@click.option(
    "--private-key", type=FILE, help="PEM file with its key.", show_default="in --certificate"
)
@click.option(
    "--log",
    "durability",
    default="normal",
    show_default=True,
    type=click.Choice(["full", "normal", "sampled", "off"]),
    help="Durability of the prediction log; see below.",
)
@click.option(
    "--log-share",
    default=0.1,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of requests to log, with --log sampled.",
)
@click.option(
    "--log-inputs",
    default="safe",
    show_default=True,
    type=click.Choice(["safe", "all", "none"]),
    help="Inputs to log; safe omits free text and columns whose names suggest personal data.",
)
@click.option(
    "--redact", multiple=True, metavar="COLUMN", help="Input never to log; may be repeated."
)
@click.option(
    "--key", default="", metavar="COLUMN", help="Your own key of a row, logged to join labels."
)
@click.option(
    "--log-days",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0, 36500),
    help="Days after which log entries are deleted.",
)
@click.option(
    "--log-megabytes",
    default=10_240,
    show_default=True,
    type=click.IntRange(1),
    help="Size of the log above which the oldest entries are deleted.",
)
@click.option(
    "--log-full",
    default="keep",
    show_default=True,
    type=click.Choice(["keep", "refuse"]),
    help="If the disk is full: keep serving without a log, or respond 503.",
)
@click.option(
    "--body",
    default=16,
    show_default=True,
    type=click.IntRange(1, 1024),
    help="Largest request body, in MiB.",
)
@click.option(
    "--rows",
    default=100_000,
    show_default=True,
    type=click.IntRange(1),
    help="Maximum number of rows per request.",
)
@click.option(
    "--queue",
    default=512,
    show_default=True,
    type=click.IntRange(1),
    help="Rows that may wait per worker; requests beyond it get 503.",
)
@click.option(
    "--batching",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "on", "off"]),
    help="Whether to predict waiting rows together.",
)
@click.option(
    "--require-verdict",
    is_flag=True,
    help="Serve only bundles with a passing verdict; who wrote it, --signers checks.",
)
@click.option(
    "--signers", type=FILE, help="Require signed verdicts and events; SSH allowed_signers file."
)
@click.option("--access-log", "access", is_flag=True, help="Log every request, not only failures.")
@click.option(
    "--drain-seconds",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0, 3600),
    help="Seconds for open requests to finish when the server stops.",
)
@click.pass_context
def command(
    context: click.Context,
    /,
    source: Path,
    config: Path | None,
    allow_unauthenticated: bool,
    **options: Any,
) -> int:
    """Serve a bundle or a deployment directory over HTTP.

    Endpoints: /predict; /v2 (Open Inference Protocol); /invocations (MLflow);
    /feedback, /metrics, /openapi.json; / is a page with an example request.

    The prediction log (DIR/log) is written before a response is sent. With
    `normal` it survives a crash of the process, with `full` one of the machine;
    `sampled` logs a share of the requests. `lockgate deploy` and `lockgate
    rollback` change what is served without a restart or a failed request. To
    listen on an address that other machines can reach, pass --tokens or --open.

    --config FILE has settings in TOML (port = 8080, [limits] rows = 1000, [log]
    durability = "full"); options on the command line come before it.
    """
    settings = ServeSettings() if config is None else read_settings(config)
    passed = {
        name: value
        for name, value in options.items()
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT
    }
    settings = _with_options(settings, passed)
    return serve(source, settings, allow_unauthenticated=allow_unauthenticated)


LOG_OPTIONS = {
    "durability": "durability",
    "log_share": "share",
    "log_full": "full_disk",
    "log_inputs": "inputs",
    "redact": "redact",
    "key": "key",
    "log_days": "days",
    "log_megabytes": "megabytes",
}
"""Settings of the log by the option that sets them."""


def _with_options(settings: ServeSettings, options: dict[str, Any]) -> ServeSettings:
    """Return settings with what was passed on the command line."""
    log = {LOG_OPTIONS[name]: options.pop(name) for name in LOG_OPTIONS if name in options}
    limits = {name: options.pop(name) for name in ("body", "rows", "queue") if name in options}
    if "body" in limits:
        limits["body"] <<= 20
    if "private_key" in options:
        options["key"] = options.pop("private_key")
    values = {
        name: str(value) if isinstance(value, Path) else value for name, value in options.items()
    }
    return replace(
        settings,
        **values,
        limits=replace(settings.limits, **limits),
        log=replace(settings.log, **log),
    )
