"""``lockgate check``: what the first stage of ``dvc.yaml`` calls."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.terminal.examples import examples

__all__ = ["command"]


@click.command("check", epilog=examples("lockgate check"))
@click.option(
    "--write",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write if the check passes, for DVC.",
)
def command(path: Path | None) -> None:
    """Check that params.yaml is valid, and not of an older conf/.

    dvc.yaml calls this command when params.yaml or a file of conf/ has changed,
    so that `dvc repro` never runs with parameters that are not valid, or of an
    older conf/. Manual edits of params.yaml are allowed, as DVC allows them. A data
    contract of conf/contract/ is checked, too.
    """
    from lockgate.data.io.atomic import write_file
    from lockgate.pipeline.data_contract import VALID, contract_line
    from lockgate.pipeline.inputs import unchanged_inputs
    from lockgate.pipeline.parameters import check_derived
    from lockgate.pipeline.project import find_project

    root = find_project(Path.cwd())
    with unchanged_inputs(root, "choices"):
        check_derived(root)
        contract = contract_line(root)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # so that the rows are loaded anew when the contract changes
        write_file(path, VALID + contract)
