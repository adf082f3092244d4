"""Checks cell rules against a schema, before anything is fitted."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

from lockgate.contract.sections import CellRules
from lockgate.contract.tables import Schema
from lockgate.data.computed import parse_combination
from lockgate.errors import SchemaViolation
from lockgate.suggestions import nearest

__all__ = ["check_cell_rules", "propose_text_encoding"]

WORDS = 2.5
"""Average number of words from which texts are sentences, rather than names or codes."""

WITHOUT_SPACES = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff]")
"""Letters of Thai, Lao, Burmese, Japanese and Chinese, which put no spaces between words."""

SAMPLE = 1000
"""Cells by which an encoding is proposed."""


def check_cell_rules(schema: Schema, rules: CellRules, left_out: Sequence[str] = ()) -> None:
    """Check that features can be prepared by the rules.

    Parameters
    ----------
    schema : Schema
        The columns.
    rules : CellRules
        The rules.
    left_out : sequence of str
        Columns that the project leaves out already, for the advice to leave out more.

    Raises
    ------
    SchemaViolation
        For a rule of an unknown feature or of one of another kind, edges that do not rise, and
        features of text without a rule.

    """
    kinds = {column.name: column.kind for column in schema.features}
    for name, edges in rules.bins.items():
        _check_kind("bins", name, kinds, ("number", "integer"), "numbers")
        if not edges or any(high <= low for low, high in itertools.pairwise(edges)):
            raise SchemaViolation([f"cells.bins.{name} is {edges}, expected rising edges"])
    for name in set(rules.clips) - set(rules.computed):
        _check_kind("clips", name, kinds, ("number", "integer"), "numbers")
    for name, text in rules.computed.items():
        _check_computed(name, text, kinds)
    for name, encoding in rules.encodings.items():
        _check_kind("encodings", name, kinds, ("category",), "categories")
        if encoding == "target" and len(schema.targets) > 1:
            raise SchemaViolation(
                [
                    f"cells.encodings.{name} is target, the mean of a single target, and the "
                    f"loader's are {', '.join(schema.targets)}: use one-hot, frequency or ordinal"
                ]
            )
    for name in rules.texts:
        _check_kind("texts", name, kinds, ("text",), "texts")
    texts = [name for name, kind in kinds.items() if kind == "text" and name not in rules.texts]
    if texts:
        raise SchemaViolation(
            [
                f"{', '.join(texts)}: texts with many different values need a rule; encode their "
                f"words or characters with 'cells.texts={{{texts[0]}:words}}', leave them out with "
                f"data.leave_out=[{','.join([*left_out, *texts])}], or declare another kind, e.g. "
                f"'data.kinds={{{texts[0]}:category}}'"
            ]
        )


def _check_computed(name: str, text: str, kinds: Mapping[str, str]) -> None:
    """Refuse what cannot be computed, and a name that is taken."""
    where = f"computed.{name}"
    if name in kinds:
        raise SchemaViolation([f"cells.{where}: a feature has that name; choose another"])
    left, right, how = parse_combination(text, f"cells.{where}")
    numbers = ("number", "integer", "boolean")
    for column in (left, right):
        if column not in kinds:
            hint = nearest(column, kinds)
            raise SchemaViolation([f"cells.{where}: unknown feature {column!r}{hint}"])
    are_numbers = all(kinds[column] in numbers for column in (left, right))
    are_dates = all(kinds[column] == "date" for column in (left, right))
    if not (are_numbers or (are_dates and how == "subtract")):
        raise SchemaViolation(
            [
                f"cells.{where}: cannot {how} {left} ({kinds[left]}) and {right} ({kinds[right]}); "
                "expected two columns of numbers, or the difference of two dates"
            ]
        )


def _check_kind(
    rule: str, name: str, kinds: Mapping[str, str], expected: Sequence[str], label: str
) -> None:
    """Refuse a rule for an unknown feature, or for one of another kind."""
    if name not in kinds:
        raise SchemaViolation([f"cells.{rule}: unknown feature {name!r}{nearest(name, kinds)}"])
    if kinds[name] not in expected:
        raise SchemaViolation(
            [
                f"cells.{rule}.{name}: expected a column of {label}, got {kinds[name]}; declare "
                f"its kind, if it is another: 'data.kinds={{{name}:{expected[0]}}}'"
            ]
        )


def propose_text_encoding(texts: Sequence[str]) -> str | None:
    """Return the encoding of `cells.texts` for a column; None for names, codes and ids.

    Parameters
    ----------
    texts : sequence of str
        Its cells that are not missing.

    Examples
    --------
    >>> propose_text_encoding(["my parcel is late", "thanks for the quick refund"])
    'words'
    >>> propose_text_encoding(["\u5305\u88f9\u8fdf\u5230\u4e86", "\u8c22\u8c22\u4f60\u4eec"])
    'characters'
    >>> propose_text_encoding(["A-1049", "B-2201"])

    """
    step = max(1, len(texts) // SAMPLE)
    sample = texts[::step]
    if not sample:
        return None
    if sum(len(WITHOUT_SPACES.findall(text)) >= len(text) / 2 for text in sample) * 2 > len(sample):
        return "characters" if sum(map(len, sample)) >= 4 * len(sample) else None
    return "words" if sum(len(text.split()) for text in sample) >= WORDS * len(sample) else None
