"""Whatever follows a vectorizer is packed, as scikit-learn computes it on sparse matrices."""

from __future__ import annotations

import os
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import BaggingClassifier, ExtraTreesClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectFromModel, SelectKBest, VarianceThreshold, chi2
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    MaxAbsScaler,
    Normalizer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import lockgate
from lockgate.models.converters.parity import check_parity
from lockgate.models.packed.format.term_columns import DenseTerms
from lockgate.models.packed.runtime.model import PackedModel

WORDS = [
    "late",
    "parcel",
    "broken",
    "refund",
    "thanks",
    "great",
    "slow",
    "support",
    "price",
    "again",
    "never",
    "order",
]
rng = np.random.default_rng(3)


def draw_texts(count: int) -> list[str]:
    return [" ".join(rng.choice(WORDS, size=int(rng.integers(0, 9)))) for _ in range(count)]


texts = pd.Series(draw_texts(400), name="text")
y = (texts.str.count("late|broken|never") > rng.random(400) * 2).astype(int).to_numpy()
logistic = LogisticRegression()
clipping = MaxAbsScaler()
if "clip" in clipping.get_params():  # since scikit-learn 1.8
    clipping.set_params(clip=True)

MODELS: dict[str, Any] = {
    "chi2": [TfidfVectorizer(), SelectKBest(chi2, k=5), logistic],
    "selected by a model": [CountVectorizer(), SelectFromModel(logistic), logistic],
    "variance, then trees": [
        CountVectorizer(ngram_range=(1, 2)),
        VarianceThreshold(0.01),
        DecisionTreeClassifier(max_depth=6),
    ],
    "forest": [TfidfVectorizer(), RandomForestClassifier(n_estimators=20, random_state=0)],
    "hashed, extra trees": [
        HashingVectorizer(n_features=1 << 12),
        ExtraTreesClassifier(n_estimators=10, random_state=0),
    ],
    "lightgbm": [
        CountVectorizer(dtype=np.float64),
        lightgbm.LGBMClassifier(n_estimators=10, verbose=-1, min_child_samples=3),
    ],
    "support vectors": [TfidfVectorizer(), SVC(C=2)],
    "singular vectors": [TfidfVectorizer(), TruncatedSVD(4, random_state=0), logistic],
    "largest value": [CountVectorizer(), MaxAbsScaler(), logistic],
    "standard": [CountVectorizer(), StandardScaler(with_mean=False), logistic],
    "robust": [TfidfVectorizer(), RobustScaler(with_centering=False), SelectKBest(k=4), logistic],
    "norm": [CountVectorizer(), Normalizer("l1"), logistic],
    "present": [CountVectorizer(), Binarizer(), BernoulliNB()],
    "bernoulli": [CountVectorizer(), BernoulliNB()],
    "two vectorizers": [
        FeatureUnion(
            [
                ("words", TfidfVectorizer()),
                ("signs", TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3))),
            ]
        ),
        SelectKBest(chi2, k=20),
        RandomForestClassifier(n_estimators=10, random_state=0),
    ],
    "weighed vectorizers": [
        FeatureUnion([("a", TfidfVectorizer())], transformer_weights={"a": 0.5}),
        logistic,
    ],
    "clipped": [CountVectorizer(), clipping, logistic],
    "imputed counts": [CountVectorizer(), SimpleImputer(), SelectKBest(k=5), logistic],
    "bagging": [CountVectorizer(), BaggingClassifier(logistic, max_features=0.5, random_state=0)],
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("name", MODELS)
def test_steps_after_a_vectorizer(name: str, tmp_path: Any) -> None:
    model = make_pipeline(*MODELS[name]).fit(texts, y)
    bundle = lockgate.pack(model, texts, y, path=tmp_path / "m")  # compares, too
    if os.environ.get("LOCKGATE_SOAK"):
        many = pd.DataFrame({"text": draw_texts(20_000)})
        packed = PackedModel((tmp_path / "m" / "model.packed").read_bytes())
        assert check_parity(model, packed, many, rows=20_000).label_changes == 0
    new = pd.Series(["late again, never", "", "thanks", "unheard of", "great great late"])
    output = bundle.predict(pd.DataFrame({"text": new}))
    assert np.array_equal(output.label, model.predict(new))
    if hasattr(model, "predict_proba"):
        expected = model.predict_proba(new)[:, 1]
        assert np.allclose(np.asarray(output.score), expected, atol=1e-12)
        alone = [bundle.predict_one({"text": text}).score for text in new]
        assert alone == np.asarray(output.score).tolist()


@pytest.mark.parametrize("last", [SVC(), RandomForestClassifier(n_estimators=10, random_state=0)])
def test_numbers_beside_texts(last: Any, tmp_path: Any) -> None:
    frame = pd.DataFrame({"weight": rng.normal(size=400), "text": texts, "age": rng.random(400)})
    columns = make_column_transformer(
        (StandardScaler(), ["weight", "age"]), (TfidfVectorizer(), "text")
    )
    model = make_pipeline(columns, MaxAbsScaler(), SelectKBest(k=8), last).fit(frame, y)
    bundle = lockgate.pack(model, frame, y, path=tmp_path / "m")
    assert np.array_equal(bundle.predict(frame).label, model.predict(frame))


def test_trees_keep_the_terms_that_they_compare_alone(tmp_path: Any) -> None:
    model = make_pipeline(HashingVectorizer(), DecisionTreeClassifier(max_depth=3)).fit(texts, y)
    lockgate.pack(model, texts, y, path=tmp_path / "m")
    packed = PackedModel((tmp_path / "m" / "model.packed").read_bytes())
    (dense,) = (op for op in packed.header.ops if isinstance(op, DenseTerms))
    assert len(packed.arrays[dense.columns]) <= 7  # of 2**20


def test_xgboost_takes_absent_terms_for_missing_values_and_is_refused(tmp_path: Any) -> None:
    xgboost = pytest.importorskip("xgboost", reason="XGBoost is not installed")
    model = make_pipeline(CountVectorizer(), xgboost.XGBClassifier(n_estimators=3)).fit(texts, y)
    with pytest.raises(lockgate.NotCovered, match="takes absent terms for missing values"):
        lockgate.pack(model, texts, y, path=tmp_path / "m")


def test_quantiles_of_counts_are_refused_by_name(tmp_path: Any) -> None:
    model = make_pipeline(CountVectorizer(), QuantileTransformer(n_quantiles=20), logistic)
    with pytest.raises(lockgate.NotCovered, match="quantiletransformer: counts of terms"):
        lockgate.pack(model.fit(texts, y), texts, y, path=tmp_path / "m")


def test_counts_moved_away_from_zero_are_refused(tmp_path: Any) -> None:
    dense = make_pipeline(CountVectorizer(), SelectKBest(k=3), logistic).fit(texts, y)
    dense.steps[1] = (
        "robust",
        RobustScaler().fit(CountVectorizer().fit_transform(texts).toarray()),
    )
    with pytest.raises(lockgate.NotCovered, match="moved away from zero"):
        lockgate.pack(dense, texts, y, path=tmp_path / "m")
