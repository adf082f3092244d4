"""A project's parameters: composed, compared with ``params.yaml``, explained and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lockgate.errors import UsageError
from lockgate.pipeline.experiments import check_experiment, is_composed_experiment
from lockgate.pipeline.versions import read_version
from lockgate.plugins.config.choices import (
    CHOICES,
    CONF,
    Choices,
    choices_text,
    read_choices,
    write_choices,
)
from lockgate.plugins.config.compose import compose_document
from lockgate.plugins.config.flat import UNSET, differences, flatten
from lockgate.plugins.config.folder import check_folder, check_links
from lockgate.plugins.config.forget import forget
from lockgate.plugins.config.last_composed import (
    find_discarded_edits,
    read_last_composed,
    read_last_conf,
    record_composition,
)
from lockgate.plugins.config.overrides import format_value
from lockgate.plugins.config.record import compose_with, edited_document, record
from lockgate.plugins.config.stamp import (
    Stamp,
    compute_stamp,
    conf_digest,
    is_edited,
    read_conf,
    read_stamp,
    values_digest,
)
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.parameters import Parameters
from lockgate.plugins.host.params_file import has_conflict, parse_yaml, read_params, write_params

__all__ = [
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
    conf : dict of str to bytes
        Files of ``conf/`` that the parameters are composed from, by their path.

    """

    before: dict[str, Any]
    after: dict[str, Any]
    overrides: tuple[str, ...] = ()
    discarded: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    recorded: Choices = Choices()
    choices: Choices = Choices()
    conf_edited: bool = False
    conf: dict[str, bytes] = field(default_factory=dict)

    def overrides_back(self) -> list[str]:
        """Return overrides that restore the choices that were recorded before."""
        back = []
        for name, old, new in (
            (name, getattr(self.recorded, name), getattr(self.choices, name))
            for name in ("groups", "instances", "values")
        ):
            for key in [*old, *(key for key in new if key not in old)]:
                if key not in old:
                    back.append(f"~{key}")
                elif name == "instances" and key not in new:
                    back.append(f"+{key.partition('.')[0]}@{key}={old[key]}")
                elif old[key] != new.get(key, UNSET):
                    back.append(f"{key}={format_value(old[key])}")
        return back

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
    check_links(root / CONF)
    conf = read_conf(root)
    recorded = read_choices(root)
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
    conf_edited = stamp is not None and stamp.conf != conf_digest(conf)
    if read_conf(root) != conf:
        raise UsageError("conf/ was changed while it was composed; run it again")
    return Composition(
        before, after, tuple(overrides), discarded, recorded, choices, conf_edited, conf
    )


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
    if stamp is not None:
        for document in (last, _read_committed(root, file)):
            if document is not None and values_digest(document) == stamp.values:
                return document
    elif last is not None and read_last_conf(root) == compute_stamp(root, {}).conf:
        return last
    return compose_with(root, recorded)


def _read_committed(root: Path, file: Path) -> dict[str, Any] | None:
    """Return the parameters of the last commit."""
    text = read_version(root, file, "HEAD")
    content = parse_yaml(text, file) if text is not None and not has_conflict(text) else None
    return content if isinstance(content, dict) else None


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
        reason = (
            "conf/ was changed since params.yaml was composed, and they differ"
            if composed_from
            else "params.yaml was not composed here, and differs from conf/"
        )
        raise UsageError(
            f"{reason} in {', '.join(keys[:5])}{' ...' if len(keys) > 5 else ''}; run: "
            "lockgate run (--keep records what params.yaml has)"
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
    # of the files that were composed: another program may have changed one since
    conf = composition.conf | {CHOICES.as_posix(): choices_text(composition.choices).encode()}
    stamp = Stamp(conf_digest(conf), values_digest(composition.after))
    if composition.before != composition.after or read_stamp(file) != stamp:
        write_params(file, composition.after, f"{HEADER}{stamp}")
    record_composition(root, composition.after, composition.overrides, stamp.conf)
