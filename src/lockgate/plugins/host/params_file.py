"""Reads and writes ``params.yaml``: YAML 1.2 scalars, without aliases and duplicate keys."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import yaml

from lockgate.data.io.atomic import write_file
from lockgate.errors import UsageError

__all__ = [
    "MAX_BYTES",
    "dump_yaml",
    "edit_params",
    "has_conflict",
    "parse_yaml",
    "read_params",
    "read_yaml",
    "write_params",
]

MAX_BYTES = 1 << 20
"""Largest size of a file, in bytes."""

# YAML 1.2 core schema, section 10.3.2: 1e-1 is a number, 1_000 and 12:30 are not
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_INT = re.compile(r"^[-+]?[0-9]+$")
_BOOL = re.compile(r"^(true|True|TRUE|false|False|FALSE)$")
_SPECIAL = re.compile(r"^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$")


_NUMERIC = re.compile(r"[-+]?[.0-9][.0-9_:]*([eE][-+]?[0-9_]*)?")
"""What other readers may take for a number: 1_000, 12:30."""

_SCALARS = (
    ("tag:yaml.org,2002:bool", _BOOL, "tTfF"),
    ("tag:yaml.org,2002:int", _INT, "-+0123456789"),
    ("tag:yaml.org,2002:float", _FLOAT, "-+.0123456789"),
    ("tag:yaml.org,2002:float", _SPECIAL, "-+."),
    ("tag:yaml.org,2002:null", re.compile(r"^(~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
)
"""Tag, pattern and first characters of scalars that are not text."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with YAML 1.2 scalars, without aliases and duplicate keys."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]  # untyped upstream
            raise yaml.MarkedYAMLError(
                problem="aliases are not allowed", problem_mark=event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                problem = f"expected a text as key, got {key!r}"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
            if key in seen:
                problem = f"the key {key!r} is duplicated"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _construct_float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    return float(
        str(loader.construct_scalar(node)).lower().replace(".inf", "inf").replace(".nan", "nan")
    )


def _construct_int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    return int(str(loader.construct_scalar(node)))


_Loader.add_constructor("tag:yaml.org,2002:float", _construct_float)
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def read_params(path: Path) -> dict[str, Any]:
    """Read a parameter file.

    Raises
    ------
    UsageError
        If it is missing, too large, not valid YAML, or not a mapping; with line and column.

    """
    loaded = read_yaml(path)
    if loaded is None:
        raise UsageError(f"{path} is empty; write it with: lockgate run")
    if not isinstance(loaded, dict):
        raise UsageError(f"{path} holds {type(loaded).__name__}, expected a mapping of parameters")
    return loaded


def read_yaml(path: Path) -> Any:
    """Read a file of the configuration.

    Raises
    ------
    UsageError
        If it is missing, too large, not valid YAML, or uses aliases, which may expand it.

    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(
                f"{path} is larger than {MAX_BYTES} bytes, the limit of a parameter file"
            )
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"{path} is missing; write it with: lockgate run") from None
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not UTF-8 text: {error.reason} at byte {error.start}"
        ) from None
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> Any:
    """Parse a text of the configuration; `path` names it in messages.

    Raises
    ------
    UsageError
        If it is not valid YAML, or uses aliases.

    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  # a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        if has_conflict(text):
            derived = path.name == "params.yaml" or path.parent.name == "chosen"
            way = "with: lockgate run" if derived else "in an editor, then: lockgate run"
            raise UsageError(f"{path} has conflicts of a merge; resolve them {way}") from None
        mark = error.problem_mark
        location = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UsageError(f"{path}{location}: {error.problem}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper that never writes an alias."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # the signature is PyYAML's
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # PyYAML writes these line separators unquoted, but reads them as ends of lines; and other
    # readers, OmegaConf among them, take more texts for numbers than YAML 1.2 does
    separators = set(text) & set("\x85\u2028\u2029\ufeff")
    style = '"' if separators else "'" if _NUMERIC.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
for _tag, _form, _first in _SCALARS:
    _Loader.add_implicit_resolver(_tag, _form, list(_first))
    # so that a text that looks like a number in YAML 1.1 or 1.2 is quoted
    _Dumper.add_implicit_resolver(_tag, _form, list(_first))


def has_conflict(text: str) -> bool:
    """Return whether a text has the conflict markers of a merge by Git."""
    return all(re.search(f"^{mark}", text, re.MULTILINE) for mark in ("<{7} ", "={7}\r?$", ">{7} "))


def dump_yaml(document: dict[str, Any]) -> str:
    """Return a document as YAML, its keys in their order."""
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


def edit_params(path: Path, values: dict[str, Any]) -> None:
    """Set parameters of a file by their first keys; the comment at its top stays."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comment = itertools.takewhile(lambda line: line.startswith("#"), lines)
    text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in comment)
    write_params(path, read_params(path) | values, text)


def write_params(path: Path, document: dict[str, Any], comment: str = "") -> None:
    """Write a parameter file atomically, its keys in the order of `document`."""
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    write_file(path, head + dump_yaml(document))
