"""Detects how a CSV file is written: encoding, delimiter, decimal separator."""

from __future__ import annotations

import codecs
import csv as stdlib_csv
import dataclasses
import io
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from lockgate.contract.tables import CSVFormat
from lockgate.data.columns.text_cells import declare_category
from lockgate.data.io.csv import open_bytes, read_csv_texts
from lockgate.data.io.files import describe_failure
from lockgate.errors import DataError, UsageError
from lockgate.suggestions import nearest

__all__ = ["CSV_SETTINGS", "detect_csv"]

CSV_SETTINGS = tuple(field.name for field in dataclasses.fields(CSVFormat))

SAMPLE_LINES = 5000
DELIMITERS = (",", ";", "\t", "|")
FALLBACK_ENCODING = "cp1252"
"""Of files that are not UTF-8: what spreadsheets write in Western Europe and America."""


NUMERIC = (
    r"^[-+]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+)(,[0-9]+)?$"
    r"|^[-+]?(([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$"
)
"""Numbers with either decimal separator."""

ADDRESS = r"^[0-9]{1,3}(\.[0-9]{1,3}){3}$"
"""Four groups of digits, such as the address of a computer: no number."""

NUMERIC_SHARE = 0.9
"""Share of a column's different cells that look like numbers, from which it tells separators."""


def _decimal_pattern(mark: str, other: str) -> str:
    """Return the pattern of numbers in which `mark` can only separate decimals."""
    forms = (
        rf"[0-9]+{mark}([0-9]{{1,2}}|[0-9]{{4,}})",  # 1,5
        rf"(0[0-9]*|[0-9]{{4,}}){mark}[0-9]+",  # 0,125
        rf"[0-9]{{1,3}}({other}[0-9]{{3}})+{mark}[0-9]+",  # 1.234,567
    )
    return f"^[-+]?({'|'.join(forms)})$"


def _group_pattern(mark: str, other: str, times: str) -> str:
    """Return the pattern of numbers in which `mark` may separate groups of three digits."""
    return rf"^[-+]?[1-9][0-9]{{0,2}}({mark}[0-9]{{3}}){times}({other}[0-9]+)?$"


class _Separator(NamedTuple):
    """Patterns of a separator, or columns that match them, each with an example.

    Attributes
    ----------
    decimals
        It can only separate decimals.
    groups
        It may separate groups of three digits.
    repeated
        It can only separate groups, since there are several.

    """

    decimals: Any
    groups: Any
    repeated: Any


COMMA = _Separator(
    _decimal_pattern(",", r"\."),
    _group_pattern(",", r"\.", "+"),
    _group_pattern(",", r"\.", "{2,}"),
)
POINT = _Separator(
    _decimal_pattern(r"\.", ","),
    _group_pattern(r"\.", ",", "+"),
    _group_pattern(r"\.", ",", "{2,}"),
)


def detect_csv(
    path: Path,
    settings: Mapping[str, Any] | None = None,
    kinds: Mapping[str, str] | None = None,
) -> CSVFormat:
    """Return how a CSV file is written, judged by all of it; its delimiter by the first lines.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    settings : mapping, optional
        Attributes of the format that are not to be detected.
    kinds : mapping of str to str, optional
        Declared kinds of columns; only numbers tell separators.

    Raises
    ------
    DataError
        If the file cannot be read, or its numbers can be read in two ways.
    UsageError
        If a setting is unknown.

    """
    settings = settings or {}
    for name in settings:
        if name not in CSV_SETTINGS:
            raise UsageError(
                f"unknown setting {name!r}{nearest(name, CSV_SETTINGS)}; available: "
                f"{', '.join(CSV_SETTINGS)}"
            )
    try:
        encoding = str(settings.get("encoding") or _detect_encoding(path))
        with open_bytes(path) as file:
            text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
            lines = [line for line, _ in zip(text, range(SAMPLE_LINES), strict=False)]
    except (OSError, EOFError, LookupError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    delimiter = str(settings.get("delimiter") or _detect_delimiter(lines))
    if len(delimiter) != 1:
        raise UsageError(f"delimiter is {delimiter!r}, expected a single character")
    by_suffix = "\t" if path.name.lower().removesuffix(".gz").endswith(".tsv") else ","
    detected = CSVFormat(
        encoding="utf-8" if encoding == "utf-8-sig" else encoding,
        delimiter="" if delimiter == by_suffix else delimiter,
    )
    try:
        form = msgspec.convert(dataclasses.asdict(detected) | dict(settings), CSVFormat)
    except msgspec.ValidationError as error:
        raise UsageError(f"a setting of CSV files is not valid: {error}") from None
    if {"decimal", "thousands"} & settings.keys():
        return form
    others = [name for name, kind in (kinds or {}).items() if kind not in ("number", "integer")]
    decimal, thousands = _detect_decimal(path, form, delimiter, others)
    return dataclasses.replace(form, decimal=decimal, thousands=thousands)


def _detect_encoding(path: Path) -> str:
    with open_bytes(path) as file:
        start = file.read(4)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        try:
            decoder.decode(start)
            while chunk := file.read(1 << 20):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return FALLBACK_ENCODING
    return "utf-8-sig"


def _detect_delimiter(lines: list[str]) -> str:
    """Return the delimiter by which most lines have as many cells as the header, at least two."""
    best, best_score = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        widths = [len(row) for row in stdlib_csv.reader(lines, delimiter=delimiter) if row]
        if not widths or widths[0] < 2:
            continue
        score = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _detect_decimal(
    path: Path, form: CSVFormat, delimiter: str, others: Collection[str]
) -> tuple[Literal[".", ","], str]:
    """Return the separators of decimals and of thousands, judged by all cells.

    Groups of three digits after a comma or a point can be either; another column may tell.
    Columns that contradict each other are left to the reader, which refuses them by name.
    """
    comma, point = _find_numbers(path, form, others)
    comma_decimals = comma.decimals | point.repeated
    point_decimals = point.decimals | comma.repeated
    if comma_decimals and point_decimals:
        return ".", ""
    if comma_decimals and delimiter != ",":
        return ",", "." if point.groups else ""
    unclear = comma_decimals or comma.groups or (point.groups if delimiter == ";" else {})
    if point_decimals or not unclear:
        return ".", "," if comma.groups else ""
    (column, example), *_ = unclear.items()
    mark, other = (",", ".") if "," in example else (".", ",")
    raise DataError(
        f"{path}: column {column} holds {example!r}, where {mark!r} may separate thousands or "
        f"decimals; say which: --set decimal={other} --set thousands={mark}, or "
        f"--set decimal={mark}; if these are not numbers, {declare_category(column)}"
    )


def _find_numbers(
    path: Path, form: CSVFormat, others: Collection[str]
) -> tuple[_Separator, _Separator]:
    """Return how commas and points are used in columns that look like numbers, but for `others`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    comma, point = _Separator({}, {}, {}), _Separator({}, {}, {})
    missing = pa.array(form.missing, pa.string())
    try:
        columns_by_name = read_csv_texts(path, form)
    except (ValueError, OSError) as error:
        raise DataError(describe_failure(path, error)) from None
    for name, texts in columns_by_name.items():
        cells = pc.utf8_trim_whitespace(pc.unique(texts))
        cells = cells.filter(pc.invert(pc.is_in(cells, missing)))
        numeric = cells.filter(pc.match_substring_regex(cells, NUMERIC))
        is_address = pc.all(pc.match_substring_regex(cells, ADDRESS)).as_py()
        if name in others or is_address or len(numeric) < NUMERIC_SHARE * len(cells):
            continue
        for columns, patterns in ((comma, COMMA), (point, POINT)):
            for examples, pattern in zip(columns, patterns, strict=True):
                if len(cells := numeric.filter(pc.match_substring_regex(numeric, pattern))):
                    examples[name] = cells[0].as_py()
    return comma, point
