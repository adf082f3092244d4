"""Reads rows of a file in chunks of equal length, whatever its form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from lockgate.errors import DataError, nearest

__all__ = ["ENDINGS", "Chunk", "chunks_of", "total_rows"]

ENDINGS = (".csv", ".parquet", ".arrow", ".feather", ".ndjson", ".jsonl")

GAPS = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
]  # fmt: skip
"""Cells of a CSV file that are gaps: those that pandas takes for gaps."""

NUMBER = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"
WHOLE = re.compile(r"-?[0-9]+\.0+")


@dataclass
class Chunk:
    """Rows that were read together.

    Attributes
    ----------
    numbers : ndarray of int
        Place of each row in the file, from 0 on.
    columns : mapping of str to column, or list of mappings
        What the model and the answers' file need of the rows.
    broken : dict of int to str
        Rows of the file that could not even be read, with the reason.
    count : int
        How many rows of the file the chunk covers.

    """

    numbers: np.ndarray
    columns: Any
    broken: dict[int, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Count the rows of the file that the chunk covers."""
        return len(self.numbers) + len(self.broken)


def chunks_of(path: Path, inputs: Sequence[Any], keep: Sequence[str], rows: int) -> Iterator[Chunk]:
    """Read a file chunk by chunk.

    Parameters
    ----------
    path : pathlib.Path
        A file that ends in one of `ENDINGS`.
    inputs : sequence of Input
        Columns that the model asks for.
    keep : sequence of str
        Further columns to read.
    rows : int
        Rows of a chunk, the last one excepted.

    Raises
    ------
    DataError
        If the file is missing, of another form, damaged, or lacks a column.

    """
    reads: dict[str, Callable[..., Iterator[Chunk]]] = {
        ".csv": _csv, ".parquet": _parquet, ".arrow": _arrow, ".feather": _arrow,
        ".ndjson": _ndjson, ".jsonl": _ndjson,
    }  # fmt: skip
    ending = path.suffix.lower()
    if ending not in reads:
        raise DataError(f"{path} ends in {path.suffix!r}; expected one of {', '.join(ENDINGS)}")
    if not path.is_file():
        raise DataError(f"{path} is not there, or is no file")
    try:
        yield from reads[ending](path, inputs, list(keep), rows)
    except (ValueError, OSError, KeyError, NotImplementedError) as error:
        words = " ".join(str(error).split())
        remedy = "; write the file in UTF-8" if "utf" in words.lower() else ""
        raise DataError(f"{path} cannot be read: {words}{remedy}") from None


def total_rows(path: Path) -> int | None:
    """Return how many rows a file has, where it says so itself."""
    if path.suffix.lower() == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return int(pq.ParquetFile(path).metadata.num_rows)
        except (pa.ArrowException, OSError):
            return None  # reading it will say what is wrong
    return None


def _check_names(path: Path, names: Sequence[str], inputs: Sequence[Any], keep: list[str]) -> None:
    wanted = [*(one.name for one in inputs), *keep]
    problems = [f"column {name} is missing{nearest(name, names)}"
                for name in wanted if name not in names]  # fmt: skip
    problems += [f"column {name} stands twice"
                 for name in dict.fromkeys(wanted) if list(names).count(name) > 1]  # fmt: skip
    if problems:
        raise DataError(f"{path}: " + "; ".join(problems))


def _rebatched(batches: Iterator[Any], rows: int) -> Iterator[tuple[int, Any]]:
    """Yield tables of `rows` rows and where they begin."""
    import pyarrow as pa

    waiting: list[Any] = []
    have = start = 0
    for batch in batches:
        waiting.append(batch)
        have += batch.num_rows
        while have >= rows:
            table = pa.Table.from_batches(waiting)
            yield start, table.slice(0, rows)
            rest = table.slice(rows)
            waiting = rest.to_batches()
            have, start = rest.num_rows, start + rows
    if have:
        yield start, pa.Table.from_batches(waiting)


def _parquet(path: Path, inputs: Sequence[Any], keep: list[str], rows: int) -> Iterator[Chunk]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    _check_names(path, file.schema_arrow.names, inputs, keep)
    wanted = list(dict.fromkeys([*(one.name for one in inputs), *keep]))
    batches = file.iter_batches(batch_size=min(rows, 65_536), columns=wanted)
    for start, table in _rebatched(batches, rows):
        yield Chunk(np.arange(start, start + len(table)), table)


def _arrow(path: Path, inputs: Sequence[Any], keep: list[str], rows: int) -> Iterator[Chunk]:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        try:
            file = pa.ipc.open_file(source)
            batches = (file.get_batch(k) for k in range(file.num_record_batches))
        except pa.ArrowInvalid:
            source.seek(0)
            file = pa.ipc.open_stream(source)
            batches = iter(file)
        _check_names(path, file.schema.names, inputs, keep)
        wanted = list(dict.fromkeys([*(one.name for one in inputs), *keep]))
        for start, table in _rebatched((one.select(wanted) for one in batches), rows):
            yield Chunk(np.arange(start, start + len(table)), table)


def _csv(path: Path, inputs: Sequence[Any], keep: list[str], rows: int) -> Iterator[Chunk]:
    import pyarrow as pa
    from pyarrow import csv

    broken: dict[int, str] = {}

    def note(row: Any) -> str:
        # lines are counted from 1, and the first is the header
        words = f"line {row.number} has {row.actual_columns} cells, expected {row.expected_columns}"
        broken[row.number - 2] = words
        return "skip"

    names = _header(path)
    _check_names(path, names, inputs, keep)
    wanted = list(dict.fromkeys([*(one.name for one in inputs), *keep]))
    reader = csv.open_csv(
        path,
        read_options=csv.ReadOptions(use_threads=False, block_size=1 << 22),
        parse_options=csv.ParseOptions(invalid_row_handler=note, newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            include_columns=wanted, column_types={name: pa.string() for name in wanted},
            strings_can_be_null=False,
        ),
    )  # fmt: skip
    told = 0
    for start, table in _rebatched(iter(reader), rows):
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


def _header(path: Path) -> list[str]:
    """Read the names of the columns."""
    import csv

    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        try:
            return next(iter(csv.reader(file)), [])
        except csv.Error as error:
            raise DataError(f"{path}: the first line cannot be read: {error}") from None


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


def _ndjson(path: Path, _: Sequence[Any], __: list[str], rows: int) -> Iterator[Chunk]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    numbers: list[int] = []
    records: list[Any] = []
    broken: dict[int, str] = {}
    with path.open("rb") as file:
        number = -1
        for line in file:
            if not line.strip():
                continue
            number += 1
            try:
                records.append(decode(line))
                numbers.append(number)
            except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError) as error:
                broken[number] = f"line is no JSON object: {str(error)[:200]}"
            if len(records) + len(broken) == rows:
                yield Chunk(np.array(numbers, dtype=np.int64), records, broken)
                numbers, records, broken = [], [], {}
    if records or broken:
        yield Chunk(np.array(numbers, dtype=np.int64), records, broken)
