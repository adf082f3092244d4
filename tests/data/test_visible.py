"""Text of others shows every character, and moves no cursor."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from lockgate.data.io.visible import visible

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)  # lone surrogates, too


@given(ANY_TEXT)
def test_what_is_shown_controls_nothing(text: str) -> None:
    for character in visible(text):
        assert unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp", "Co", "Cn")
        assert character not in "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068"


@given(ANY_TEXT)
def test_plain_text_is_shown_as_it_is(text: str) -> None:
    if text.isprintable():
        assert visible(text) == text
    assert visible("größer 日本語 नमस्ते 👩\u200d🔬\u00a0x") == "größer 日本語 नमस्ते 👩\u200d🔬\u00a0x"


def test_a_long_text_is_cut_with_its_digest() -> None:
    shown = visible("x" * 5000 + "end")
    assert shown.startswith("x" * 400 + "... (5,003 characters, sha256 ")
    assert shown != visible("x" * 5000 + "dne")
    assert visible("x" * 5000, limit=None) == "x" * 5000
