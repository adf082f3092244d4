"""Resolves what a merge by Git leaves in files that lockgate writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lockgate.data.io.atomic import write_file
from lockgate.errors import UsageError
from lockgate.plugins.config.choices import CHOICES, Choices, choices_text, parse_choices
from lockgate.plugins.host.params_file import has_conflict, parse_yaml

__all__ = ["resolve_conflicts"]

BLOCK = re.compile(
    r"^<{7} .*?\n(?P<ours>.*?)(?:^\|{7} .*?\n.*?)?^={7}\n(?P<theirs>.*?)^>{7} .*?(?:\n|\Z)",
    re.MULTILINE | re.DOTALL,
)


def resolve_conflicts(root: Path) -> list[str]:
    """Resolve conflicts in recorded choices, ``params.yaml`` and ``dvc.lock``.

    Choices of both sides are kept. ``params.yaml`` is composed anew anyway, and ``dvc.lock``
    only says what need not run again.

    Returns
    -------
    list of str
        What was done, for people.

    Raises
    ------
    UsageError
        If both sides chose another value for the same thing.

    """
    messages = []
    path = root / CHOICES
    if (text := _conflicting(path)) is not None:
        merged = _merge(_side(text, "ours", path), _side(text, "theirs", path))
        write_file(path, choices_text(merged))
        messages.append(f"{CHOICES} had conflicts of a merge: the choices of both sides are kept")
    if _conflicting(root / "params.yaml") is not None:
        (root / "params.yaml").unlink()
        messages.append("params.yaml had conflicts of a merge: it is composed anew from conf/")
    if (text := _conflicting(root / "dvc.lock")) is not None:
        write_file(root / "dvc.lock", BLOCK.sub(r"\g<ours>", text))
        messages.append("dvc.lock had conflicts of a merge: this side's state is kept")
    return messages


def _conflicting(path: Path) -> str | None:
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    return text if has_conflict(text) else None


def _side(text: str, side: str, path: Path) -> Choices:
    return parse_choices(parse_yaml(BLOCK.sub(rf"\g<{side}>", text), path), path)


def _merge(ours: Choices, theirs: Choices) -> Choices:
    merged: list[dict[str, Any]] = []
    for name in ("groups", "instances", "values"):
        first, second = getattr(ours, name), getattr(theirs, name)
        for key in first.keys() & second.keys():
            if first[key] != second[key]:
                raise UsageError(
                    f"{CHOICES}: one side of the merge chose {key}={first[key]}, the other "
                    f"{key}={second[key]}; edit the file and keep one of them"
                )
        merged.append({**first, **second})
    return Choices(*merged)
