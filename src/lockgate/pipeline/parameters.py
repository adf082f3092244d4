"""A project's parameters: composed, compared with ``params.yaml``, explained and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lockgate.errors import UsageError
from lockgate.pipeline.experiments import check_experiment, is_composed_experiment
from lockgate.plugins.config.choices import (
    CONF,
    Choices,
    check_include,
    read_choices,
    write_choices,
)
from lockgate.plugins.config.compose import compose_document
from lockgate.plugins.config.flat import differences, flatten
from lockgate.plugins.config.folder import check_folder
from lockgate.plugins.config.last_composed import (
    find_discarded_edits,
    read_last_composed,
    read_last_conf,
    record_composition,
)
from lockgate.plugins.config.record import compose_with, edited_document, forget, record
from lockgate.plugins.config.stamp import compute_stamp, is_edited, read_stamp, values_digest
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.parameters import Parameters
from lockgate.plugins.host.params_file import read_params, write_params

__all__ = [
    "UNSET",
    "Composition",
    "check_derived",
    "compose",
    "write_composition",
]

HEADER = (
    "Derived by lockgate from conf/: change it with `lockgate run OVERRIDES`, or edit conf/.\n"
    "An edit of this file holds for `dvc repro`; `lockgate run --keep` records it below conf/.\n"
)
"""Comment at the top of ``params.yaml``, before its stamp."""


class _Unset:
    """Type of `UNSET`, which a message shows as text."""

    def __repr__(self) -> str:
        return "(unset)"


UNSET = _Unset()
"""A parameter that is not set, which is not the same as one set to null."""


@dataclass(frozen=True)
class Composition:
    """Parameters as composed, beside those in ``params.yaml``.

    Attributes
    ----------
    before, after : dict
        The parameters in the file, empty if there is none, and those composed.
    overrides : tuple of str
        Overrides that they were composed with.
    discarded : dict of str to (object, object)
        Manual edits of the file that are lost: old and new value by dotted key.
    recorded, choices : Choices
        Choices recorded before, and those to record.
    conf_edited : bool
        Whether files of ``conf/`` were edited since the file was composed.

    """

    before: dict[str, Any]
    after: dict[str, Any]
    overrides: tuple[str, ...] = ()
    discarded: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    recorded: Choices = Choices()
    choices: Choices = Choices()
    conf_edited: bool = False

    def overrides_back(self) -> list[str]:
        """Return overrides that restore the choices that were recorded before."""
        back = []
        for name in ("groups", "values"):
            before, now = getattr(self.recorded, name), getattr(self.choices, name)
            for key in now:
                if before.get(key, UNSET) == now[key] or "\\" in key:
                    continue  # Hydra has no way to write a name with a dot
                old = before.get(key)
                text = f"[{','.join(map(str, old))}]" if isinstance(old, list) else str(old)
                back.append(f"~{key}" if old is None else f"{key}={text}")
        return back + [f"~{key}" for key in self.choices.instances.keys() - self.recorded.instances]

    def changes(self) -> dict[str, tuple[Any, Any]]:
        """Return old and new value by dotted key, sorted; `UNSET` stands for a missing key."""
        if not self.before:
            return {}
        old, new = flatten(self.before), flatten(self.after)
        return {
            key: (old.get(key, UNSET), new.get(key, UNSET))
            for key in differences(self.before, self.after)
        }


def compose(
    root: Path, overrides: Sequence[str] = (), *, keep: bool = False, reset: bool = False
) -> Composition:
    """Compose the parameters of a project; nothing is written.

    Parameters
    ----------
    root : pathlib.Path
        The project.
    overrides : sequence of str
        Hydra overrides, e.g. ``model=boosting``; they are added to the recorded choices.
    keep : bool
        Make manual edits of ``params.yaml`` choices as well.
    reset : bool
        Forget the choices recorded so far.

    """
    file = root / "params.yaml"
    before = _read_before(file)
    recorded = read_choices(root)
    if recorded != Choices():
        check_include(root)
    choices, remaining = forget(root, Choices() if reset else recorded, overrides)
    edited = bool(before) and is_edited(root, before)
    written = _written(root, file, recorded) if edited else before
    if keep and edited:
        Parameters.check(before, Catalogue.installed())
        composed = compose_with(root, choices)
        choices = record(root, choices, [], edited_document(composed, written, before))
    after = compose_with(root, choices, remaining)
    if remaining:
        choices = record(root, choices, remaining, after)
    discarded = find_discarded_edits(written, before, after) if edited and not keep else {}
    stamp = read_stamp(file)
    conf_edited = stamp is not None and stamp.conf != compute_stamp(root, before).conf
    return Composition(before, after, tuple(overrides), discarded, recorded, choices, conf_edited)


def _read_before(file: Path) -> dict[str, Any]:
    """Return the parameters that are there; none if the file is missing or empty."""
    if file.exists() and not file.is_file():
        raise UsageError(f"{file} is not a file: move it away, and `lockgate run` composes it")
    if not file.is_file() or not file.read_bytes().strip():
        return {}
    try:
        return read_params(file)
    except UsageError as error:
        raise UsageError(
            f"{error}; correct it, or remove it, and `lockgate run` composes it anew"
        ) from None


def _written(root: Path, file: Path, recorded: Choices) -> dict[str, Any]:
    """Return the parameters that the file had before it was edited, as far as that is known."""
    stamp, last = read_stamp(file), read_last_composed(root)
    elsewhere = stamp is None and read_last_conf(root) != compute_stamp(root, {}).conf
    if last is None or elsewhere or (stamp and stamp.values != values_digest(last)):
        return compose_with(root, recorded)
    return last


def check_derived(root: Path) -> None:
    """Check that ``params.yaml`` is valid, and not of an older ``conf/``; it may be edited.

    Raises
    ------
    LockgateError
        If a parameter is not valid.
    UsageError
        If ``conf/`` was changed since, with the parameters that differ, or DVC composed
        another folder for an experiment.

    """
    file = root / "params.yaml"
    document = read_params(file)
    Parameters.check(document, Catalogue.installed())
    stamp = read_stamp(file)
    composed_from = stamp.conf if stamp else _last_conf_of(root, document)
    check_folder(root / CONF)
    check_experiment(root)
    if is_composed_experiment(root) or composed_from == compute_stamp(root, document).conf:
        return
    if keys := differences(document, compose_document(root)):
        raise UsageError(
            f"conf/ was changed since params.yaml was composed, and they differ in "
            f"{', '.join(keys[:5])}{' ...' if len(keys) > 5 else ''}; run: lockgate run "
            "(--keep records what params.yaml has)"
        )


def _last_conf_of(root: Path, document: dict[str, Any]) -> str | None:
    """Return the digest of ``conf/`` that a file without stamp was composed from, if it was here.

    A refused experiment leaves the parameters of another project.
    """
    last = read_last_composed(root) or {}
    same = last.get("project", {}).get("name") == document.get("project", {}).get("name")
    return read_last_conf(root) if same else None


def write_composition(root: Path, composition: Composition) -> None:
    """Record the choices, and write the parameters, unless they are there already."""
    write_choices(root, composition.choices)
    file = root / "params.yaml"
    stamp = compute_stamp(root, composition.after)
    if composition.before != composition.after or read_stamp(file) != stamp:
        write_params(file, composition.after, f"{HEADER}{stamp}")
    record_composition(root, composition.after, composition.overrides, stamp.conf)
