"""Starts a server: checks its settings, binds the address, and runs the supervisor."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from lockgate.deployment.directory import Deployment
from lockgate.deployment.private import local_deployment
from lockgate.errors import MissingExtra, UsageError
from lockgate.serving.http.tokens import Tokens
from lockgate.serving.settings import ServeSettings, is_loopback
from lockgate.suggestions import nearest

__all__ = ["serve"]

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def serve(
    source: str | Path,
    settings: ServeSettings | None = None,
    *,
    allow_unauthenticated: bool = False,
) -> int:
    """Serve a bundle or a deployment directory over HTTP until the server is stopped.

    It sets environment variables and signal handlers and forks workers: call it
    in a process of its own, before NumPy is imported.

    Parameters
    ----------
    source : path-like
        A bundle, or a deployment directory.
    settings : ServeSettings, optional
        Address, limits, prediction log and security.
    allow_unauthenticated : bool
        Whether other machines may send requests without a token.

    Returns
    -------
    int
        Exit code: 0 after an orderly stop.

    Raises
    ------
    UsageError
        If the settings contradict each other, or would expose the server without tokens.
    ServingError
        If the address cannot be bound, or no worker can open what is served.
    MissingExtra
        If lockgate was installed without its server.

    """
    source, settings = Path(source), settings or ServeSettings()
    if settings.signers:  # events cannot be trusted without the verdict that they sign
        settings = msgspec.structs.replace(settings, require_verdict=True)
    check_settings(settings, allow_unauthenticated=allow_unauthenticated)
    for name in THREAD_VARIABLES:
        os.environ[name] = "1"  # workers share the cores; read when NumPy is imported
    os.environ.setdefault("LOCKGATE_ALLOW_PLUGINS", "lockgate")
    try:
        # not at the top: this imports NumPy, and libraries of an optional extra
        from lockgate.serving.workers.supervisor import Supervisor
    except ModuleNotFoundError as error:
        if error.name in ("uvloop", "httptools", "prometheus_client"):
            raise MissingExtra("serve", "lockgate serve") from None
        raise
    from lockgate.serving.telemetry.logs import configure_logging
    from lockgate.serving.workers.bind import listen
    from lockgate.serving.workers.worker import tls_context

    configure_logging()
    deployment = Deployment(source)
    bare = not deployment.exists()
    if bare:
        deployment = local_deployment(source)
    _check_redacted(deployment, settings.log.redact)
    # files that cannot be read are reported before the address is bound
    tls_context(settings)
    if settings.tokens:
        Tokens(Path(settings.tokens))
    return Supervisor(settings, deployment, listen(settings), bare=bare).run()


def check_settings(settings: ServeSettings, *, allow_unauthenticated: bool = False) -> None:
    """Raise a `UsageError` if settings are out of range, contradict each other or are unsafe."""
    try:
        msgspec.convert(msgspec.to_builtins(settings), type=ServeSettings)
    except msgspec.ValidationError as error:
        raise UsageError(f"settings of the server: {error}") from None
    if not (is_loopback(settings.host) or settings.tokens or allow_unauthenticated):
        raise UsageError(
            f"{settings.host} is reachable from other machines: pass --tokens FILE "
            "(created by `lockgate server token NAME --file FILE`), or --open to accept "
            "unauthenticated requests"
        )
    if settings.key and not settings.certificate:
        raise UsageError("--private-key needs --certificate: pass the certificate of the key")
    if settings.log.key and settings.log.key in settings.log.redact:
        raise UsageError(
            f"column {settings.log.key} is both --key, which is logged, and --redact, which is not"
        )


def _check_redacted(deployment: Deployment, redact: tuple[str, ...]) -> None:
    """Reject unknown columns: a misspelt one would be logged."""
    manifests = [deployment.manifest(slot.digest) for slot in deployment.pointer().slots]
    known = {
        column.name
        for manifest in manifests
        if manifest is not None
        for column in manifest.schema.columns
    }
    for name in redact:
        if name not in known:
            raise UsageError(
                f"--redact {name}: unknown column{nearest(name, known)}; "
                f"available: {', '.join(sorted(known))}"
            )
