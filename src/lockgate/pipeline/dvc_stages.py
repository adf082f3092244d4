"""Adds the stages of a project to a ``dvc.yaml``, which may have others."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from lockgate.data.io.atomic import write_file
from lockgate.errors import UsageError

__all__ = ["add_stages"]


def add_stages(path: Path, text: str) -> None:
    """Add the sections of a ``dvc.yaml`` to a file that may exist, whose entries and comments stay.

    Entries that are there already, as of an attempt that was interrupted, are not added.

    Raises
    ------
    UsageError
        If the file cannot be read, or has other entries of the same name.

    """
    if not path.exists():
        write_file(path, text)
        return
    yaml = YAML()
    yaml.width = 1000
    yaml.preserve_quotes = True
    existing, added = _load(yaml, path), yaml.load(text)
    for section, entries in added.items():
        if existing.get(section) is None:
            existing[section] = {}
        present = existing[section]
        if not isinstance(present, dict):
            raise UsageError(f"{path}: expected a mapping below {section}")
        if same := [name for name in entries if present.get(name, entries[name]) != entries[name]]:
            raise UsageError(
                f"{path} already has {section} with the name {', '.join(same)}: create the "
                "project in a folder of its own, e.g. lockgate init risk"
            )
        present.update(entries)
    buffer = io.StringIO()
    yaml.dump(existing, buffer)
    content = buffer.getvalue()
    if b"\r\n" in path.read_bytes():
        content = content.replace("\n", "\r\n")
    write_file(path, content)


def _load(yaml: YAML, path: Path) -> Any:
    """Read the file, and let `yaml` write it with the indents that it has."""
    try:
        text = path.read_bytes().decode("utf-8")
        existing = yaml.load(text)
    except (YAMLError, ValueError) as error:
        raise UsageError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if existing is None:
        return {}
    if not isinstance(existing, dict):
        raise UsageError(f"{path}: expected a mapping of stages, metrics and plots")
    mapping = re.search(r"^[^\s#][^\n]*:[^\n]*\n(?:\s*#[^\n]*\n|\s*\n)*( +)\S", text, re.MULTILINE)
    sequence = re.search(r"^( *)[^\s#-][^\n]*:[ ]*\n( *)- ", text, re.MULTILINE)
    offset = max(len(sequence[2]) - len(sequence[1]), 0) if sequence else 2
    yaml.indent(mapping=len(mapping[1]) if mapping else 2, sequence=offset + 2, offset=offset)
    return existing
