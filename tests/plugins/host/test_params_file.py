"""Reading parameters: YAML 1.2, and nothing clever."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate import UsageError
from lockgate.plugins.host.params_file import MAX_BYTES, read_params, write_params

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-1", 0.1),
        ("1E5", 1e5),
        (".5", 0.5),
        ("3", 3),
        ("-3.5", -3.5),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("null", None),
        ("1998-01-01", "1998-01-01"),
        ("0x1f", "0x1f"),
        (".inf", float("inf")),
    ],
)
def test_scalars_are_those_of_yaml_1_2(tmp_path: Path, text: str, value: object) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(f"a: {text}\n")
    assert read_params(file) == {"a": value}


@given(document=st.dictionaries(st.text(max_size=6), PLAIN, max_size=4))
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, object]
) -> None:
    file = tmp_path_factory.mktemp("params") / "params.yaml"
    write_params(file, document, "one\ntwo")
    assert read_params(file) == document


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", "line"),
        ("- 1", "expected a mapping"),
        ("a: &x 1\nb: *x", "aliases are not allowed"),
        ("a: 1\na: 2", "the key 'a' is duplicated"),
        ("1: 2", "expected a text as key"),
        ("a: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("a: " + "[" * 3000, "params.yaml"),
    ],
)
def test_nonsense_is_named_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=words):
        read_params(file)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_bytes(b"a" * (MAX_BYTES + 1))
    with pytest.raises(UsageError, match="larger than"):
        read_params(file)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_bytes(b"a: \xff\xfe")
    with pytest.raises(UsageError, match="is not UTF-8 text"):
        read_params(file)


def test_a_missing_file_says_how_to_write_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lockgate run"):
        read_params(tmp_path / "params.yaml")
