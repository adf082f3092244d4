"""The data contract of a project: ``conf/contract/LOADER.yaml``, enforced where rows are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lockgate.contract.tables import LoadRequest, Table
from lockgate.data.conform import select_window
from lockgate.data.data_contract.checked_table import load_with_contract
from lockgate.data.data_contract.counts import Violation
from lockgate.data.data_contract.file import read_contract
from lockgate.data.data_contract.rules import DataContract
from lockgate.data.io.csv_detection import CSV_SETTINGS
from lockgate.data.io.digests import sha256_file
from lockgate.data.io.frames import is_parquet
from lockgate.errors import SchemaViolation, UsageError
from lockgate.pipeline.stage import Stage, prepare_stage
from lockgate.plugins.config.stamp import CONTRACTS
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.parameters import Parameters
from lockgate.plugins.host.params_file import read_params

__all__ = [
    "VALID",
    "contract_line",
    "file_settings",
    "find_contract",
    "load_checked",
    "load_project_table",
    "load_window",
    "project_file",
]


CHECKED = ".lockgate/checked"
"""What the first stage writes, and `load` depends on: that parameters and contract are valid."""

VALID = "params.yaml is valid, and not of an older conf/\n"


def contract_path(root: Path, loader: str) -> Path:
    """Return the path of the contract for the tables of a loader."""
    return Path(root, CONTRACTS, f"{loader}.yaml")


def find_contract(root: Path, loader: str) -> DataContract | None:
    """Read the contract for the tables of a loader; None if the project has none."""
    path = contract_path(root, loader)
    return read_contract(path) if path.exists() else None


def project_file(root: Path) -> Path:
    """Return the path of the contract for the tables of the chosen loader."""
    parameters = Parameters.check(read_params(root / "params.yaml"), Catalogue.installed())
    return contract_path(root, parameters.single("loader").name)


def contract_line(root: Path) -> str:
    """Check the contract for the chosen loader, and return a line with the sha256 of its file.

    It is empty without a contract.
    """
    path = project_file(root)
    line = _digest_line(path)
    if line:
        read_contract(path)
    return line


def _digest_line(path: Path) -> str:
    return f"data contract {sha256_file(path)}\n" if path.exists() else ""


def load_checked(stage: Stage) -> tuple[Table, DataContract | None]:
    """Load the table of the chosen loader, and enforce its contract, if there is one.

    The loader reads columns as the kinds of the contract say, those of ``data.kinds`` first.

    Raises
    ------
    SchemaViolation
        With all violations, by column, and what can be done about them.

    """
    loader = stage.parameters.single("loader").name
    checked = stage.root / CHECKED
    line = _digest_line(contract_path(stage.root, loader))
    if checked.exists() and not checked.read_text().endswith(line or VALID):
        raise UsageError(
            f"the data contract {contract_path(Path(), loader)} was changed after it was checked, "
            "and DVC would record the earlier one; run it again"
        )
    contract = find_contract(stage.root, loader)
    data = stage.sections.data
    table, violations = load_table(stage, contract, data.since, data.until)
    if violations:
        count = f"{len(violations)} violation{'s' if len(violations) > 1 else ''}"
        advice = (
            f"{count} of the data contract {contract_path(Path(), loader)}: correct the data, or "
            "allow what they hold with `lockgate contract widen`"
        )
        raise SchemaViolation([*map(str, violations), advice])
    return table, contract


def file_settings(root: Path, file: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Return how the project reads a file: settings of its loader, and declared kinds."""
    parameters = Parameters.check(read_params(root / "params.yaml"), Catalogue.installed())
    names = ["dates"] if is_parquet(file) else [*CSV_SETTINGS, "dates"]
    settings = {
        name: value
        for name, value in parameters.single("loader").settings.items()
        if name in names and value
    }
    return settings, dict(parameters.sections.data.kinds)


def load_window(stage: Stage, contract: DataContract | None) -> tuple[Table, list[Violation]]:
    """Load the rows of the monitoring window, and check them against a contract."""
    period = stage.sections.window
    return load_table(stage, contract, period.since, period.until)


def load_project_table(root: Path, contract: DataContract | None) -> tuple[Table, list[Violation]]:
    """Load the table of a project's chosen loader, and check it against a contract."""
    stage = prepare_stage("load", root)
    return load_table(stage, contract, stage.sections.data.since, stage.sections.data.until)


def load_table(
    stage: Stage, contract: DataContract | None, since: str | None, until: str | None
) -> tuple[Table, list[Violation]]:
    """Load the rows of a period with the chosen loader, and check them against a contract."""
    declared = stage.sections.data.kinds

    def load(kinds: Mapping[str, str]) -> Table:
        request = LoadRequest(
            **stage.request_context(),
            root=str(stage.root),
            since=since,
            until=until,
            kinds=dict(kinds),
        )
        table: Table = stage.host.call("loader", stage.parameters.single("loader").name, request)
        if since is None and until is None:
            return table
        frame = select_window(table.frame, table.schema, since, until)
        return replace(table, frame=frame.reset_index(drop=True))

    if contract is None:
        return load(declared), []
    dates = stage.parameters.single("loader").settings.get("dates")
    return load_with_contract(load, contract, declared, dates)
