"""``lockgate log``: the prediction log."""

from __future__ import annotations

import click

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.lazy_group import LazyGroup, commands_of

__all__ = ["command"]

COMMANDS = {
    "label": "Record true outcomes for logged predictions.",
    "export": "Export the prediction log to a Parquet file.",
}


@click.group(
    "log",
    cls=LazyGroup,
    sections={"Commands": commands_of("log", COMMANDS)},
    epilog=examples("""
        lockgate log label april.csv --here /srv/churn --key customer_id --label churned
        lockgate log export /srv/churn march.parquet --since 2026-03-01
    """),
)
def command() -> None:
    """Record labels for logged predictions, and export the prediction log.

    A server writes the log into its deployment directory, unless it runs with `--log off`.
    """
