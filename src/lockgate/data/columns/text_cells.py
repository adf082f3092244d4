"""Cells that are text, as CSV files have them: numbers, categories, dates, missing values."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from lockgate.contract.tables import CSVFormat
from lockgate.data.columns.dates import ISO_DATE, NUMERIC_DATE
from lockgate.data.columns.inputs import CellColumn
from lockgate.errors import SchemaViolation

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["InferredKind", "declare_category", "has_long_numbers", "infer_text_kind", "parse_text"]

EXPONENT = r"([eE][-+]?[0-9]+)?"

LONG = 16
"""Digits from which a double may not hold a whole number."""

LONG_INTEGER = rf"^[-+]?[0-9]{{{LONG},}}$"
GROUPED = r"[-+]?[0-9]{1,3}([.,'\x{2019}\x{a0}\x{202f} ][0-9]{3})+([.,][0-9]+)?"
OTHER_DECIMAL = r"[-+]?[0-9]+[.,][0-9]+"
OTHER_NUMBER = rf"^({GROUPED}|{OTHER_DECIMAL})$"
"""Numbers whose separators are not those of the file."""

CURRENCY = r"[$\x{20ac}\x{a3}]"
MEASURE = rf"^[-+(\x{{2212}}]?{CURRENCY}? ?({GROUPED}|[0-9]+([.,][0-9]+)?) ?(%|{CURRENCY})?\)?$"
"""Numbers with a sign of currency, percentages, and negative ones in brackets."""

MANY = 20
"""Different texts from which measures are taken for numbers, and not for categories."""

MAX_CATEGORIES = 200
"""Columns of texts with more distinct values than this are text, not categories."""

STRAY_SHARE = 0.05
"""Up to this share of cells, texts among numbers are taken for mistakes."""


def number_pattern(csv: CSVFormat) -> str:
    """Return the pattern of a number in such a file."""
    point, digits = re.escape(csv.decimal), "[0-9]+"
    if csv.thousands:
        digits = rf"(?:[0-9]{{1,3}}(?:{re.escape(csv.thousands)}[0-9]{{3}})+|[0-9]+)"
    return rf"^[-+]?({digits}{point}?[0-9]*|{point}[0-9]+){EXPONENT}$"


def parse_text(column: CellColumn, texts: pa.ChunkedArray, csv: CSVFormat) -> Any:
    """Convert a CSV column to its kind; invalid cells stay texts, to be rejected later."""
    import pyarrow as pa  # an optional dependency of a server
    import pyarrow.compute as pc

    if column.kind in ("number", "integer", "boolean"):
        return _parse_numbers(texts, csv, boolean=column.kind == "boolean")
    if column.kind == "category":
        missing = set(csv.missing) - set(column.categories)
        encoded = texts.combine_chunks().dictionary_encode()
        names = [None if text in missing else text for text in encoded.dictionary.to_pylist()]
        return pa.DictionaryArray.from_arrays(encoded.indices, pa.array(names, pa.string()))
    if column.kind == "date":
        return pc.if_else(_is_missing(texts, csv), pa.scalar(None, pa.string()), texts)
    return texts


def _is_missing(texts: pa.ChunkedArray, csv: CSVFormat) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.is_in(texts, pa.array(csv.missing, pa.string()))


def _parse_numbers(texts: pa.ChunkedArray, csv: CSVFormat, *, boolean: bool) -> Any:
    """Return doubles, or, if cells are invalid, a list in which these stay texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = pc.utf8_trim_whitespace(texts)
    if boolean:
        lower = pc.utf8_lower(cells)
        cells = pc.if_else(pc.equal(lower, "true"), "1", cells)
        cells = pc.if_else(pc.equal(lower, "false"), "0", cells)
    missing = _is_missing(cells, csv)
    known = pc.if_else(missing, pa.scalar(None, pa.string()), cells)
    if (numbers := _cast_numbers(known, csv)) is not None and not has_long_numbers(known):
        return numbers
    valid = pc.match_substring_regex(cells, number_pattern(csv))
    plain = cells
    if csv.thousands:
        plain = pc.replace_substring(plain, csv.thousands, "")
    if csv.decimal != ".":
        plain = pc.replace_substring(plain, csv.decimal, ".")
    numbers = pc.cast(pc.if_else(valid, plain, pa.scalar(None, pa.string())), pa.float64())
    invalid = pc.invert(pc.or_(valid, missing))
    has_invalid, has_long = pc.any(invalid).as_py(), has_long_numbers(plain)
    if not (has_invalid or has_long):
        return numbers
    values: list[Any] = numbers.to_pylist()
    for row in pc.indices_nonzero(invalid).to_pylist():
        values[row] = texts[row].as_py()
    if has_long:
        long = pc.and_(valid, pc.match_substring_regex(plain, LONG_INTEGER))
        for row in pc.indices_nonzero(long).to_pylist():
            values[row] = int(plain[row].as_py())  # a double may not hold it
    return values


def _cast_numbers(cells: pa.ChunkedArray, csv: CSVFormat) -> pa.ChunkedArray | None:
    """Return doubles if all cells are numbers, without matching patterns, which is slower."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if csv.decimal != "." or csv.thousands:
        return None
    try:
        numbers = pc.cast(cells, pa.float64())
    except pa.ArrowInvalid:
        return None
    finite = pc.all(pc.is_finite(numbers)).as_py()  # Arrow takes inf and nan for numbers
    return numbers if finite is not False else None


class InferredKind(NamedTuple):
    """The kind of a CSV column.

    Attributes
    ----------
    kind : str
        Kind of its cells. Numbers with leading zeros are categories.
    dates : str
        Order of its dates.
    values : ChunkedArray of doubles or None
        Its cells as `parse_text` converts them, where inferring converted them already.

    """

    kind: str
    dates: str = "iso"
    values: pa.ChunkedArray | None = None


def infer_text_kind(
    name: str, texts: pa.ChunkedArray, csv: CSVFormat, dates: str | None = None
) -> InferredKind:
    """Infer the kind of a CSV column from its cells as they are written.

    Parameters
    ----------
    name : str
        Name of the column.
    texts : ChunkedArray of strings
        Its cells.
    csv : CSVFormat
        How the file is written.
    dates : str, optional
        Order of numeric dates, if it need not be inferred.

    Raises
    ------
    SchemaViolation
        If the cells can be read in two ways, or few texts stand among numbers.

    """
    import pyarrow as pa
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(texts)
    known = pc.if_else(_is_missing(trimmed, csv), pa.scalar(None, pa.string()), trimmed)
    if known.null_count == len(known):
        return InferredKind("number")
    if (numbers := _cast_numbers(known, csv)) is not None:
        kind = _kind_of_numbers(known)
        is_parsed = kind in ("number", "integer") and not has_long_numbers(known)
        return InferredKind(kind, values=numbers if is_parsed else None)
    distinct = pc.unique(known).drop_null()
    is_number = pc.match_substring_regex(distinct, number_pattern(csv))
    if pc.all(is_number).as_py():
        plain = pc.replace_substring(distinct, csv.thousands, "") if csv.thousands else distinct
        return InferredKind(_kind_of_numbers(pc.replace_substring(plain, csv.decimal, ".")))
    if pc.all(pc.is_in(pc.utf8_lower(distinct), _texts("true", "false"))).as_py():
        return InferredKind("boolean")
    if pc.all(pc.match_substring_regex(distinct, f"^{ISO_DATE}$")).as_py():
        return InferredKind("date")
    if pc.all(pc.match_substring_regex(distinct, f"^{NUMERIC_DATE}$")).as_py():
        return InferredKind("date", dates or infer_date_order(name, distinct.to_pylist()))
    _refuse_other_numbers(name, distinct, is_number, csv)
    if pc.any(is_number).as_py():
        _refuse_strays(name, texts, known.drop_null(), csv)
    return InferredKind(_category_or_text(distinct))


def declare_category(name: str) -> str:
    """Return how to declare that a column holds categories, for messages."""
    return (
        f"declare it a category: 'data.kinds={{{name}:category}}', or --kind '{name}=category' of "
        "lockgate init"
    )


def _refuse_other_numbers(
    name: str, distinct: pa.Array, is_number: pa.Array, csv: CSVFormat
) -> None:
    """Refuse a column whose texts are numbers in a form that the file is not said to have."""
    import pyarrow.compute as pc

    other = pc.match_substring_regex(distinct, OTHER_NUMBER)
    measure = pc.match_substring_regex(distinct, MEASURE) if len(distinct) > MANY else other
    numeric = pc.or_(is_number, pc.or_(other, measure))
    if not pc.all(numeric).as_py():
        return
    if len(signed := distinct.filter(pc.invert(pc.or_(is_number, other)))):
        raise SchemaViolation(
            [
                f"column {name} holds {signed[0].as_py()!r}, a number with a sign of its own; "
                f"write the column as plain numbers, or {declare_category(name)}"
            ]
        )
    example = distinct.filter(pc.invert(is_number))[0].as_py()
    raise SchemaViolation(
        [
            f"column {name} holds {example!r}, which looks like a number, and numbers are written "
            f"with decimal={csv.decimal!r} and thousands={csv.thousands!r}; set these as the file "
            f"has them, or {declare_category(name)}"
        ]
    )


def _kind_of_numbers(cells: pa.ChunkedArray) -> str:
    """Return the kind of a column of numbers; where one has leading zeros they are codes."""
    import pyarrow.compute as pc

    digits = pc.utf8_ltrim(cells, "+-")
    second = pc.utf8_slice_codeunits(digits.filter(pc.starts_with(digits, "0")), 1, 2)
    if pc.any(pc.utf8_is_digit(second)).as_py():
        return _category_or_text(cells)
    fractions = any(pc.any(pc.match_substring(cells, mark)).as_py() for mark in ".eE")
    return "number" if fractions else "integer"


def has_long_numbers(texts: pa.ChunkedArray) -> bool:
    """Return whether a column has whole numbers that a double may not hold."""
    import pyarrow.compute as pc

    if (pc.max(pc.binary_length(texts)).as_py() or 0) < LONG:
        return False
    cells = pc.utf8_trim_whitespace(texts)
    return bool(pc.any(pc.match_substring_regex(cells, LONG_INTEGER)).as_py())


def _texts(*texts: str) -> pa.Array:
    import pyarrow as pa

    return pa.array(texts, pa.string())


def _category_or_text(cells: pa.ChunkedArray) -> str:
    import pyarrow.compute as pc

    return "category" if pc.count_distinct(cells).as_py() <= MAX_CATEGORIES else "text"


def infer_date_order(name: str, texts: list[str]) -> str:
    """Return the only order in which all dates exist; SchemaViolation if there are two or none."""
    parts = [match.groups() for text in texts if (match := re.fullmatch(NUMERIC_DATE, text))]
    day_first = all(int(month) <= 12 for _, month, *_ in parts)
    month_first = all(int(month) <= 12 for month, *_ in parts)
    if day_first == month_first:
        reading = "can be read day first or month first" if day_first else "agree on no order"
        raise SchemaViolation(
            [
                f"column {name}: dates such as {texts[0]!r} {reading}; set `dates` to day-first or "
                f"month-first, or {declare_category(name)}"
            ]
        )
    return "day-first" if day_first else "month-first"


def _refuse_strays(
    name: str,
    texts: pa.ChunkedArray,
    cells: pa.ChunkedArray,
    csv: CSVFormat,
) -> None:
    """Refuse a column of numbers in which a few cells are texts."""
    import pyarrow.compute as pc

    is_number = pc.match_substring_regex(cells, number_pattern(csv))
    strays = cells.filter(pc.invert(is_number))
    if len(strays) > max(1, STRAY_SHARE * len(cells)) or len(cells) < 20:
        return
    row = pc.index(pc.utf8_trim_whitespace(texts), strays[0]).as_py()
    raise SchemaViolation(
        [
            f"column {name} holds {strays[0].as_py()!r} in row {row}, and numbers in "
            f"{len(cells) - len(strays)} of {len(cells)} rows; correct the cell, add the text to "
            f"the loader's `missing` (--set {shlex.quote(f'missing={strays[0].as_py()}')}), or "
            f"{declare_category(name)}"
        ]
    )
