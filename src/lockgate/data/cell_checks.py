"""Checks cell rules against a schema, before anything is fitted."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from lockgate.contract.sections import CellRules
from lockgate.contract.tables import Schema
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
        For bins of an unknown or not numeric feature, edges that do not rise, texts of an
        unknown or another feature, and features of text without a rule.

    """
    names = [column.name for column in schema.features]
    for name, edges in rules.bins.items():
        if name not in names:
            raise SchemaViolation([f"cells.bins: unknown feature {name!r}{nearest(name, names)}"])
        kind = schema[name].kind
        if kind not in ("number", "integer"):
            raise SchemaViolation([f"cells.bins.{name}: expected a column of numbers, got {kind}"])
        if not edges or any(high <= low for low, high in itertools.pairwise(edges)):
            raise SchemaViolation([f"cells.bins.{name} is {edges}, expected rising edges"])
    for name in rules.texts:
        if name not in names:
            raise SchemaViolation([f"cells.texts: unknown feature {name!r}{nearest(name, names)}"])
        if schema[name].kind != "text":
            raise SchemaViolation(
                [
                    f"cells.texts.{name}: expected a column of texts, got {schema[name].kind}; "
                    f"declare it: 'data.kinds={{{name}:text}}'"
                ]
            )
    texts = [column.name for column in schema.features if column.kind == "text"]
    if texts := [name for name in texts if name not in rules.texts]:
        raise SchemaViolation(
            [
                f"{', '.join(texts)}: texts with many different values need a rule; encode their "
                f"words or characters with 'cells.texts={{{texts[0]}:words}}', leave them out with "
                f"data.leave_out=[{','.join([*left_out, *texts])}], or declare another kind, e.g. "
                f"'data.kinds={{{texts[0]}:category}}'"
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
