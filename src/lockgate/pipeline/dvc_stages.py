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
    """Add the sections of a ``dvc.yaml`` to a file that may exist, whose content stays as it is.

    Raises
    ------
    UsageError
        If the file cannot be read, or has entries of the same name.

    """
    if not path.exists():
        write_file(path, text)
        return
    before = path.read_text("utf-8")
    yaml = YAML()
    yaml.width = 1000
    yaml.preserve_quotes = True
    offset = _list_offset(before)
    yaml.indent(mapping=2, sequence=offset + 2, offset=offset)
    existing, added = _load(yaml, before, path), yaml.load(text)
    for section, entries in added.items():
        present = existing.setdefault(section, {})
        if not isinstance(present, dict):
            raise UsageError(f"{path}: expected a mapping below {section}")
        if same := [name for name in entries if name in present]:
            raise UsageError(
                f"{path} already has {section} with the name {', '.join(same)}: create the "
                "project in a folder of its own, e.g. lockgate init risk"
            )
        present.update(entries)
    buffer = io.StringIO()
    yaml.dump(existing, buffer)
    write_file(path, buffer.getvalue())


def _load(yaml: YAML, text: str, path: Path) -> Any:
    try:
        existing = yaml.load(text)
    except (YAMLError, ValueError) as error:
        raise UsageError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if existing is None:
        return {}
    if not isinstance(existing, dict):
        raise UsageError(f"{path}: expected a mapping of stages, metrics and plots")
    return existing


def _list_offset(text: str) -> int:
    """Return by how many blanks a file indents its lists, so that its lines stay as they are."""
    first = re.search(r"^( *)[^\s#-][^\n]*:[ ]*\n( *)- ", text, re.MULTILINE)
    return max(len(first[2]) - len(first[1]), 0) if first else 2
