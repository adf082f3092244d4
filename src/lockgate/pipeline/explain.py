"""Explains a project's parameters: where each value comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate.plugins.config.choices import CHOICES, CONF, KINDS, read_choices
from lockgate.plugins.config.compose import compose_document
from lockgate.plugins.config.flat import UNSET, flatten
from lockgate.plugins.config.origins import find_origins
from lockgate.plugins.config.overrides import parse_overrides
from lockgate.plugins.host.params_file import read_params

__all__ = ["ParameterOrigin", "explain_parameters"]


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
        return self.origin.startswith(("lockgate's default", "default of "))

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
    document = compose_document(root, overrides)
    composed = flatten(document)
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
    return (
        _explain_plugins(root, document, overrides)
        + parameters
        + [
            ParameterOrigin(key, None, "only in params.yaml", value)
            for key, value in current.items()
            if key in removed
        ]
    )


def _explain_plugins(
    root: Path, document: dict[str, Any], overrides: Sequence[str]
) -> list[ParameterOrigin]:
    """Return the chosen plugins of each kind, and what chose them."""
    by_key = {override.key_or_group: override.input_line for override in parse_overrides(overrides)}
    recorded = read_choices(root).groups
    experiment = by_key.get("experiment") or recorded.get("experiment")

    def find_origin(kind: str) -> str:
        if kind in by_key:
            return f"override {by_key[kind]}"
        if kind in recorded:
            return CHOICES.as_posix()
        # an experiment may choose it as well
        return f"{CONF}/" if experiment else f"{CONF}/config.yaml"

    return [
        ParameterOrigin(kind, ", ".join(document[kind]), find_origin(kind))
        for kind in KINDS
        if document.get(kind)
    ]


def _find_origin(key: str, origins: dict[str, str]) -> str:
    """Return the origin of a key, or of the nearest key above it."""
    parts = key.split(".")
    for length in range(len(parts), 0, -1):
        origin = origins.get(".".join(parts[:length]))
        if origin is not None:
            return origin
    return "lockgate's default"
