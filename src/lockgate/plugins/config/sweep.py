"""Splits overrides with several values into those of single runs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hydra.errors import HydraException

from lockgate.errors import UsageError
from lockgate.plugins.config.override_errors import parse_grammar

__all__ = ["split_sweep"]


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
