"""Detects how a CSV file is written: encoding, delimiter, decimal separator."""

from __future__ import annotations

import codecs
import csv as stdlib_csv
import dataclasses
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from lockgate.contract.tables import CSVFormat
from lockgate.data.io.csv import open_bytes
from lockgate.errors import DataError, UsageError, nearest

__all__ = ["CSV_SETTINGS", "detect_csv"]

CSV_SETTINGS = tuple(field.name for field in dataclasses.fields(CSVFormat))

SAMPLE_LINES = 5000
DELIMITERS = (",", ";", "\t", "|")
FALLBACK_ENCODING = "cp1252"
"""Of files that are not UTF-8: what spreadsheets write in Western Europe and America."""


def _decimal_pattern(mark: str, other: str) -> re.Pattern[str]:
    """Return the pattern of numbers in which `mark` can only separate decimals."""
    forms = (
        rf"[0-9]+{mark}([0-9]{{1,2}}|[0-9]{{4,}})",  # 1,5
        rf"(0[0-9]*|[0-9]{{4,}}){mark}[0-9]+",  # 0,125
        rf"[0-9]{{1,3}}({other}[0-9]{{3}})+{mark}[0-9]+",  # 1.234,567
        rf"[0-9]{{1,3}}({other}[0-9]{{3}}){{2,}}",  # 1.234.567
    )
    return re.compile(f"[-+]?({'|'.join(forms)})")


def _group_pattern(mark: str, other: str) -> re.Pattern[str]:
    """Return the pattern of numbers in which `mark` may separate groups of three digits."""
    return re.compile(rf"[-+]?[1-9][0-9]{{0,2}}({mark}[0-9]{{3}})+({other}[0-9]+)?")


COMMA_DECIMAL, POINT_DECIMAL = _decimal_pattern(",", r"\."), _decimal_pattern(r"\.", ",")
COMMA_GROUPS, POINT_GROUPS = _group_pattern(",", r"\."), _group_pattern(r"\.", ",")


def detect_csv(path: Path, settings: Mapping[str, Any] | None = None) -> CSVFormat:
    """Return how a CSV file is written, judged by its first lines; its encoding by all of it.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    settings : mapping, optional
        Attributes of the format that are not to be detected.

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
    separators = not {"decimal", "thousands"} & settings.keys()
    decimal, thousands = _detect_decimal(path, lines, delimiter) if separators else (".", "")
    by_suffix = "\t" if path.name.lower().removesuffix(".gz").endswith(".tsv") else ","
    detected = CSVFormat(
        encoding="utf-8" if encoding == "utf-8-sig" else encoding,
        delimiter="" if delimiter == by_suffix else delimiter,
        decimal="," if decimal == "," else ".",
        thousands=thousands,
    )
    try:
        return msgspec.convert(dataclasses.asdict(detected) | dict(settings), CSVFormat)
    except msgspec.ValidationError as error:
        raise UsageError(f"a setting of CSV files is not valid: {error}") from None


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


def _detect_decimal(path: Path, lines: list[str], delimiter: str) -> tuple[str, str]:
    """Return the separators of decimals and of thousands.

    Groups of three digits after a comma or a point can be either; numbers with another form
    in the file tell.
    """
    names, *rows = [*stdlib_csv.reader(lines, delimiter=delimiter)] or [[]]
    cells = {cell.strip() for row in rows for cell in row}
    comma, point = _count(COMMA_DECIMAL, cells), _count(POINT_DECIMAL, cells)
    comma_groups, point_groups = _count(COMMA_GROUPS, cells), _count(POINT_GROUPS, cells)
    if comma > point:
        return ",", "." if point_groups else ""
    if point or not (comma_groups or (point_groups and delimiter == ";")):
        return ".", "," if comma_groups else ""
    mark = "," if comma_groups else "."
    pattern = COMMA_GROUPS if comma_groups else POINT_GROUPS
    example = min(filter(pattern.fullmatch, cells))
    other = "." if mark == "," else ","
    column = next(
        name
        for row in rows
        for name, cell in zip(names, row, strict=False)
        if cell.strip() == example
    )
    raise DataError(
        f"{path}: column {column} holds {example!r}, where {mark!r} may separate thousands or "
        f"decimals; say which: --set decimal={other} --set thousands={mark}, or "
        f"--set decimal={mark}"
    )


def _count(pattern: re.Pattern[str], cells: set[str]) -> int:
    return sum(pattern.fullmatch(cell) is not None for cell in cells)
