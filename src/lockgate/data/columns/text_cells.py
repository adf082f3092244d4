"""Cells that are text, as CSV files have them: numbers, categories, missing values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lockgate.data.columns.inputs import NamedColumn

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MISSING_TEXTS", "parse_category", "parse_numbers", "parse_text"]


MISSING_TEXTS = [
    "",
    "#N/A",
    "#N/A N/A",
    "#NA",
    "-1.#IND",
    "-1.#QNAN",
    "-NaN",
    "-nan",
    "1.#IND",
    "1.#QNAN",
    "<NA>",
    "N/A",
    "NA",
    "NULL",
    "NaN",
    "None",
    "n/a",
    "nan",
    "null",
]
"""Texts that stand for missing values, as in pandas."""

NUMBER = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"
"""Pattern of a number."""


INTEGRAL = re.compile(r"-?[0-9]+\.0+")


def parse_text(column: NamedColumn, texts: pa.ChunkedArray) -> Any:
    """Convert a CSV column to its kind; invalid cells stay texts, to be rejected later."""
    import pyarrow as pa  # an optional dependency of a server
    import pyarrow.compute as pc

    if column.kind in ("number", "integer", "boolean"):
        return parse_numbers(texts, boolean=column.kind == "boolean")
    if column.kind == "category":
        known = set(column.categories)
        encoded = texts.combine_chunks().dictionary_encode()
        names = [parse_category(text, known) for text in encoded.dictionary.to_pylist()]
        return pa.DictionaryArray.from_arrays(encoded.indices, pa.array(names, pa.string()))
    if column.kind == "date":
        return pc.if_else(
            pc.is_in(texts, pa.array(MISSING_TEXTS)), pa.scalar(None, pa.string()), texts
        )
    return texts


def parse_numbers(texts: pa.ChunkedArray, *, boolean: bool) -> Any:
    """Return doubles, or, if cells are invalid, a list in which these stay texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = pc.utf8_trim_whitespace(texts)
    if boolean:
        lower = pc.utf8_lower(cells)
        cells = pc.if_else(pc.equal(lower, "true"), "1", cells)
        cells = pc.if_else(pc.equal(lower, "false"), "0", cells)
    valid = pc.match_substring_regex(cells, NUMBER)
    empty = pc.is_in(cells, pa.array(MISSING_TEXTS))
    numbers = pc.cast(pc.if_else(valid, cells, pa.scalar(None, pa.string())), pa.float64())
    invalid = pc.invert(pc.or_(valid, empty))
    if not pc.any(invalid).as_py():
        return numbers
    triples = zip(numbers.to_pylist(), invalid.to_pylist(), texts.to_pylist(), strict=True)
    return [text if is_invalid else number for number, is_invalid, text in triples]


def parse_category(text: str, known: set[str]) -> str | None:
    """Return a category's text, None for a missing value; 3.0 is 3 where 3 is known."""
    if text in known:
        return text
    if text in MISSING_TEXTS:
        return None
    integer_part = text.partition(".")[0]
    return integer_part if INTEGRAL.fullmatch(text) and integer_part in known else text
