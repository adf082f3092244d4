"""Checks the parts of a file against the data contract of a bundle."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from lockgate.data.columns.inputs import ColumnInput
from lockgate.data.columns.rejections import RejectedRows
from lockgate.data.data_contract.counts import CheckedRows, Violation
from lockgate.data.data_contract.row_checks import check_rows
from lockgate.data.data_contract.rules import DataContract
from lockgate.data.io.atomic import write_file
from lockgate.data.io.chunks import Chunk
from lockgate.errors import SchemaViolation, UsageError

__all__ = ["ContractChecker"]

POLICIES = ("enforce", "report", "ignore")
"""What may be done with rows that violate a data contract."""


@dataclasses.dataclass(frozen=True)
class ContractChecker:
    """Checks parts against the data contract of a bundle, and keeps the counts beside them."""

    contract: DataContract | None
    policy: str
    inputs: Sequence[ColumnInput]

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise UsageError(f"contract is {self.policy!r}, expected {', '.join(POLICIES)}")

    def check(self, chunk: Chunk, part: Path, rejected: RejectedRows) -> None:
        """Check the rows of a part; those with violations are rejected if that is the policy."""
        if self.contract is None or self.policy == "ignore":
            return
        reasons: dict[int, list[str]] | None = {} if self.policy == "enforce" else None
        checked = check_rows(self.contract, chunk.columns, reasons, read_as=self.inputs)
        write_file(part.with_suffix(".checked"), msgspec.json.encode(checked))
        for row, messages in (reasons or {}).items():
            if row not in rejected.reasons:  # the model's own reason says more
                rejected.reasons[row] = messages

    def judge(self, parts: Sequence[Path], folder: Path) -> tuple[Violation, ...]:
        """Return the violations of all parts; enforce what holds for all rows together."""
        if self.contract is None or self.policy == "ignore":
            return ()
        files = [part.with_suffix(".checked") for part in parts]
        counts = [msgspec.json.decode(file.read_bytes(), type=CheckedRows) for file in files]
        violations = sum(counts, CheckedRows()).violations(self.contract)
        of_all_rows = [
            str(violation)
            for violation in violations
            if violation.rule == "missing" and self.contract.columns[violation.column].missing
        ]
        if of_all_rows and self.policy == "enforce":
            shutil.rmtree(folder)
            advice = "contract=report (--contract report) predicts the file all the same"
            raise SchemaViolation([*of_all_rows, f"nothing was written; {advice}"])
        return tuple(violations)
