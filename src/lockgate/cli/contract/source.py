"""What the commands on data contracts work on: a project's table, or a file of data."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lockgate.contract.tables import MISSING_TEXTS
from lockgate.errors import UsageError

if TYPE_CHECKING:
    from lockgate.contract.tables import Table
    from lockgate.data.data_contract.counts import Violation
    from lockgate.data.data_contract.rules import DataContract

__all__ = ["contract_file", "load", "source_options"]

C = TypeVar("C", bound=Callable[..., Any])

FILE = click.Path(dir_okay=False, path_type=Path)


def source_options(function: C) -> C:
    """Add the argument and options that say which data, and which contract."""
    for option in (
        click.argument("data", metavar="[FILE]", type=FILE, required=False),
        click.option(
            "--contract",
            "path",
            type=FILE,
            help="File of the contract.",
            show_default="conf/contract/LOADER.yaml of the project",
        ),
        click.option(
            "--kind",
            "kinds",
            multiple=True,
            metavar="COLUMN=KIND",
            help="With FILE: kind of a column that is not to be inferred; may be repeated.",
        ),
        click.option(
            "--set",
            "settings",
            metavar="NAME=VALUE",
            multiple=True,
            help="With FILE: how it is written, e.g. decimal=',' or dates=day-first; may be "
            "repeated.",
            show_default="as in the project, or detected",
        ),
    ):
        function = option(function)
    return function


def contract_file(data: Path | None, path: Path | None) -> Path:
    """Return the file of the contract: the named one, or the project's."""
    if path is not None:
        if data is not None and path.resolve() == data.resolve():
            raise UsageError(f"--contract {path} is the file of data; name another file")
        return path
    from lockgate.pipeline.data_contract import project_file

    try:
        root = _project()
    except UsageError:
        if data is None:
            raise
        raise UsageError(f"--contract FILE is missing: the contract for {data}") from None
    return Path(os.path.relpath(project_file(root)))


def _project() -> Path:
    """Return the project of this folder, its parameters written."""
    from lockgate.pipeline.project import find_project
    from lockgate.pipeline.run import run_pipeline

    root = find_project(Path.cwd())
    if not (root / "params.yaml").exists():
        run_pipeline(root=root, only="write")
    return root


def load(
    data: Path | None,
    path: Path | None,
    contract: DataContract | None,
    kinds: tuple[str, ...],
    settings: tuple[str, ...],
) -> tuple[Table, list[Violation]]:
    """Load a file, or the table of the project, and check it against a contract.

    A file that is checked against the contract of the project (no `path`) is read as the
    project's own file is.
    """
    from lockgate.cli.terminal.settings import parse_kinds, parse_settings

    if data is None:
        if kinds or settings:
            raise UsageError("--kind and --set need FILE; a project has data.kinds and its loader")
        from lockgate.pipeline.data_contract import load_project_table

        return load_project_table(_project(), contract)
    from lockgate.data.data_contract.checked_table import load_with_contract
    from lockgate.data.tables import read_table
    from lockgate.models.packing.row_files import detect_form

    file, known, declared = data, dict[str, Any](), dict[str, str]()
    if path is None:
        from lockgate.pipeline.data_contract import file_settings

        known, declared = file_settings(_project(), file)
    declared |= parse_kinds(kinds)
    chosen = known | parse_settings(settings, known.get("missing", MISSING_TEXTS))
    dates: Any = chosen.pop("dates", None)
    csv = detect_form(file, chosen)

    def read(column_kinds: Mapping[str, str]) -> Table:
        return read_table(file, kinds=column_kinds, csv=csv, dates=dates)

    if contract is None:
        return read(declared), []
    return load_with_contract(read, contract, declared, dates)
