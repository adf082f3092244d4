"""Operations on texts: counts of terms, and their weights."""

from __future__ import annotations

import functools
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from lockgate.models.packed.format.array_types import Array, Namespace, RowFunction
from lockgate.models.packed.format.container import require
from lockgate.models.packed.format.linear import TermCounts
from lockgate.models.packed.format.operation import ArrayReader, Operation, Shape, check_cell_count

__all__ = ["TEXTS", "TOKENS"]

TOKENS = {
    "words": re.compile(r"(?u)\b\w\w+\b"),
    "words1": re.compile(r"(?u)\b\w+\b"),
}
"""Token patterns: words of two characters or more, and all words."""

SPACES = re.compile(r"\s\s+")


class Text(Operation, tag="text", frozen=True):
    """One column of texts; a missing value counts as an empty text."""

    column: int

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        require(not operands, "a column of texts takes no operands")
        require(0 <= self.column < len(reader.inputs), f"unknown input {self.column}")
        require(reader.inputs[self.column].kind == "text", f"input {self.column} is not a text")
        return Shape("text", 1)


class CountTerms(Operation, tag="terms", frozen=True):
    """How often each term occurs in a text.

    Attributes
    ----------
    terms : tuple of str
        Term of each column; empty where columns come from a hash.
    hashed : int
        Number of columns of the hash (MurmurHash3, 32 bits, seed 0), or 0.
    signed : bool
        Whether the sign of the hash is the sign of the count.
    unit : {"word", "char", "char_wb"}
        Unit of the n-grams; ``char_wb`` stays within words.
    tokens : {"words", "words1"}
        Token pattern, a key of `TOKENS`.
    low, high : int
        Shortest and longest n-gram.
    lower : bool
        Whether the text is converted to lower case.
    accents : {"ascii", "unicode"} or None
        How accents are removed.
    stop : tuple of str
        Stop words, left out.
    binary : bool
        Whether a term counts at most once per text.

    """

    unit: Literal["word", "char", "char_wb"] = "word"
    tokens: Literal["words", "words1"] = "words"
    low: int = 1
    high: int = 1
    lower: bool = True
    accents: Literal["ascii", "unicode"] | None = None
    binary: bool = False
    hashed: int = 0
    signed: bool = False
    terms: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        require(len(operands) == 1 and operands[0].kind == "text", "expected one text")
        require(
            1 <= self.low <= self.high <= 32,
            f"n-grams of {self.low} to {self.high}, expected 1 to 32",
        )
        require(len(set(self.terms)) == len(self.terms), "a term is duplicated")
        require(bool(self.terms) != bool(self.hashed), "expected either terms or a hash")
        require(
            0 <= self.hashed < 1 << 31, f"expected fewer than 2**31 hash columns, got {self.hashed}"
        )
        check_cell_count(self.hashed)
        return Shape("terms", self.hashed or len(self.terms))

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        require(xp is np, "texts need the NumPy backend")
        count = self.make_counter()
        starts, columns, values = [0], [], []
        for text in operands[0]:
            for column, value in count(text):
                columns.append(column)
                values.append(value)
            starts.append(len(columns))
        return TermCounts(
            np.array(starts), np.array(columns, np.int64), np.array(values, float), self.width
        )

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.hashed or len(self.terms)

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        return lambda text: self.run([[text]], arrays, np)

    def make_counter(self) -> Callable[[str], list[tuple[int, float]]]:
        """Make the function from a text to columns and counts, columns in ascending order."""
        split, term_columns = self._make_splitter(), {term: k for k, term in enumerate(self.terms)}
        hashed, signed, binary = self.hashed, self.signed, self.binary

        def count(text: str) -> list[tuple[int, float]]:
            counts: dict[int, float] = {}
            for term in split(text):
                if hashed:
                    number = _murmur(term)
                    # abs(-2**31) overflows 32 bits: scikit-learn takes 2**31 - hashed instead
                    column = (abs(number) if number > -(1 << 31) else (1 << 31) - hashed) % hashed
                    step = -1.0 if signed and number < 0 else 1.0
                    counts[column] = counts.get(column, 0.0) + step
                elif (term_column := term_columns.get(term)) is not None:
                    counts[term_column] = counts.get(term_column, 0.0) + 1.0
            return [(k, 1.0 if binary else counts[k]) for k in sorted(counts)]

        return count

    def _make_splitter(self) -> Callable[[str], Iterator[str]]:
        find, stop = TOKENS[self.tokens].findall, frozenset(self.stop)

        def split(text: str) -> Iterator[str]:
            text = _normalize(text, self.lower, self.accents)
            if self.unit == "word":
                tokens = [token for token in find(text) if token not in stop]
                yield from _token_ngrams(tokens, self.low, self.high)
            elif self.unit == "char":
                yield from _char_ngrams(SPACES.sub(" ", text), self.low, self.high)
            else:
                for word in SPACES.sub(" ", text).split():
                    yield from _padded_ngrams(f" {word} ", self.low, self.high)

        return split


def _normalize(text: str, lower: bool, accents: str | None) -> str:
    text = text.lower() if lower else text
    if accents is None or text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text)
    if accents == "ascii":
        return decomposed.encode("ASCII", "ignore").decode("ASCII")
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _token_ngrams(tokens: list[str], low: int, high: int) -> Iterator[str]:
    for size in range(low, min(high, len(tokens)) + 1):
        for start in range(len(tokens) - size + 1):
            yield tokens[start] if size == 1 else " ".join(tokens[start : start + size])


def _char_ngrams(text: str, low: int, high: int) -> Iterator[str]:
    for size in range(low, min(high, len(text)) + 1):
        for start in range(len(text) - size + 1):
            yield text[start : start + size]


def _padded_ngrams(word: str, low: int, high: int) -> Iterator[str]:
    """Yield n-grams of a padded word; a word shorter than the size is yielded once, whole."""
    for size in range(low, high + 1):
        yield word[:size]
        start = 0
        while start + size < len(word):
            start += 1
            yield word[start : start + size]
        if start == 0:
            break


@functools.lru_cache(maxsize=1 << 16)
def _murmur(term: str) -> int:
    """MurmurHash3 (Appleby, x86, 32 bits, seed 0) of a term's UTF-8, as a signed number."""
    raw, mask = term.encode("utf-8"), 0xFFFFFFFF
    h, body_length = 0, len(raw) // 4 * 4
    for offset in range(0, body_length, 4):
        k = int.from_bytes(raw[offset : offset + 4], "little") * 0xCC9E2D51 & mask
        k = (k << 15 | k >> 17) & mask
        h ^= k * 0x1B873593 & mask
        h = (h << 13 | h >> 19) & mask
        h = (h * 5 + 0xE6546B64) & mask
    if tail := raw[body_length:]:
        k = int.from_bytes(tail, "little") * 0xCC9E2D51 & mask
        k = (k << 15 | k >> 17) & mask
        h ^= k * 0x1B873593 & mask
    h ^= len(raw)
    h = (h ^ h >> 16) * 0x85EBCA6B & mask
    h = (h ^ h >> 13) * 0xC2B2AE35 & mask
    h ^= h >> 16
    return h - (1 << 32) if h >> 31 else h


class WeighTerms(Operation, tag="weigh", frozen=True):
    """Weights of terms: 1 + log of the count, times the term's weight, divided by the norm.

    With `binary`, each positive count is 1 first, and others 0.
    """

    binary: bool = False
    logarithm: bool = False
    weights: str | None = None
    norm: Literal["l1", "l2", "max"] | None = None

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        require(len(operands) == 1 and operands[0].kind == "terms", "expected counts of terms")
        if self.weights is not None:
            reader.floats(self.weights, operands[0].width)
        return operands[0]

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        terms = operands[0]
        values = terms.values
        if self.binary:
            values = (values > 0).astype(float)
        if self.logarithm:
            values = np.array([math.log(v) + 1.0 if v > 0 else math.nan for v in values.tolist()])
        if self.weights is not None:
            values = values * arrays[self.weights][terms.columns]
        if self.norm is not None and len(values):
            values = values / _norms(terms, values, self.norm)[terms.row_indices()]
        return TermCounts(terms.starts, terms.columns, values, terms.width)

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        return lambda terms: self.run([terms], arrays, np)


def _norms(terms: TermCounts, values: np.ndarray, norm: str) -> np.ndarray:
    """Return each row's norm, 1 where it is zero; bincount adds in order."""
    row_indices, rows = terms.row_indices(), len(terms.starts) - 1
    if norm == "l2":
        size = np.sqrt(np.bincount(row_indices, values * values, minlength=rows))
    elif norm == "l1":
        size = np.bincount(row_indices, np.abs(values), minlength=rows)
    else:
        size = np.zeros(rows)
        np.maximum.at(size, row_indices, np.abs(values))
    return np.where(size == 0, 1.0, size)


TEXTS = (Text, CountTerms, WeighTerms)
"""Operations on texts."""
