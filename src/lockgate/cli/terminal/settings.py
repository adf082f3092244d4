"""Options that set something by name: NAME=VALUE."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from lockgate.contract.tables import MISSING_TEXTS
from lockgate.errors import UsageError

__all__ = ["parse_kinds", "parse_plugin_settings", "parse_settings", "split_setting"]


def split_setting(text: str, option: str) -> tuple[str, str]:
    """Return name and value of NAME=VALUE.

    Raises
    ------
    UsageError
        If the text has no name or no equals sign.

    """
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise UsageError(f"{option} {text!r}: expected NAME=VALUE")
    return name, value


def parse_settings(
    texts: Iterable[str], missing: Iterable[str] = MISSING_TEXTS
) -> dict[str, str | list[str]]:
    """Return the values of ``--set NAME=VALUE`` by name, as they are written.

    `missing` is a list: a text is added to those that are known, by default those of pandas, and
    ``[NA, '-']`` takes their place.

    Examples
    --------
    >>> parse_settings(["decimal=,", "missing=['', '-']"])
    {'decimal': ',', 'missing': ['', '-']}
    >>> parse_settings(["missing=k.A."])["missing"][-2:]
    ['null', 'k.A.']

    """
    settings: dict[str, str | list[str]] = {}
    for name, value in (split_setting(text, "--set") for text in texts):
        if name != "missing":
            settings[name] = value
            continue
        known = settings.get(name, list(missing))
        settings[name] = _parse_list(value) if value.startswith("[") else [*known, value]
    return settings


def parse_plugin_settings(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the values of ``--set NAME.SETTING=VALUE`` by plugin and name, as YAML reads them.

    Examples
    --------
    >>> parse_plugin_settings(["anomaly.known=fraud", "anomaly.examples=3"])
    {'anomaly': {'known': 'fraud', 'examples': 3}}

    """
    settings: dict[str, dict[str, Any]] = {}
    for text in texts:
        path, value = split_setting(text, "--set")
        plugin, separator, name = path.partition(".")
        if not separator or not plugin or not name:
            raise UsageError(f"--set {text!r}: expected NAME.SETTING=VALUE")
        try:
            settings.setdefault(plugin, {})[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UsageError(f"--set {text!r}: expected a value such as 3, true or fraud") from None
    return settings


def _parse_list(text: str) -> list[str]:
    try:
        return [str(value) for value in yaml.load(text, Loader=yaml.BaseLoader)]  # noqa: S506  # texts only
    except yaml.YAMLError:
        raise UsageError(f"--set missing={text}: expected a list such as [NA, '-']") from None


def parse_kinds(texts: Iterable[str]) -> dict[str, str]:
    """Return the values of ``--kind COLUMN=KIND`` by column, whose name may have an equals sign."""
    kinds = {}
    for text in texts:
        name, separator, kind = text.rpartition("=")
        if not separator or not name:
            raise UsageError(f"--kind {text!r}: expected COLUMN=KIND")
        kinds[name] = kind
    return kinds
