"""CSV: cells become what their column's kind is, or stay texts and are refused."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lockgate.errors import DataError
from lockgate.scoring.chunks import Chunk, check_names, rebatched

__all__ = ["csv_chunks", "csv_header"]

GAPS = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
]  # fmt: skip
"""Cells of a CSV file that are gaps: those that pandas takes for gaps."""

NUMBER = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"
WHOLE = re.compile(r"-?[0-9]+\.0+")


def csv_chunks(
    source: Path | bytes, inputs: Sequence[Any], keep: list[str], rows: int
) -> Iterator[Chunk]:
    """Read a CSV table chunk by chunk; lines with other cells than the header are noted."""
    import pyarrow as pa
    from pyarrow import csv

    broken: dict[int, str] = {}

    def note(row: Any) -> str:
        # lines are counted from 1, and the first is the header
        words = f"line {row.number} has {row.actual_columns} cells, expected {row.expected_columns}"
        broken[row.number - 2] = words
        return "skip"

    names = csv_header(source)
    check_names(_called(source), names, inputs, keep)
    wanted = list(dict.fromkeys([*(one.name for one in inputs), *keep]))
    reader = csv.open_csv(
        io.BytesIO(source) if isinstance(source, bytes) else source,
        read_options=csv.ReadOptions(use_threads=False, block_size=1 << 22),
        parse_options=csv.ParseOptions(invalid_row_handler=note, newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            include_columns=wanted, column_types={name: pa.string() for name in wanted},
            strings_can_be_null=False,
        ),
    )  # fmt: skip
    told = 0
    for start, table in rebatched(iter(reader), rows):
        places = np.array(sorted(broken), dtype=np.int64)
        behind = places - np.arange(len(places))
        valid = np.arange(start, start + len(table))
        numbers = valid + np.searchsorted(behind, valid, side="right")
        own = {k: broken[k] for k in places.tolist() if told <= k < numbers[-1]}
        told = int(numbers[-1]) + 1
        columns = {name: table[name] for name in wanted}
        columns |= {one.name: _from_text(one, table[one.name]) for one in inputs}
        yield Chunk(numbers, columns, own)
    if left := {k: words for k, words in broken.items() if k >= told}:
        yield Chunk(np.zeros(0, np.int64), {name: [] for name in wanted}, left)


def csv_header(source: Path | bytes) -> list[str]:
    """Read the names of the columns."""
    import csv

    with _text_of(source) as file:
        try:
            return next(iter(csv.reader(file)), [])
        except csv.Error as error:
            raise DataError(f"{_called(source)}: the first line cannot be read: {error}") from None


def _text_of(source: Path | bytes) -> Any:
    raw: Any = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    return io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="")


def _called(source: Path | bytes) -> str:
    return "the body" if isinstance(source, bytes) else str(source)


def _from_text(one: Any, texts: Any) -> Any:
    """Turn a CSV column into what its kind is; cells that are not stay texts, to be refused."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if one.kind in ("number", "integer", "boolean"):
        return _numbers(texts, truth=one.kind == "boolean")
    if one.kind == "category":
        known = set(one.categories)
        coded = texts.combine_chunks().dictionary_encode()
        names = [_category(text, known) for text in coded.dictionary.to_pylist()]
        return pa.DictionaryArray.from_arrays(coded.indices, pa.array(names, pa.string()))
    if one.kind == "date":
        return pc.if_else(pc.is_in(texts, pa.array(GAPS)), pa.scalar(None, pa.string()), texts)
    return texts


def _numbers(texts: Any, *, truth: bool) -> Any:
    """Return doubles; where cells are no numbers, a list in which they stay texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = pc.utf8_trim_whitespace(texts)
    if truth:
        lower = pc.utf8_lower(cells)
        cells = pc.if_else(pc.equal(lower, "true"), "1", cells)
        cells = pc.if_else(pc.equal(lower, "false"), "0", cells)
    fine = pc.match_substring_regex(cells, NUMBER)
    empty = pc.is_in(cells, pa.array(GAPS))
    numbers = pc.cast(pc.if_else(fine, cells, pa.scalar(None, pa.string())), pa.float64())
    strange = pc.invert(pc.or_(fine, empty))
    if not pc.any(strange).as_py():
        return numbers
    listed = zip(numbers.to_pylist(), strange.to_pylist(), texts.to_pylist(), strict=True)
    return [text if odd else number for number, odd, text in listed]


def _category(text: str, known: set[str]) -> str | None:
    """Return a category's text, None for a gap; 3.0 is 3 where 3 is known."""
    if text in known:
        return text
    if text in GAPS:
        return None
    whole = text.partition(".")[0]
    return whole if WHOLE.fullmatch(text) and whole in known else text
