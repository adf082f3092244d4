"""Resolves what a merge by Git leaves in files that lockgate writes."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from lockgate.data.io.atomic import write_file
from lockgate.errors import UsageError
from lockgate.pipeline.versions import BASE, OURS, THEIRS, read_version
from lockgate.plugins.config.choices import (
    CHOICES,
    KINDS,
    Choices,
    choices_text,
    is_below,
    parse_choices,
)
from lockgate.plugins.config.flat import UNSET
from lockgate.plugins.config.stamp import find_stamp, values_digest
from lockgate.plugins.host.params_file import has_conflict, parse_yaml

__all__ = ["conflicts_resolved"]


BLOCK = re.compile(
    r"^<{7} .*?\n(?P<ours>.*?)(?:^\|{7} .*?\n.*?)?^={7}\r?\n(?P<theirs>.*?)^>{7} .*?(?:\n|\Z)",
    re.MULTILINE | re.DOTALL,
)


@contextlib.contextmanager
def conflicts_resolved(
    root: Path,
    on_resolved: Callable[[str], None],
    decided: Collection[str] = (),
    *,
    forgotten: Collection[str] = (),
    reset: bool = False,
) -> Iterator[dict[str, dict[str, Any]]]:
    """Resolve conflicts in recorded choices, ``params.yaml`` and ``dvc.lock``.

    Choices of both sides are kept. ``params.yaml`` is composed anew anyway, and ``dvc.lock``
    only tells what need not run again: merged line by line, it would tie the results of one
    side to the parameters of the other, so this side's is taken whole. If the block fails,
    the files are as before.

    Parameters
    ----------
    root : pathlib.Path
        The project.
    on_resolved : callable
        Called with what was done, after the block.
    decided : collection of str
        Groups, instances and keys that overrides set, whatever the sides chose.
    forgotten : collection of str
        Those that overrides forget: one of the sides' choices is kept for them to do so.
    reset : bool
        Whether the choices of both sides are forgotten.

    Yields
    ------
    dict of str to dict
        Parameters of each side that edited ``params.yaml``, by "this" and "the other".

    Raises
    ------
    UsageError
        If both sides chose another value for the same thing, and it is not decided.

    """
    before: dict[Path, bytes] = {}
    edited: dict[str, dict[str, Any]] = {}
    messages = []
    try:
        for path in (root / CHOICES, root / "params.yaml", root / "dvc.lock"):
            raw = path.read_bytes() if path.is_file() else b""
            text = raw.decode("utf-8", "replace")
            if not has_conflict(text):
                continue
            before[path] = raw
            if path.name == CHOICES.name:
                merged = Choices() if reset else _merge(root, text, path, decided, forgotten)
                write_file(path, choices_text(merged))
                done = "both sides' choices are kept"
            elif path.name == "params.yaml":
                edited = _edited_sides(root, text, path)
                path.unlink()
                done = "it is composed anew"
            elif (ours := read_version(root, path, OURS)) is None:
                path.unlink()
                done = "it is made anew"
            else:
                write_file(path, ours)
                done = "that of this side is taken, and what differs runs again"
            messages.append(f"{path.relative_to(root)} had conflicts of a merge: {done}")
        yield edited
    except BaseException:
        for path, raw in before.items():
            write_file(path, raw)
        raise
    for message in messages:
        on_resolved(message)


def _merge(
    root: Path,
    text: str,
    path: Path,
    decided: Collection[str],
    forgotten: Collection[str],
) -> Choices:
    """Merge the choices of both sides, against those that they started from."""
    base = read_version(root, path, BASE)
    ours, theirs = (_parse(side, path) for side in _sides(root, text, path))
    if base is not None:
        start: Choices | None = _parse(base, path)
    else:  # neither side had the file, or nobody knows any more what they started from
        start = None if read_version(root, path, OURS) is None else Choices()
    merged = [
        _merge_keys(
            None if start is None else getattr(start, name),
            getattr(ours, name),
            getattr(theirs, name),
            # the choice of a plugin says nothing about its settings
            decided if name != "values" else set(decided).difference(KINDS),
            forgotten,
        )
        for name in ("groups", "instances", "values")
    ]
    return Choices(*merged)


def _sides(root: Path, text: str, path: Path) -> tuple[str, str]:
    """Return this side's text of a file, and the other's."""
    ours, theirs = read_version(root, path, OURS), read_version(root, path, THEIRS)
    return (
        BLOCK.sub(r"\g<ours>", text) if ours is None else ours,
        BLOCK.sub(r"\g<theirs>", text) if theirs is None else theirs,
    )


def _edited_sides(root: Path, text: str, path: Path) -> dict[str, dict[str, Any]]:
    """Return the parameters of the sides that hold others than were composed."""
    edited = {}
    for name, side in zip(("this", "the other"), _sides(root, text, path), strict=True):
        document, stamp = parse_yaml(side, path), find_stamp(side)
        if isinstance(document, dict) and not (stamp and stamp.values == values_digest(document)):
            edited[name] = document
    return edited


def _parse(text: str, path: Path) -> Choices:
    return parse_choices(parse_yaml(text, path), path)


def _merge_keys(
    base: dict[str, Any] | None,
    ours: dict[str, Any],
    theirs: dict[str, Any],
    decided: Collection[str],
    forgotten: Collection[str],
) -> dict[str, Any]:
    merged = {}
    for key in dict.fromkeys([*ours, *theirs]):
        left, right = ours.get(key, UNSET), theirs.get(key, UNSET)
        start = object() if base is None else base.get(key, UNSET)  # unknown: equal to neither
        if is_below(key, decided):
            continue
        if is_below(key, forgotten):
            merged[key] = left if right is UNSET else right
            continue
        if left != right and start not in (left, right):
            raise UsageError(
                f"{CHOICES}: one side of the merge chose {key}={left!r}, the other "
                f"{key}={right!r}; decide with: lockgate run {key}=VALUE, or "
                f"'~{key}' to forget it; --reset forgets all"
            )
        chosen = left if right == start else right
        if chosen is not UNSET:
            merged[key] = chosen
    for key in merged:
        if below := [other for other in merged if other.startswith(f"{key}.")]:
            raise UsageError(
                f"{CHOICES}: one side of the merge chose {key}={merged[key]!r}, the other "
                f"{below[0]}={merged[below[0]]!r}; decide with: lockgate run {key}=VALUE"
            )
    return merged
