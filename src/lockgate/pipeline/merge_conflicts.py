"""Resolves what a merge by Git leaves in files that lockgate writes."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from lockgate.data.io.atomic import write_file
from lockgate.errors import UsageError
from lockgate.plugins.config.choices import CHOICES, Choices, choices_text, is_below, parse_choices
from lockgate.plugins.host.params_file import has_conflict, parse_yaml

__all__ = ["conflicts_resolved"]

BLOCK = re.compile(
    r"^<{7} .*?\n(?P<ours>.*?)(?:^\|{7} .*?\n.*?)?^={7}\n(?P<theirs>.*?)^>{7} .*?(?:\n|\Z)",
    re.MULTILINE | re.DOTALL,
)


@contextlib.contextmanager
def conflicts_resolved(
    root: Path,
    on_resolved: Callable[[str], None],
    decided: Collection[str] = (),
    *,
    reset: bool = False,
) -> Iterator[None]:
    """Resolve conflicts in recorded choices, ``params.yaml`` and ``dvc.lock``.

    Choices of both sides are kept. ``params.yaml`` is composed anew anyway, and ``dvc.lock``
    only tells what need not run again: merged line by line, it would tie the results of one
    side to the parameters of the other. If the block fails, the files are as before.

    Parameters
    ----------
    root : pathlib.Path
        The project.
    on_resolved : callable
        Called with what was done.
    decided : collection of str
        Groups, instances and keys that overrides set, whatever the sides chose.
    reset : bool
        Whether the choices of both sides are forgotten.

    Raises
    ------
    UsageError
        If both sides chose another value for the same thing, and it is not decided.

    """
    before: dict[Path, bytes] = {}
    try:
        for path in (root / CHOICES, root / "params.yaml", root / "dvc.lock"):
            raw = path.read_bytes() if path.is_file() else b""
            text = raw.decode("utf-8", "replace")
            if not has_conflict(text):
                continue
            before[path] = raw
            if path.name == CHOICES.name:
                merged = Choices() if reset else _merge(root, text, path, decided)
                write_file(path, choices_text(merged))
                on_resolved(f"{CHOICES} had conflicts of a merge: both sides' choices are kept")
            else:
                path.unlink()
                on_resolved(f"{path.name} had conflicts of a merge: it is made anew")
        yield
    except BaseException:
        for path, raw in before.items():
            write_file(path, raw)
        raise


def _merge(root: Path, text: str, path: Path, decided: Collection[str]) -> Choices:
    """Merge the choices of both sides, against those that they started from."""
    sides = [_parse(BLOCK.sub(rf"\g<{side}>", text), path) for side in ("ours", "theirs")]
    # Git keeps the three versions of a file until its conflict is resolved
    versions = [_version(root, number) for number in (1, 2, 3)]
    base, ours, theirs = (
        Choices() if versions[0] is None else _parse(versions[0], path),
        sides[0] if versions[1] is None else _parse(versions[1], path),
        sides[1] if versions[2] is None else _parse(versions[2], path),
    )
    merged = [
        _merge_keys(getattr(base, name), getattr(ours, name), getattr(theirs, name), decided)
        for name in ("groups", "instances", "values")
    ]
    return Choices(*merged)


def _parse(text: str, path: Path) -> Choices:
    return parse_choices(parse_yaml(text, path), path)


def _version(root: Path, number: int) -> str | None:
    command = ["git", "show", f":{number}:./{CHOICES.as_posix()}"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def _merge_keys(
    base: dict[str, Any],
    ours: dict[str, Any],
    theirs: dict[str, Any],
    decided: Collection[str],
) -> dict[str, Any]:
    absent = object()
    merged = {}
    for key in dict.fromkeys([*ours, *theirs]):
        start, left, right = (side.get(key, absent) for side in (base, ours, theirs))
        if is_below(key, decided):
            continue
        if left != right and start not in (left, right):
            raise UsageError(
                f"{CHOICES}: one side of the merge chose {key}={_show(left, absent)}, the other "
                f"{key}={_show(right, absent)}; decide with: lockgate run {key}=VALUE, or forget "
                "both with --reset"
            )
        chosen = left if right == start else right
        if chosen is not absent:
            merged[key] = chosen
    return merged


def _show(value: object, absent: object) -> str:
    return "nothing" if value is absent else repr(value)
