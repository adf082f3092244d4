"""What the commands on data contracts work on: a project's table, or a file of data."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lockgate.errors import UsageError

if TYPE_CHECKING:
    from lockgate.contract.tables import Table
    from lockgate.data.data_contract.rules import DataContract
    from lockgate.data.data_contract.violations import Violation

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
            help="With FILE: how a CSV file is written, e.g. decimal=','; may be repeated.",
            show_default="detected",
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
    if data is not None:
        raise UsageError(f"--contract FILE is missing: the contract for {data}")
    from lockgate.pipeline.data_contract import project_file
    from lockgate.pipeline.project import find_project

    root = find_project(Path.cwd())
    return Path(os.path.relpath(project_file(root)))


def load(
    data: Path | None,
    contract: DataContract | None,
    kinds: tuple[str, ...],
    settings: tuple[str, ...],
) -> tuple[Table, list[Violation]]:
    """Load a file, or the table of the project, and check it against a contract."""
    from lockgate.cli.terminal.settings import parse_kinds, parse_settings

    if data is None:
        if kinds or settings:
            raise UsageError("--kind and --set need FILE; a project has data.kinds and its loader")
        from lockgate.pipeline.data_contract import load_project_table
        from lockgate.pipeline.project import find_project

        return load_project_table(find_project(Path.cwd()), contract)
    from lockgate.data.data_contract.checked_table import load_with_contract
    from lockgate.data.tables import read_table
    from lockgate.models.packing.row_files import detect_form

    path, declared = data, parse_kinds(kinds)
    csv = detect_form(path, parse_settings(settings))

    def read(column_kinds: Mapping[str, str]) -> Table:
        return read_table(path, kinds=column_kinds, csv=csv)

    if contract is None:
        return read(declared), []
    return load_with_contract(read, contract, declared)
