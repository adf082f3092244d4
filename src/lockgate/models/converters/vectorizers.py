"""Converters of scikit-learn's transformers of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lockgate.models.converters.libraries import library_of
from lockgate.models.converters.symbols import Column, RawColumn, Sparse
from lockgate.models.converters.trace import Trace
from lockgate.models.packed.format.text import TOKENS, CountTerms, Text, WeighTerms

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["TEXTS"]

PATTERNS = {pattern.pattern: name for name, pattern in TOKENS.items()} | {
    pattern.pattern.removeprefix("(?u)"): name for name, pattern in TOKENS.items()
}


def _count_terms(trace: Trace, est: BaseEstimator, columns: list[Column], **fields: Any) -> int:
    column = columns[0]
    if len(columns) != 1 or not isinstance(column, RawColumn):
        raise trace.refuse("texts of several columns; use one vectorizer per column")
    for name in ("preprocessor", "tokenizer"):
        trace.require(
            getattr(est, name) is None,
            f"{name} is custom code, which a packed model cannot contain; prepare the text before "
            "the pipeline",
        )
    unit = est.analyzer
    trace.require(unit in ("word", "char", "char_wb"), f"analyzer={unit!r}; use 'word' or 'char'")
    if unit == "word":
        pattern = est.token_pattern
        choices = " or ".join(repr(choice) for choice in PATTERNS)
        trace.require(pattern in PATTERNS, f"token_pattern={pattern!r}; use {choices}")
        fields["tokens"] = PATTERNS[pattern]
        fields["stop"] = tuple(sorted(est.get_stop_words() or ()))
    low, high = est.ngram_range
    trace.use(column.source, "text")
    if library_of(est) != "lockgate":  # scikit-learn fails there; ours takes empty texts
        trace.reject_missing(column.source)
    text = trace.builder.add(Text, column=column.source)
    return trace.builder.add(
        CountTerms,
        text,
        unit=unit,
        low=int(low),
        high=int(high),
        lower=bool(est.lowercase),
        accents=est.strip_accents,
        binary=bool(est.binary),
        **fields,
    )


def count_vectorizer(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """Counts of known terms."""
    return [Sparse(_vocabulary(trace, est, columns))]


def _vocabulary(trace: Trace, est: BaseEstimator, columns: list[Column]) -> int:
    known = trace.attribute(est, "vocabulary_")
    terms = tuple(sorted(known, key=lambda term: int(known[term])))
    return _count_terms(trace, est, columns, terms=terms)


def tfidf_vectorizer(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """Weighted counts of known terms."""
    counts = Sparse(_vocabulary(trace, est, columns))
    return tfidf_transformer(trace, trace.attribute(est, "_tfidf"), [counts])


def tfidf_transformer(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """Weights of counts."""
    column = columns[0]
    if len(columns) != 1 or not isinstance(column, Sparse):
        raise trace.refuse("weights of columns that are not counts of terms")
    weights = trace.builder.array(est.idf_) if est.use_idf else None
    op = trace.builder.add(
        WeighTerms,
        column.op,
        logarithm=bool(est.sublinear_tf),
        weights=weights,
        norm=est.norm,
    )
    return [Sparse(op)]


def hashing_vectorizer(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """Counts of hashed terms."""
    op = _count_terms(
        trace, est, columns, hashed=int(est.n_features), signed=bool(est.alternate_sign)
    )
    if est.norm is not None:
        op = trace.builder.add(WeighTerms, op, norm=est.norm)
    return [Sparse(op)]


TEXTS = {
    "lockgate.HashedTerms": hashing_vectorizer,
    "lockgate.TextTerms": tfidf_vectorizer,
    "sklearn.CountVectorizer": count_vectorizer,
    "sklearn.HashingVectorizer": hashing_vectorizer,
    "sklearn.TfidfTransformer": tfidf_transformer,
    "sklearn.TfidfVectorizer": tfidf_vectorizer,
}
"""Converters of transformers of text, by library and class."""
