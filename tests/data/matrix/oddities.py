"""Columns with odd cells, as they are written in a CSV file, and as a Parquet file holds them."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal
from typing import Any

import pandas as pd

from lockgate import CSVFormat

UTC = datetime.UTC


@dataclasses.dataclass(frozen=True)
class Oddity:
    """Cells of one column of a training file.

    Attributes
    ----------
    cells : list
        Texts as a CSV file has them, or, where `parquet`, values of the Parquet file.
    kind : str
        The kind that the column must get.
    options : dict
        Arguments of `lockgate.read_table`.
    arrow : str
        Arrow type of the Parquet column.

    """

    name: str
    cells: list[Any]
    kind: str
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    parquet: bool = False
    arrow: str | None = None


def csv_oddity(name: str, kind: str, *cells: str, **options: Any) -> Oddity:
    return Oddity(name, list(cells), kind, options)


def parquet_oddity(
    name: str, kind: str, *cells: Any, arrow: str | None = None, **options: Any
) -> Oddity:
    return Oddity(name, list(cells), kind, options, parquet=True, arrow=arrow)


SEMICOLON = CSVFormat(delimiter=";", decimal=",", thousands=".")
AN_INTEGER = {"kinds": {"cell": "integer"}}
A_CATEGORY = {"kinds": {"cell": "category"}}

ODDITIES = [
    csv_oddity("leading zeros", "category", "01067", "02826", "10115", "1067", "80331"),
    csv_oddity("truth values", "boolean", "true", "false", "true"),
    csv_oddity("truth values with gaps", "boolean", "True", "", "False", "True", "NA"),
    csv_oddity("truth values as categories", "category", "true", "False", "", "TRUE", **A_CATEGORY),
    csv_oddity("whole numbers with gaps", "integer", "3", "", "70", "-5", "NaN", "12"),
    csv_oddity("codes as categories", "category", "1", "2", "", "10", "2", **A_CATEGORY),
    csv_oddity("categories 1 and 1.0", "category", "1", "1.0", "2", "2.50", "x", **A_CATEGORY),
    csv_oddity("versions", "category", "1.1", "1.10", "1.1.2", "2.0"),
    csv_oddity("numbers in many forms", "number", "1e3", "+2.5", ".5", "7.", "-0.0", "1E-3", ""),
    csv_oddity("numbers with blanks", "number", " 1.5", "2.25 ", "3", " "),
    csv_oddity("money", "number", "1.234,50", "-2,25", "17", "12.000,00", "", csv=SEMICOLON),
    csv_oddity("percentages", "category", "10%", "20%", "5%"),
    csv_oddity("dates", "date", "2024-01-31", "2023-12-01", "", "2024-02-29"),
    csv_oddity(
        "dates of many forms",
        "date",
        "2024-01-31 10:00",
        "2024-01-31T10:00:30.250",
        "2024-01-31 12:00 +02:00",
        "2024-01-31T10:00:00Z",
        "2024-01-31 10:00:00 UTC",
        "2024-01-31 05:00-0500",
    ),
    csv_oddity(
        "dates day first", "date", "31/01/2024", "1/2/2024", "02.03.2024", "04/05/2024 14:30"
    ),
    csv_oddity("dates month first", "date", "01/31/2024", "2/1/2024", "12/03/2024"),
    csv_oddity("dates told", "date", "01/02/2024", "03/04/2024", "", dates="day-first"),
    csv_oddity("dates as categories", "category", "2024-01-31", "2024-02-29", **A_CATEGORY),
    csv_oddity("times of day", "category", "08:30", "17:00", "23:59"),
    csv_oddity("months", "category", "2024-01", "2024-02", "2023-12"),
    csv_oddity("missing texts", "category", "a", "NA", "null", "None", "nan", "", "N/A"),
    csv_oddity(
        "missing texts as categories",
        "category",
        *("NA", "null", "None", "nan", "", "DE"),
        csv=CSVFormat(missing=("",)),
    ),
    csv_oddity(
        "other missing texts", "number", "1", "-", "3.5", "?", csv=CSVFormat(missing=("-", "?"))
    ),
    csv_oddity(
        "unicode", "category", "München", "Mu\u0308nchen", "Straße", "日本", "a\u200bb", "🙂"
    ),
    csv_oddity("latin-1", "category", "München", "Köln", "", csv=CSVFormat(encoding="latin-1")),
    csv_oddity("utf-16", "category", "München", "Köln", csv=CSVFormat(encoding="utf-16")),
    csv_oddity("quotes and line breaks", "category", 'say "x"', "a,b", "two\nlines", "'", "a\tb"),
    csv_oddity("case and blanks", "category", "Yes", "yes", " yes", "YES ", "no"),
    csv_oddity("very long texts", "category", "x" * 5000, "y" * 5000, "z"),
    csv_oddity("ids", "integer", "9007199254740992", "-9007199254740992", "5"),
    csv_oddity("tabs", "number", "1.5", "2", "", csv=CSVFormat(delimiter="\t")),
    parquet_oddity("decimals", "number", Decimal("12.30"), Decimal("0.10"), None, arrow="decimal"),
    parquet_oddity(
        "whole decimals", "integer", Decimal(5), Decimal(70), Decimal(-3), arrow="decimal0"
    ),
    parquet_oddity("decimal categories", "category", Decimal("1.50"), Decimal(2), **A_CATEGORY),
    parquet_oddity("int64 with nulls", "integer", 1, None, 2**53, -7, arrow="int64"),
    parquet_oddity(
        "int categories with nulls", "category", 1, None, 2, arrow="int64", **A_CATEGORY
    ),
    parquet_oddity("large ids as categories", "category", 2**62 + 1, 2**62, None, **A_CATEGORY),
    parquet_oddity("floats of 32 bits", "number", 0.1, 2.5, None, arrow="float32"),
    parquet_oddity("float categories", "category", 0.1, 2.0, None, arrow="float32", **A_CATEGORY),
    parquet_oddity("booleans with nulls", "boolean", True, None, False, arrow="bool"),
    parquet_oddity("boolean categories", "category", True, None, False, arrow="bool", **A_CATEGORY),
    parquet_oddity(
        "zoned times",
        "date",
        datetime.datetime(2024, 1, 31, 10, 0, 0, 123456, tzinfo=UTC),
        None,
        datetime.datetime(2024, 6, 1, tzinfo=UTC),
        arrow="zoned",
    ),
    parquet_oddity("days", "date", datetime.date(2024, 1, 31), None, datetime.date(1969, 7, 20)),
    parquet_oddity("parquet times of day", "category", datetime.time(8, 30), datetime.time(17)),
    parquet_oddity("texts with nulls", "category", "a", None, "", "NA", "nan"),
    parquet_oddity("whole numbers beyond 64 bits", "integer", 2.0**63, 2.0**64, 5.0, **AN_INTEGER),
    parquet_oddity(
        "periods", "category", pd.Period("2024-01", "M"), pd.Period("2024-02", "M"), None
    ),
    csv_oddity("late hours", "date", "2024-01-01 0:30", "2024-01-01 23:30", "2024-01-02 9:00"),
    csv_oddity("truth texts", "category", "TRUE", "FALSE", **A_CATEGORY),
    parquet_oddity("dictionary", "category", "a", "b", None, arrow="dictionary"),
]

REFUSED = [
    (csv_oddity("beyond 2**53", "integer", "9007199254740993", "5"), "beyond 2\\*\\*53"),
    (csv_oddity("ambiguous dates", "date", "01/02/2024", "03/04/2024"), "day first or month first"),
    (
        csv_oddity("a stray text", "number", *map(str, range(40)), "unknown"),
        "holds 'unknown' in row 40",
    ),
    (csv_oddity("decimal commas", "number", "1,5", "2,25"), "looks like a number"),
    (csv_oddity("grouped", "number", "1,234.50", "999"), "'1,234.50', which looks like a number"),
    (csv_oddity("money", "number", *(f"${k}" for k in range(30))), "a number with a sign of its"),
    (csv_oddity("infinity", "number", "1.5", "inf", kinds={"cell": "number"}), "holds 'inf'"),
    (csv_oddity("no such day", "date", "2024-02-30", kinds={"cell": "date"}), "expected a date"),
    (parquet_oddity("bytes", "category", b"a", b"b"), "expected a single category"),
    (parquet_oddity("lists", "category", [1], [2, 3]), "expected a single category"),
    (parquet_oddity("infinite", "number", 1.0, float("inf")), "infinite in row 1"),
    (parquet_oddity("int64 beyond", "integer", 2**53 + 1, None, arrow="int64"), "beyond 2\\*\\*53"),
    (parquet_oddity("durations", "number", datetime.timedelta(1)), "durations"),
]
