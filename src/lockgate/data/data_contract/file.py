"""The file of a data contract: YAML whose cells are read as texts, so that 01067 stays 01067."""

from __future__ import annotations

import difflib
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import yaml

from lockgate.data.data_contract.rules import FORMAT, ColumnRule, DataContract
from lockgate.data.io.atomic import write_file
from lockgate.errors import DataError, UsageError
from lockgate.suggestions import nearest

__all__ = ["contract_diff", "contract_text", "read_contract", "write_contract"]

LARGEST = 16 << 20

RULE_KEYS = tuple(field.name for field in msgspec.structs.fields(ColumnRule))

HEADER = """\
# What the columns of these data must hold; commit this file, and change it like code.
# `lockgate contract check` lists violations; `lockgate contract widen` allows what new data hold.
# kind: number, integer, boolean, category, date or text. missing: largest share of missing cells,
# 0 unless stated. min and max: bounds of numbers and dates. values: the allowed categories.
# unique, optional (the column may be absent), description: as wanted.
"""


class _TextLoader(yaml.CSafeLoader):
    """Reads each scalar as its text: no octal numbers, no `no` for false; no key twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key, count in Counter(keys).items():
            if count > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} occurs twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


_TextLoader.yaml_implicit_resolvers = {}


def read_contract(path: str | Path) -> DataContract:
    """Read a data contract.

    Raises
    ------
    DataError
        If the file does not exist.
    UsageError
        If it is not a contract, with the place of the fault.

    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path}: a data contract has at most {LARGEST >> 20} MiB")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; `lockgate contract infer` writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    try:
        document = yaml.load(text, Loader=_TextLoader)  # noqa: S506  # a safe loader
    except (yaml.YAMLError, RecursionError) as error:
        message = " ".join(str(error).split()).replace('in "<unicode string>", ', "in ")
        raise UsageError(f"{path} is not valid YAML: {message}") from None
    contract = _convert(document, path)
    contract.check(str(path))
    return contract


def _convert(document: Any, path: Path) -> DataContract:
    """Return the contract of a document of texts; name the column with a fault."""
    columns = document.get("columns") if isinstance(document, dict) else None
    if not isinstance(columns, dict):
        raise UsageError(f"{path}: expected `contract: {FORMAT}` and `columns:` with their rules")
    rules = {}
    for name, rule in columns.items():
        if not isinstance(rule, dict):
            raise UsageError(f"{path}: column {name}: expected a rule like {{kind: number}}")
        for key in rule:
            if key not in RULE_KEYS:
                raise UsageError(
                    f"{path}: column {name}: unknown key {key!r}{nearest(str(key), RULE_KEYS)}; "
                    f"available: {', '.join(RULE_KEYS)}; a text with a comma needs quotes"
                )
        if isinstance(_number(rule.get("missing", 0)), str):
            raise UsageError(
                f"{path}: column {name}: missing is {rule['missing']!r}, expected a share from 0 "
                "to 1, such as 0.04"
            )
        try:
            rules[name] = msgspec.convert(_typed_rule(rule), ColumnRule)
        except msgspec.ValidationError as error:
            raise UsageError(f"{path}: column {name}: {error}") from None
    others = {key: value for key, value in document.items() if key != "columns"}
    try:
        return msgspec.convert(
            {**others, "contract": _number(others.get("contract")), "columns": {}}, DataContract
        ).with_columns(rules)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {error}") from None


def contract_text(contract: DataContract) -> str:
    """Return the text of a contract's file: one line for most columns."""
    return HEADER + yaml.safe_dump(
        contract.plain(), sort_keys=False, default_flow_style=None, allow_unicode=True, width=10_000
    )


def write_contract(path: str | Path, contract: DataContract) -> None:
    """Write a contract in one step."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, contract_text(contract))


def contract_diff(path: Path, contract: DataContract) -> str:
    """Return how a file would change if this contract were written to it, as a unified diff."""
    before, after = path.read_text(encoding="utf-8"), contract_text(contract)
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), str(path), str(path), lineterm="", n=0
    )
    return "\n".join(lines)


def _typed_rule(rule: dict[str, Any]) -> dict[str, Any]:
    types = {field.name: field.type for field in msgspec.structs.fields(ColumnRule)}
    typed = {}
    for key, value in rule.items():
        if types.get(key) == "bool" or types.get(key) is bool:
            value = {"true": True, "false": False}.get(str(value).lower(), value)
        elif key in ("min", "max") and value in ("", "~", "null"):
            continue  # no bound
        elif key == "missing" or (key in ("min", "max") and rule.get("kind") != "date"):
            value = _number(value)
        typed[key] = value
    return typed


def _number(value: Any) -> Any:
    """Return a text as the number that it is, as a whole one where it can be; others unchanged."""
    if isinstance(value, str) and "_" in value:  # Python reads 3_0 as 30
        return value
    for convert in (int, float):
        try:
            return convert(value)
        except (TypeError, ValueError):
            continue
    return value
