"""A project's parameters: composed, compared with ``params.yaml``, explained and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lockgate.plugins.config.compose import compose_document
from lockgate.plugins.config.last_composed import find_discarded_edits, record_composition
from lockgate.plugins.config.origins import find_origins, flatten
from lockgate.plugins.config.recompose import recompose
from lockgate.plugins.host.params_file import read_params, write_params

__all__ = [
    "UNSET",
    "Composition",
    "ParameterOrigin",
    "compose",
    "explain_parameters",
    "write_composition",
]

HEADER = (
    "Composed by `lockgate run` from conf/ and overrides; checked whole by every stage.\n"
    "Edit it and run `dvc repro`, or recompose it with `lockgate run OVERRIDES`."
)
"""Comment at the top of ``params.yaml``."""


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

    """

    before: dict[str, Any]
    after: dict[str, Any]
    overrides: tuple[str, ...] = ()
    discarded: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def changes(self) -> dict[str, tuple[Any, Any]]:
        """Return old and new value by dotted key, sorted; `UNSET` stands for a missing key."""
        if not self.before:
            return {}
        old, new = flatten(self.before), flatten(self.after)
        return {
            key: (old.get(key, UNSET), new.get(key, UNSET))
            for key in sorted(old.keys() | new.keys())
            if old.get(key) != new.get(key)
        }


def compose(root: Path, overrides: Sequence[str] = (), *, keep: bool = False) -> Composition:
    """Compose the parameters of a project; nothing is written.

    Parameters
    ----------
    root : pathlib.Path
        The project.
    overrides : sequence of str
        Hydra overrides, e.g. ``model=boosting``.
    keep : bool
        Start from ``params.yaml``, manual edits included, instead of ``conf/``.

    """
    file = root / "params.yaml"
    before = read_params(file) if file.is_file() else {}
    if keep:
        return Composition(before, recompose(before, overrides), tuple(overrides))
    after = compose_document(root, overrides)
    discarded = find_discarded_edits(root, before, after)
    return Composition(before, after, tuple(overrides), discarded)


@dataclass(frozen=True)
class ParameterOrigin:
    """A parameter and where its value comes from.

    Attributes
    ----------
    key : str
        Dotted key.
    value : object
        The composed value.
    origin : str
        A file of ``conf/``, an override, or a default.
    in_file : object
        The value in ``params.yaml`` where it differs, else `UNSET`.

    """

    key: str
    value: Any
    origin: str
    in_file: Any = UNSET

    @property
    def is_default(self) -> bool:
        """Whether the value is lockgate's or a plugin's default."""
        return "default" in self.origin

    @property
    def differs(self) -> bool:
        """Whether ``params.yaml`` has another value."""
        return self.in_file is not UNSET

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        fields = {"key": self.key, "value": self.value, "from": self.origin}
        return fields | ({"params.yaml": self.in_file} if self.differs else {})


def explain_parameters(root: Path, overrides: Sequence[str] = ()) -> list[ParameterOrigin]:
    """Compose the parameters of a project, and return each with its origin.

    Parameters
    ----------
    root, overrides
        As for `compose`.

    """
    composed = flatten(compose_document(root, overrides))
    origins = find_origins(root, overrides)
    file = root / "params.yaml"
    current = flatten(read_params(file)) if file.is_file() else {}
    parameters = [
        ParameterOrigin(
            key,
            value,
            _find_origin(key, origins),
            current[key] if key in current and current[key] != value else UNSET,
        )
        for key, value in composed.items()
    ]
    removed = current.keys() - composed.keys()
    return parameters + [
        ParameterOrigin(key, None, "only in params.yaml", value)
        for key, value in current.items()
        if key in removed
    ]


def _find_origin(key: str, origins: dict[str, str]) -> str:
    """Return the origin of a key, or of the nearest key above it."""
    parts = key.split(".")
    for length in range(len(parts), 0, -1):
        origin = origins.get(".".join(parts[:length]))
        if origin is not None:
            return origin
    return "lockgate's default"


def write_composition(root: Path, composition: Composition) -> None:
    """Write the parameters to ``params.yaml``, unless they are there already."""
    if composition.before != composition.after:
        write_params(root / "params.yaml", composition.after, HEADER)
    record_composition(root, composition.after, composition.overrides)
