"""Checks of plain data against declared settings."""

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate import SettingError, UnknownKey, setting
from lockgate.contract.settings import build, check, defaults
from lockgate.contract.type_names import type_name


@dataclass(kw_only=True)
class Inner:
    depth: int = setting(2, at_least=1)


@dataclass(kw_only=True)
class Sample:
    path: str = setting()
    share: float = setting(0.5, above=0, below=1)
    names: list[str] = setting(["a"])
    levels: list[float] = setting([], at_least=0)
    by_name: dict[str, float] = setting({})
    way: str = setting("fast", choices=("fast", "slow"))
    limit: int | None = setting(None, at_least=1)
    inner: Inner = field(default_factory=Inner)


def test_defaults_are_plain_and_leave_out_what_must_be_given() -> None:
    assert defaults(Sample) == {
        "share": 0.5,
        "names": ["a"],
        "levels": [],
        "by_name": {},
        "way": "fast",
        "limit": None,
        "inner": {"depth": 2},
    }


def test_nested_settings_are_built() -> None:
    made = build(Sample, {"path": "x", "inner": {"depth": 4}, "share": 0.25}, "sample")
    assert made.inner.depth == 4
    assert made.share == 0.25


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("share", 0),
        ("share", 1),
        ("share", "0.5"),
        ("share", float("nan")),
        ("share", True),
        ("names", "a"),
        ("names", [1]),
        ("levels", [1, -1]),
        ("by_name", {"a": "b"}),
        ("way", "quick"),
        ("limit", 0),
        ("limit", 1.5),
        ("path", 3),
        ("path", "???"),
        ("inner", 3),
    ],
)
def test_a_wrong_value_names_key_value_and_what_is_allowed(key: str, value: object) -> None:
    with pytest.raises(SettingError) as caught:
        check(Sample, {"path": "x", key: value}, "sample")
    assert caught.value.key == f"sample.{key}"
    assert caught.value.allowed


def test_a_nested_wrong_value_has_its_whole_path() -> None:
    with pytest.raises(SettingError, match=r"sample\.inner\.depth is 0"):
        check(Sample, {"path": "x", "inner": {"depth": 0}}, "sample")


def test_an_unknown_key_names_the_nearest() -> None:
    with pytest.raises(UnknownKey, match=r"unknown key 'sample\.shar', did you mean 'share'"):
        check(Sample, {"path": "x", "shar": 1}, "sample")


def test_a_missing_value_without_default_is_named() -> None:
    with pytest.raises(SettingError, match=r"sample\.path .* no default"):
        check(Sample, {}, "sample")


def test_types_are_named_as_a_user_would() -> None:
    assert type_name(dict[str, list[float]]) == "mapping of str to list of float"
    assert type_name(int | None) == "int or null"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_range_accepts_just_what_lies_in_it(value: float) -> None:
    inside = 0 < value < 1
    try:
        check(Sample, {"path": "x", "share": value}, "sample")
        assert inside
    except SettingError:
        assert not inside


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
        ),
        max_leaves=6,
    )
)
def test_any_nonsense_is_refused_in_our_words_or_accepted(value: object) -> None:
    for key in ("share", "names", "levels", "by_name", "way", "limit", "inner"):
        try:
            checked = check(Sample, {"path": "x", key: value}, "sample")
        except (SettingError, UnknownKey):
            continue
        if key == "share":
            assert isinstance(checked["share"], float)
            assert not math.isnan(checked["share"])
