"""``lockgate contract``: what the columns of data must hold."""

from __future__ import annotations

import click

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.lazy_group import LazyGroup, commands_of

__all__ = ["command"]

COMMANDS = {
    "infer": "Infer a contract from data that are right, and write it.",
    "check": "Check data against the contract; list violations by column.",
    "widen": "Widen the contract so that the data hold it; show the change.",
}


@click.group(
    "contract",
    cls=LazyGroup,
    sections={"Commands": commands_of("contract", COMMANDS)},
    epilog=examples("""
        lockgate contract infer && git add conf/contract
        lockgate contract check april.csv --contract churn.contract.yaml
        lockgate contract widen --dry-run
    """),
)
def command() -> None:
    """Infer, check and widen a data contract: what the columns of data must hold.

    In a project the contract is conf/contract/LOADER.yaml, for the table of the
    chosen loader: the stage load refuses a table that violates it. Bundles carry
    it: `lockgate predict` rejects rows that violate it, and a server checks
    requests with the header `lockgate-contract`. Outside of a project name a file
    of data, and --contract.
    """
