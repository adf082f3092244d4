"""Lists of plain cells are read quickly, and as all other cells are."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from lockgate.data.columns.inputs import ColumnInput
from lockgate.data.columns.parsing import READERS
from lockgate.data.columns.rejections import RejectedRows

NUMBERS = (
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers(-(2**54), 2**54)
    | st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, 10**400, 1e300, "7"])
)
TEXTS = st.none() | st.sampled_from(
    ["a", "b", "1", "1.0", "01", "true", "True", "", "c", 1, 2.0, True]
)
DATES = st.none() | st.sampled_from(
    ["2024-07-02", "02/07/2024", "2024-07-02T10:00:00Z", "x", "", 5]
)
COLUMNS = {
    "number": (NUMBERS, ()),
    "integer": (NUMBERS, ("1", "7")),
    "boolean": (NUMBERS, ()),
    "category": (TEXTS, ("a", "b", "1", "true", "false")),
    "date": (DATES, ()),
    "text": (TEXTS, ()),
}


class Cells(list[Any]):
    """A list that is not taken for a plain one."""


@given(
    data=st.data(),
    kind=st.sampled_from(sorted(COLUMNS)),
    missing=st.sampled_from(["allow", "refuse"]),
    unknown=st.sampled_from(["ignore", "refuse"]),
    bits=st.sampled_from([64, 32, 16]),
)
def test_plain_lists_are_read_like_any_other(
    data: st.DataObject, kind: str, missing: str, unknown: str, bits: int
) -> None:
    cells, categories = COLUMNS[kind]
    column = ColumnInput("x", kind, missing, unknown, categories, "iso", bits)
    check_equal(column, data.draw(st.lists(cells, max_size=6)))


@given(st.just([2**53 + 1, 1.5]))
@example([1.0, float("inf")])
@example([10**400])
def test_numbers_that_doubles_do_not_hold_are_refused(cells: list[Any]) -> None:
    assert check_equal(ColumnInput("x", "number"), cells)


def check_equal(column: ColumnInput, cells: list[Any]) -> dict[int, list[str]]:
    """Read cells both ways and return the reasons of rejected rows."""
    quick, slow = RejectedRows(), RejectedRows()
    read = READERS[column.kind]
    first, second = read(column, cells, quick), read(column, Cells(cells), slow)
    assert quick.reasons == slow.reasons
    valid = [row for row in range(len(cells)) if row not in quick.reasons]
    assert np.array_equal(
        np.asarray(first, dtype=object)[valid].tolist(),
        np.asarray(second, dtype=object)[valid].tolist(),
    ) or np.array_equal(
        np.asarray(first, float)[valid], np.asarray(second, float)[valid], equal_nan=True
    )
    return quick.reasons
