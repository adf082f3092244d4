"""Long JSON is decoded in slices, and the same comes out as of a decoding at once."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.serving.http.messages import HTTPError
from lockgate.serving.protocols.json_columns import decode_columns
from lockgate.serving.protocols.json_rows import (
    RowDecoder,
    read_row,
    read_rows,
)
from lockgate.serving.protocols.json_slices import decode_object, decode_slices

CUTS = st.text(st.sampled_from('a,"\\{}[] é'), max_size=12)
"""Texts that look like the ends of elements."""

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 2**60) | CUTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(CUTS, inner, max_size=4),
    max_leaves=8,
)


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value, ensure_ascii=False).encode())


@given(values=st.lists(VALUES, max_size=12), size=st.integers(2, 60))
def test_slices_of_an_array_are_its_elements(values: list[Any], size: int) -> None:
    parts = list(decode_slices(raw(values), size=size))
    assert [element for part in parts for element in part] == values


@given(fields=st.dictionaries(CUTS, VALUES, max_size=12), size=st.integers(2, 60))
def test_slices_of_an_object_are_its_fields(fields: dict[str, Any], size: int) -> None:
    decoded = decode_object(raw(fields), 100, size)
    assert {name: msgspec.json.decode(value) for name, value in decoded.items()} == fields


def test_a_long_array_comes_in_short_slices() -> None:
    rows = [{"a": k, "b": '"},{"'} for k in range(20_000)]
    parts = list(decode_slices(raw(rows)))
    assert len(parts) > 3
    assert max(map(len, parts)) < 8000


CELLS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
)
ROWS = st.lists(st.fixed_dictionaries({"a": CELLS | CUTS, "b": CELLS}), min_size=1, max_size=6)


@given(rows=ROWS, extra=VALUES)
def test_rows_become_the_columns_that_they_hold(rows: list[dict[str, Any]], extra: Any) -> None:
    columns = {name: [row[name] for row in rows] for name in ("a", "b")}
    decoder = RowDecoder(("a", "b"), key_column="id")
    objects, count = read_rows(decoder, raw([row | {"x": extra} for row in rows]), 10)
    assert objects == columns | {"id": [None] * len(rows)}
    assert count == len(rows)
    assert read_rows(decoder, raw([[row["a"], row["b"]] for row in rows]), 10)[0] == columns
    assert decode_columns(raw(columns), 10, decoder) == (columns, len(rows))


def test_rows_that_are_not_plain_stay_as_they_are() -> None:
    decoder = RowDecoder(("a", "b"))
    for rows in (
        [{"a": 1, "b": 2}, {"a": 1}],
        [{"a": [1], "b": 2}],
        [{"a": 1, "b": 2}, 3],
        [{"a": 1, "b": 2}, [5, 6]],
        ["x"],
    ):
        source, count = read_rows(decoder, raw(rows), 10)
        assert count == len(rows)
        assert source == [
            dict(zip("ab", row, strict=True)) if type(row) is list else row for row in rows
        ]


@pytest.mark.parametrize("unit", [b"1", b"{}", b"[]", b'{"a":1}', b"[1]", b'"x"'])
def test_too_many_rows_are_refused_before_all_are_decoded(unit: bytes) -> None:
    rows = msgspec.Raw(
        b"[" + unit + (b"," + unit) * 500_000 + b", " + b"[" * 300 + b"]" * 300 + b"]"
    )
    with pytest.raises(HTTPError, match="expected 1 to 1000 rows, got more"):
        read_rows(RowDecoder(("a",)), rows, 1000)
    with pytest.raises(HTTPError, match="expected 1 to 1000 rows, got more"):
        decode_columns(msgspec.Raw(b'{"a":' + bytes(rows) + b"}"), 1000, RowDecoder(("a",)))
    first = next(decode_slices(rows))
    assert 1000 < len(first) < 200_000


@pytest.mark.parametrize("comma", [b",", b" , ", b"\n,\n"])
def test_blanks_around_commas_and_rows_of_both_forms_change_nothing(comma: bytes) -> None:
    cells = [1, 2.5, None, True, 0, 0, 0, 0, 0, 0]
    names = tuple("abcdefghij")
    count = 60_000
    objects = [json.dumps(dict(zip(names, cells, strict=True))).encode()] * count
    lists = [json.dumps(cells).encode()] * count
    decoder = RowDecoder(names)
    for rows in (objects, lists):
        source, number = read_rows(decoder, msgspec.Raw(b"[%b]" % comma.join(rows)), 100_000)
        assert number == count
        assert source == {name: [cell] * count for name, cell in zip(names, cells, strict=True)}
    mixed = [objects[0], *lists[:40_000]]
    _, number = read_rows(decoder, msgspec.Raw(b"[%b]" % comma.join(mixed)), 100_000)
    assert number == len(mixed)
    parts = list(decode_slices(msgspec.Raw(b"[%b]" % comma.join(lists))))
    assert len(parts) > 10


def test_a_row_of_millions_of_cells_is_refused_quickly() -> None:
    rows = msgspec.Raw(b"[[" + b"1," * 4_000_000 + b"1]]")
    with pytest.raises(msgspec.ValidationError, match="more than 1000000 parts"):
        read_rows(RowDecoder(("a",)), rows, 1000)


@pytest.mark.parametrize("name", ['width (")', "a\\b", "tab\there", "", "é", "1"])
def test_columns_may_have_any_name(name: str) -> None:
    decoder = RowDecoder((name, "b"), key_column='id "')
    rows = [{name: 1, "b": 2, 'id "': 3}] * 2
    source, count = read_rows(decoder, raw(rows), 10)
    records = source if isinstance(source, list) else None
    assert count == 2
    assert records == rows or source == {name: [1, 1], "b": [2, 2], 'id "': [3, 3]}
    assert read_rows(decoder, raw([[1, 2]]), 10)[0] == {name: [1], "b": [2]}


def test_a_list_of_no_names_has_no_columns() -> None:
    assert RowDecoder(("a", "b")).decode_lists(raw([[1, 2]]), 10, []) is None


def test_long_rows_are_read_like_short_ones() -> None:
    text = "},{" * 100_000
    assert read_row(("a", "b"), raw({"a": text, "b": 1, "x": {"y": [1]}})) == {"a": text, "b": 1}
    assert read_row(("a",), raw({"a": text, "id": 7}), "id") == {"a": text, "id": 7}
    assert read_row(("a", "b"), raw([text, 1])) == [text, 1]
    with pytest.raises(HTTPError, match="at most 10000 columns"):
        read_row(("a",), raw({f"c{k}": k for k in range(100_000)}))
    assert read_row(("a",), raw(list(range(100_000)))) == [0, 1]
    with pytest.raises(msgspec.ValidationError):
        read_row(("a",), raw("x" * 200_000))


def test_rows_are_counted_by_the_columns_of_the_model() -> None:
    decoder = RowDecoder(("a", "b"), "id")
    columns = {"a": [1, 2], "b": [3, 4], "x": [0] * 50, "y": 7}
    assert decode_columns(raw(columns), 10, decoder) == (columns | {"x": [], "y": []}, 2)
    with pytest.raises(HTTPError, match="column id has 3 keys, expected 2"):
        decode_columns(raw(columns | {"id": [1, 2, 3]}), 10, decoder)
    assert decode_columns(raw({"A": [1]}), 10, decoder) == ({"A": []}, 1)


def test_errors_name_the_element_of_the_whole_array() -> None:
    typed = msgspec.json.Decoder(list[int]).decode
    values: list[Any] = [*range(50_000), "x", *range(50_000)]
    with pytest.raises(msgspec.ValidationError, match=r"\$\[50000\]"):
        list(decode_slices(raw(values), typed))
