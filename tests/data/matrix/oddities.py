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


def _csv(name: str, kind: str, *cells: str, **options: Any) -> Oddity:
    return Oddity(name, list(cells), kind, options)


def _parquet(name: str, kind: str, *cells: Any, arrow: str | None = None, **options: Any) -> Oddity:
    return Oddity(name, list(cells), kind, options, parquet=True, arrow=arrow)


SEMICOLON = CSVFormat(delimiter=";", decimal=",", thousands=".")
AN_INTEGER = {"kinds": {"cell": "integer"}}
A_CATEGORY = {"kinds": {"cell": "category"}}

ODDITIES = [
    _csv("leading zeros", "category", "01067", "02826", "10115", "1067", "80331"),
    _csv("truth values", "boolean", "true", "false", "true"),
    _csv("truth values with gaps", "boolean", "True", "", "False", "True", "NA"),
    _csv("truth values as categories", "category", "true", "False", "", "TRUE", **A_CATEGORY),
    _csv("whole numbers with gaps", "integer", "3", "", "70", "-5", "NaN", "12"),
    _csv("codes as categories", "category", "1", "2", "", "10", "2", **A_CATEGORY),
    _csv("categories 1 and 1.0", "category", "1", "1.0", "2", "2.50", "x", **A_CATEGORY),
    _csv("versions", "category", "1.1", "1.10", "1.1.2", "2.0"),
    _csv("numbers in many forms", "number", "1e3", "+2.5", ".5", "7.", "-0.0", "1E-3", ""),
    _csv("numbers with blanks", "number", " 1.5", "2.25 ", "3", " "),
    _csv("money", "number", "1.234,50", "-2,25", "17", "12.000,00", "", csv=SEMICOLON),
    _csv("percentages", "category", "10%", "20%", "5%"),
    _csv("dates", "date", "2024-01-31", "2023-12-01", "", "2024-02-29"),
    _csv(
        "dates of many forms",
        "date",
        "2024-01-31 10:00",
        "2024-01-31T10:00:30.250",
        "2024-01-31 12:00 +02:00",
        "2024-01-31T10:00:00Z",
        "2024-01-31 10:00:00 UTC",
        "2024-01-31 05:00-0500",
    ),
    _csv("dates day first", "date", "31/01/2024", "1/2/2024", "02.03.2024", "04/05/2024 14:30"),
    _csv("dates month first", "date", "01/31/2024", "2/1/2024", "12/03/2024"),
    _csv("dates told", "date", "01/02/2024", "03/04/2024", "", dates="day-first"),
    _csv("dates as categories", "category", "2024-01-31", "2024-02-29", **A_CATEGORY),
    _csv("times of day", "category", "08:30", "17:00", "23:59"),
    _csv("months", "category", "2024-01", "2024-02", "2023-12"),
    _csv("missing texts", "category", "a", "NA", "null", "None", "nan", "", "N/A"),
    _csv(
        "missing texts as categories",
        "category",
        *("NA", "null", "None", "nan", "", "DE"),
        csv=CSVFormat(missing=("",)),
    ),
    _csv("other missing texts", "number", "1", "-", "3.5", "?", csv=CSVFormat(missing=("-", "?"))),
    _csv("unicode", "category", "München", "Mu\u0308nchen", "Straße", "日本", "a\u200bb", "🙂"),
    _csv("latin-1", "category", "München", "Köln", "", csv=CSVFormat(encoding="latin-1")),
    _csv("utf-16", "category", "München", "Köln", csv=CSVFormat(encoding="utf-16")),
    _csv("quotes and line breaks", "category", 'say "x"', "a,b", "two\nlines", "'", "a\tb"),
    _csv("case and blanks", "category", "Yes", "yes", " yes", "YES ", "no"),
    _csv("very long texts", "category", "x" * 5000, "y" * 5000, "z"),
    _csv("ids", "integer", "9007199254740992", "-9007199254740992", "5"),
    _csv("tabs", "number", "1.5", "2", "", csv=CSVFormat(delimiter="\t")),
    _parquet("decimals", "number", Decimal("12.30"), Decimal("0.10"), None, arrow="decimal"),
    _parquet("whole decimals", "integer", Decimal(5), Decimal(70), Decimal(-3), arrow="decimal0"),
    _parquet("decimal categories", "category", Decimal("1.50"), Decimal(2), **A_CATEGORY),
    _parquet("int64 with nulls", "integer", 1, None, 2**53, -7, arrow="int64"),
    _parquet("int categories with nulls", "category", 1, None, 2, arrow="int64", **A_CATEGORY),
    _parquet("large ids as categories", "category", 2**62 + 1, 2**62, None, **A_CATEGORY),
    _parquet("floats of 32 bits", "number", 0.1, 2.5, None, arrow="float32"),
    _parquet("float categories", "category", 0.1, 2.0, None, arrow="float32", **A_CATEGORY),
    _parquet("booleans with nulls", "boolean", True, None, False, arrow="bool"),
    _parquet("boolean categories", "category", True, None, False, arrow="bool", **A_CATEGORY),
    _parquet(
        "zoned times",
        "date",
        datetime.datetime(2024, 1, 31, 10, 0, 0, 123456, tzinfo=UTC),
        None,
        datetime.datetime(2024, 6, 1, tzinfo=UTC),
        arrow="zoned",
    ),
    _parquet("days", "date", datetime.date(2024, 1, 31), None, datetime.date(1969, 7, 20)),
    _parquet("parquet times of day", "category", datetime.time(8, 30), datetime.time(17)),
    _parquet("texts with nulls", "category", "a", None, "", "NA", "nan"),
    _parquet("whole numbers beyond 64 bits", "integer", 2.0**63, 2.0**64, 5.0, **AN_INTEGER),
    _parquet("periods", "category", pd.Period("2024-01", "M"), pd.Period("2024-02", "M"), None),
    _csv("late hours", "date", "2024-01-01 0:30", "2024-01-01 23:30", "2024-01-02 9:00"),
    _csv("truth texts", "category", "TRUE", "FALSE", **A_CATEGORY),
    _parquet("dictionary", "category", "a", "b", None, arrow="dictionary"),
]

REFUSED = [
    (_csv("beyond 2**53", "integer", "9007199254740993", "5"), "beyond 2\\*\\*53"),
    (_csv("ambiguous dates", "date", "01/02/2024", "03/04/2024"), "day first or month first"),
    (_csv("a stray text", "number", *map(str, range(40)), "unknown"), "holds 'unknown' in row 40"),
    (_csv("decimal commas", "number", "1,5", "2,25"), "looks like a number"),
    (_csv("grouped", "number", "1,234.50", "999"), "'1,234.50', which looks like a number"),
    (_csv("money", "number", *(f"${k}" for k in range(30))), "looks like a number"),
    (_csv("infinity", "number", "1.5", "inf", kinds={"cell": "number"}), "holds 'inf'"),
    (_csv("no such day", "date", "2024-02-30", kinds={"cell": "date"}), "expected a date"),
    (_parquet("bytes", "category", b"a", b"b"), "expected a single category"),
    (_parquet("lists", "category", [1], [2, 3]), "expected a single category"),
    (_parquet("infinite", "number", 1.0, float("inf")), "infinite in row 1"),
    (_parquet("int64 beyond", "integer", 2**53 + 1, None, arrow="int64"), "beyond 2\\*\\*53"),
    (_parquet("durations", "number", datetime.timedelta(1)), "durations"),
]
