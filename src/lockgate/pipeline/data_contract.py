"""The data contract of a project: ``conf/contract/LOADER.yaml``, enforced where rows are loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from lockgate.contract.tables import LoadRequest, Table
from lockgate.data.data_contract.checked_table import load_with_contract
from lockgate.data.data_contract.file import read_contract
from lockgate.data.data_contract.rules import DataContract
from lockgate.data.data_contract.violations import Violation
from lockgate.errors import SchemaViolation
from lockgate.pipeline.stage import Stage, prepare_stage
from lockgate.plugins.config.stamp import CONTRACTS
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.parameters import Parameters
from lockgate.plugins.host.params_file import read_params

__all__ = ["contract_digest", "find_contract", "load_checked", "load_project_table", "project_file"]


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


def contract_digest(root: Path) -> str:
    """Check the contract for the chosen loader, and return its file's sha256; empty without one."""
    path = project_file(root)
    if not path.exists():
        return ""
    read_contract(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_checked(stage: Stage) -> tuple[Table, DataContract | None]:
    """Load the table of the chosen loader, and enforce its contract, if there is one.

    The loader reads columns as the kinds of the contract say, those of ``data.kinds`` first.

    Raises
    ------
    SchemaViolation
        With all violations, by column, and what can be done about them.

    """
    loader = stage.parameters.single("loader").name
    contract = find_contract(stage.root, loader)
    table, violations = load_table(stage, contract)
    if violations:
        count = f"{len(violations)} violation{'s' if len(violations) > 1 else ''}"
        advice = (
            f"{count} of the data contract {contract_path(Path(), loader)}: correct the data, or "
            "allow what they hold with `lockgate contract widen`"
        )
        raise SchemaViolation([*map(str, violations), advice])
    return table, contract


def load_project_table(root: Path, contract: DataContract | None) -> tuple[Table, list[Violation]]:
    """Load the table of a project's chosen loader, and check it against a contract."""
    return load_table(prepare_stage("load", root), contract)


def load_table(stage: Stage, contract: DataContract | None) -> tuple[Table, list[Violation]]:
    """Load the table of the chosen loader, and check it against a contract."""
    data = stage.sections.data

    def load(kinds: Mapping[str, str]) -> Table:
        request = LoadRequest(
            **stage.request_context(),
            root=str(stage.root),
            since=data.since,
            until=data.until,
            kinds=dict(kinds),
        )
        table: Table = stage.host.call("loader", stage.parameters.single("loader").name, request)
        return table

    if contract is None:
        return load(data.kinds), []
    return load_with_contract(load, contract, data.kinds)
