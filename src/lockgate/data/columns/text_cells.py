"""Cells that are text, as a CSV file holds them: numbers, categories, missing values."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["MISSING_TEXTS", "NUMBER", "WHOLE"]


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
"""Cells of a CSV file that are gaps: those that pandas takes for gaps."""


NUMBER = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"


WHOLE = re.compile(r"-?[0-9]+\.0+")


def parse_text(one: Any, texts: Any) -> Any:
    """Turn a CSV column into what its kind is; cells that are not stay texts, to be refused."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if one.kind in ("number", "integer", "boolean"):
        return parse_numbers(texts, truth=one.kind == "boolean")
    if one.kind == "category":
        known = set(one.categories)
        coded = texts.combine_chunks().dictionary_encode()
        names = [parse_category(text, known) for text in coded.dictionary.to_pylist()]
        return pa.DictionaryArray.from_arrays(coded.indices, pa.array(names, pa.string()))
    if one.kind == "date":
        return pc.if_else(
            pc.is_in(texts, pa.array(MISSING_TEXTS)), pa.scalar(None, pa.string()), texts
        )
    return texts


def parse_numbers(texts: Any, *, truth: bool) -> Any:
    """Return doubles; where cells are no numbers, a list in which they stay texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = pc.utf8_trim_whitespace(texts)
    if truth:
        lower = pc.utf8_lower(cells)
        cells = pc.if_else(pc.equal(lower, "true"), "1", cells)
        cells = pc.if_else(pc.equal(lower, "false"), "0", cells)
    fine = pc.match_substring_regex(cells, NUMBER)
    empty = pc.is_in(cells, pa.array(MISSING_TEXTS))
    numbers = pc.cast(pc.if_else(fine, cells, pa.scalar(None, pa.string())), pa.float64())
    strange = pc.invert(pc.or_(fine, empty))
    if not pc.any(strange).as_py():
        return numbers
    listed = zip(numbers.to_pylist(), strange.to_pylist(), texts.to_pylist(), strict=True)
    return [text if odd else number for number, odd, text in listed]


def parse_category(text: str, known: set[str]) -> str | None:
    """Return a category's text, None for a gap; 3.0 is 3 where 3 is known."""
    if text in known:
        return text
    if text in MISSING_TEXTS:
        return None
    whole = text.partition(".")[0]
    return whole if WHOLE.fullmatch(text) and whole in known else text
