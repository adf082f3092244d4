"""Parses overrides in Hydra's grammar, and refuses those that have no place in a project."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from lockgate.contract.kinds import kind
from lockgate.errors import UsageError
from lockgate.plugins.config.choices import KINDS

__all__ = [
    "check_override",
    "convert_to_plain",
    "format_value",
    "parse_grammar",
    "parse_overrides",
    "split_sweep",
]


_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
"""Texts that need no quotes."""


def convert_to_plain(value: object) -> object:
    """Convert the quoted strings and wrappers of Hydra's parser to plain values."""
    if isinstance(value, list):
        return [convert_to_plain(element) for element in value]
    if isinstance(value, dict):
        return {str(key): convert_to_plain(element) for key, element in value.items()}
    return value if isinstance(value, (bool, int, float, str, type(None))) else str(value)


def format_value(value: object) -> str:
    """Return a value as it is written in an override.

    Examples
    --------
    >>> format_value(["a, b", "null", 1.5, True, None, {"k": 2}])
    "['a, b','null',1.5,true,null,{k:2}]"
    >>> format_value("boosting")
    'boosting'

    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(format_value, value))}]"
    if isinstance(value, dict):
        items = (f"{key}:{format_value(inner)}" for key, inner in value.items())
        return "{" + ",".join(items) + "}"
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in ("null", "true", "false", "nan", "inf"):
        return text
    # backslashes stand for themselves, but before a quote
    quoted = re.sub(r"(\\*)('|$)", lambda match: 2 * match[1] + "\\'" * bool(match[2]), text)
    return f"'{quoted}'"


def parse_overrides(overrides: Sequence[str]) -> list[Override]:
    """Parse overrides.

    Raises
    ------
    UsageError
        For an override that is not valid, has several values, or sets what a project
        does not choose.

    """
    parsed = parse_grammar(overrides)
    for override in parsed:
        if override.is_sweep_override():
            text = override.input_line
            raise UsageError(
                f"{text} has several values: `lockgate run -m {text}` queues an experiment for "
                "each; for a single value with a comma, quote it: "
                f"\"{override.key_or_group}='...'\""
            )
        check_override(override)
    return parsed


def parse_grammar(overrides: Sequence[str]) -> list[Override]:
    """Parse overrides, whatever they set and however many values they have.

    Raises
    ------
    UsageError
        For an override that is not valid.

    """
    parsed: list[Override] = []
    for text in overrides:
        try:
            parsed += OverridesParser.create().parse_overrides([text])
        except HydraException as error:
            message = " ".join(str(error).partition("See http")[0].split())
            way = (
                "write KEY=VALUE, and quote values with spaces or special characters twice: "
                "\"key='some value'\""
                if text.partition("=")[0].isascii()
                else "Hydra takes only ASCII letters in keys: set the key in a file of conf/"
            )
            raise UsageError(f"invalid override {text!r}: {message}; {way}") from None
    return parsed


def check_override(override: Override) -> None:
    """Refuse what Hydra would take without a word, or answer with the names of its classes."""
    text, key = override.input_line, override.key_or_group
    top, *below = key.split(".")
    if top.partition("/")[0] == "hydra":
        raise UsageError(f"{text}: settings of Hydra itself are not part of a project")
    if top in KINDS and len(below) == 2 and below[1] in ("plugin", "provider"):
        further = f", a further instance with +{top}@{top}.{below[0]}=NAME"
        raise UsageError(
            f"{text}: a plugin is chosen with {top}=NAME{further if kind(top).several else ''}"
        )
    if key not in KINDS or override.is_delete():
        return
    value: object = override.value()
    names = value if isinstance(value, list) else [value]
    if None in names:
        nothing = f"for none, write {key}=[]" if kind(key).listed else f"choose a {key}"
        raise UsageError(f"{text}: expected the name of a plugin; {nothing}")
    if len(set(map(str, names))) < len(names):
        raise UsageError(f"{text} names a plugin twice; a second instance needs a name of its own")


def split_sweep(overrides: Sequence[str]) -> list[list[str]]:
    """Return the overrides of each combination of values, in the order of the values.

    Raises
    ------
    UsageError
        For an override that is not valid, or does not list its values.

    Examples
    --------
    >>> split_sweep(["model=linear,boosting", "search.folds=3"])
    [['model=linear', 'search.folds=3'], ['model=boosting', 'search.folds=3']]

    """
    alternatives = []
    for override in parse_grammar(overrides):
        text = override.input_line or ""
        if not override.is_sweep_override():
            alternatives.append([text])
            continue
        try:
            values = list(override.sweep_string_iterator())
        except HydraException:
            raise UsageError(
                f"{text}: expected a list of values, e.g. model=linear,boosting"
            ) from None
        alternatives.append([f"{override.get_key_element()}={value}" for value in values])
    return [list(combination) for combination in itertools.product(*alternatives)]
