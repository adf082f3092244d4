"""Transformers of one column of texts, fitted on training rows: terms, and what condenses them."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer

from lockgate.data.columns.frames import cell_texts
from lockgate.errors import SchemaViolation

__all__ = ["CondensedTerms", "HashedTerms", "TextTerms"]

EMPTY = ("empty vocabulary", "no terms remain", "max_df corresponds to < documents than min_df")
"""What scikit-learn says where no term is frequent enough."""


class _WithoutAddresses:
    """Keeps the memory address that scikit-learn notes of its stop words out of the model file."""

    def __getstate__(self) -> dict[str, Any]:
        state = cast("dict[str, Any]", super().__getstate__())
        return {name: value for name, value in state.items() if name != "_stop_words_id"}


class TextTerms(_WithoutAddresses, TfidfVectorizer):  # type: ignore[misc]  # scikit-learn is untyped
    """Weighted counts of the terms of a column; missing cells are empty texts."""

    def fit(self, X: pd.DataFrame, y: object = None) -> TextTerms:
        """Learn the terms of X, shape (rows, 1), and their weights."""
        self.fit_transform(X)
        return self

    def fit_transform(self, X: pd.DataFrame, y: object = None) -> csr_matrix:
        """Learn the terms, and return their weighted counts, shape (rows, terms)."""
        try:
            return super().fit_transform(_texts(X))
        except ValueError as error:
            if not any(reason in str(error) for reason in EMPTY):
                raise
            raise SchemaViolation(
                [
                    f"cells.texts: no term of column {X.columns[0]} is in {self.min_df} of "
                    f"{len(X)} rows; choose characters, lower cells.term_rows, or leave it out"
                ]
            ) from None

    def transform(self, X: pd.DataFrame) -> csr_matrix:
        """Return weighted counts of the known terms, shape (rows, terms)."""
        return super().transform(_texts(X))


class HashedTerms(_WithoutAddresses, HashingVectorizer):  # type: ignore[misc]  # scikit-learn is untyped
    """Counts of hashed terms of a column; missing cells are empty texts."""

    def fit(self, X: pd.DataFrame, y: object = None) -> HashedTerms:
        """Do nothing; hashes are not learned."""
        return self

    def fit_transform(self, X: pd.DataFrame, y: object = None) -> csr_matrix:
        """Return the counts, shape (rows, hashes)."""
        return self.transform(X)

    def transform(self, X: pd.DataFrame) -> csr_matrix:
        """Return the counts, shape (rows, hashes)."""
        return super().transform(_texts(X))


class CondensedTerms(TruncatedSVD):  # type: ignore[misc]  # scikit-learn is untyped
    """Counts of terms condensed to as many numbers, or as there are terms.

    Deerwester et al. (1990), Indexing by latent semantic analysis.
    """

    def fit_transform(self, X: csr_matrix, y: object = None) -> np.ndarray:
        """Learn the directions, and return the numbers, shape (rows, components)."""
        wanted: int = self.get_params()["n_components"]
        self.set_params(n_components=min(wanted, X.shape[1]))
        try:
            return np.asarray(super().fit_transform(X))
        finally:
            self.set_params(n_components=wanted)


def _texts(X: pd.DataFrame) -> list[str]:
    return [text or "" for text in cell_texts(X.iloc[:, 0])]
