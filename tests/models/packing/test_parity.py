"""Packed models answer as the originals do: to the last label, and to 1e-12."""

import os
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.naive_bayes import ComplementNB, GaussianNB, MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC

import lockgate
from lockgate.contract.prediction import Output
from lockgate.data.columns.inputs import ColumnInput
from lockgate.models.converters.convert import inputs_of, pack_estimator
from lockgate.models.converters.differences import within_rounding
from lockgate.models.converters.parity import check_parity
from lockgate.models.converters.term_sizes import rounding_bound
from lockgate.models.packed.runtime.model import PackedModel
from tests.models.packing import zoo

ROWS = 20_000 if os.environ.get("LOCKGATE_SOAK") else 2000
"""Plain rows, and as many at thresholds and beside."""

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning"),
    # scikit-learn 1.7 and 1.8 announce what KBinsDiscretizer does from 1.9 on
    pytest.mark.filterwarnings(
        "ignore:The current default behavior, quantile_method:FutureWarning"
    ),
]


def same(found: object, other: object, rows: int) -> bool:
    return found is None or np.array_equal(np.asarray(found)[:rows], np.asarray(other))


@pytest.mark.parametrize("name", zoo.MODELS)
def test_answers_are_those_of_the_original_whichever_way_they_are_computed(name: str) -> None:
    frame = zoo.frame_of()
    model = zoo.fitted(name, frame)
    packed = PackedModel(pack_estimator(model, zoo.inputs(frame)).raw)
    wide = zoo.frame_of(ROWS, seed=5) if len(frame) < ROWS else frame
    found = check_parity(model, packed, wide, rows=ROWS)
    assert found.label_changes == 0
    # training rows at equal distances: scikit-learn takes whichever its search meets first
    assert found.ties == 0
    assert found.tied <= (found.rows // 20 if "neighbors" in name else 0)
    by_columns = packed.predict(wide, engine="columns")
    by_rows = packed.predict(wide.iloc[:200], engine="rows")
    for one in ("label", "score", "margin"):
        assert same(getattr(by_columns, one), getattr(by_rows, one), 200)


def test_a_column_without_a_value_becomes_zeros_as_in_training() -> None:
    frame = zoo.frame_of().assign(x3=np.nan)
    model = make_pipeline(zoo.own_cells(False), HistGradientBoostingClassifier(max_iter=5))
    model.fit(frame, zoo.targets(zoo.frame_of())["two"])
    assert any(type(one).__name__ == "EmptyToZero" for _, one in model[0].transformers_[0][1].steps)
    packed = PackedModel(pack_estimator(model, zoo.inputs(frame)).raw)
    assert check_parity(model, packed, zoo.frame_of()).label_changes == 0


def test_a_frame_of_pandas_categories_goes_straight_into_boosting() -> None:
    frame = zoo.frame_of()
    model = HistGradientBoostingClassifier(max_iter=20, categorical_features="from_dtype")
    typed = frame.astype(dict.fromkeys(zoo.CATEGORIES, "category"))
    model.fit(typed, zoo.targets(frame)["two"])
    packed = PackedModel(pack_estimator(model, zoo.inputs(frame)).raw)
    assert check_parity(model, packed, typed).label_changes == 0


TEXTS = [
    "The crust was cold, and the café closed!",
    "where is my order? my order is late",
    "GREAT pizza, great people",
    "ünïcödé and numbers 12 345",
    "a b c d",
    "",
    "late late late order of pizza",
    "people closed the café at 12",
]


@pytest.mark.parametrize(
    "vectorizer",
    [
        CountVectorizer(),
        CountVectorizer(binary=True, ngram_range=(1, 2), stop_words="english"),
        CountVectorizer(analyzer="char_wb", ngram_range=(2, 4)),
        CountVectorizer(analyzer="char", ngram_range=(1, 3), lowercase=False),
        TfidfVectorizer(),
        TfidfVectorizer(sublinear_tf=True, strip_accents="unicode", norm="l1"),
        TfidfVectorizer(strip_accents="ascii", use_idf=False, token_pattern=r"(?u)\b\w+\b"),
        HashingVectorizer(n_features=64),
        HashingVectorizer(n_features=128, alternate_sign=False, norm=None, ngram_range=(1, 2)),
        make_pipeline(CountVectorizer(), TfidfTransformer(sublinear_tf=True)),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [LogisticRegression, LinearSVC, SGDClassifier])
def test_texts_are_counted_as_scikit_learn_counts_them(vectorizer: object, kind: type) -> None:
    texts = pd.Series(TEXTS * 6, name="text", dtype=object)
    target = np.array([0, 1, 0, 1, 2, 2, 1, 0] * 6)
    model = make_pipeline(vectorizer, kind(max_iter=20)).fit(texts, target)
    packed = PackedModel(pack_estimator(model, [ColumnInput("text", "text")]).raw)
    assert check_parity(model, packed, texts.to_frame()).label_changes == 0
    rows = packed.predict(texts.to_frame(), engine="rows")
    columns = packed.predict(texts.to_frame(), engine="columns")
    assert np.array_equal(rows.margin, columns.margin)


@pytest.mark.parametrize("kind", [MultinomialNB, ComplementNB])
def test_counting_bayes_takes_counts(kind: type) -> None:
    texts = pd.Series(TEXTS * 3, name="text", dtype=object)
    model = make_pipeline(CountVectorizer(), kind()).fit(texts, [0, 1, 0, 1, 2, 2, 1, 0] * 3)
    packed = PackedModel(pack_estimator(model, [ColumnInput("text", "text")]).raw)
    assert check_parity(model, packed, texts.to_frame()).label_changes == 0


@st.composite
def pipelines(draw: st.DrawFn) -> object:
    trees = [
        RandomForestClassifier(
            draw(st.integers(1, 6)),
            max_depth=draw(st.integers(1, 9)),
            random_state=draw(st.integers(0, 99)),
        ),
        ExtraTreesClassifier(draw(st.integers(1, 5)), random_state=draw(st.integers(0, 99))),
        HistGradientBoostingClassifier(
            max_iter=draw(st.integers(1, 8)),
            min_samples_leaf=2,
            max_leaf_nodes=draw(st.integers(2, 70)),
            categorical_features=draw(st.sampled_from([None, [5]])),
        ),
    ]
    sums = [
        LogisticRegression(C=draw(st.floats(0.01, 10)), max_iter=20),
        GaussianNB(),
        LinearSVC(max_iter=20),
    ]
    if draw(st.booleans()):
        return make_pipeline(
            draw(st.sampled_from([zoo.with_gaps, zoo.ordinal]))(), draw(st.sampled_from(trees))
        )
    option = draw(st.sampled_from(["ignore", "infrequent_if_exist"]))
    before = zoo.hot(
        handle_unknown=option,
        drop=draw(st.sampled_from([None, "first", "if_binary"])),
        min_frequency=draw(st.sampled_from([None, 3, 20])),
    )
    scale = draw(st.sampled_from([zoo.StandardScaler(), zoo.MinMaxScaler(), zoo.RobustScaler()]))
    return make_pipeline(before, scale, draw(st.sampled_from(sums)))


@settings(max_examples=200 if os.environ.get("LOCKGATE_SOAK") else 25)
@given(model=pipelines(), seed=st.integers(0, 1000), target=st.sampled_from(["two", "three"]))
def test_random_pipelines_answer_alike(model: object, seed: int, target: str) -> None:
    frame = zoo.frame_of(150, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(frame, zoo.targets(frame, seed)[target])
    packed = PackedModel(pack_estimator(model, zoo.inputs(frame)).raw)
    assert check_parity(model, packed, frame, rows=300, seed=seed).label_changes == 0


def test_a_model_that_answers_otherwise_is_never_let_out() -> None:
    frame = zoo.frame_of()
    model = zoo.fitted("forest", frame)
    raw = pack_estimator(model, zoo.inputs(frame)).raw
    model[-1].estimators_[0].tree_.threshold[0] += 0.5
    with pytest.raises(lockgate.NotCovered, match="differ from the original"):
        check_parity(model, PackedModel(raw), frame)


def test_numbers_that_are_not_finite_on_the_way_are_refused_as_the_original_does() -> None:
    frame = pd.DataFrame({"p": [1.0, 2, 3, 4, 5, 6], "q": [0.0, 1, 0, 1, 0, 1]})
    model = make_pipeline(
        make_column_transformer((FunctionTransformer(np.log), ["p"]), remainder="passthrough"),
        LogisticRegression(),
    ).fit(frame, [0, 1, 0, 1, 1, 1])
    packed = PackedModel(
        pack_estimator(model, [ColumnInput("p", "number"), ColumnInput("q", "number")]).raw
    )
    assert check_parity(model, packed, frame[["p", "q"]].abs() + 0.5).label_changes == 0
    for bad in (-1.0, 0.0):
        rows = {"p": [1.0, bad, 3.0] * 9, "q": [0.0] * 27}
        for engine in ("rows", "columns"):
            with pytest.raises(lockgate.SchemaViolation, match="not finite .* in row 1"):
                packed.predict(rows, engine=engine)
        with pytest.raises(lockgate.SchemaViolation, match="not finite"):
            packed.predict_one({"p": bad, "q": 0.0})
    forest = RandomForestClassifier(3).fit(frame, [0, 1, 0, 1, 1, 1])
    packed = PackedModel(
        pack_estimator(forest, [ColumnInput("p", "number"), ColumnInput("q", "number")]).raw
    )
    with pytest.raises(lockgate.SchemaViolation, match="too large"):
        packed.predict({"p": [1e39], "q": [0.0]})


def test_a_comparison_that_finds_nan_is_a_failed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = zoo.frame_of(100)
    model = zoo.fitted("linear", frame)
    packed = PackedModel(pack_estimator(model, zoo.inputs(frame)).raw)
    predict = packed.predict

    def predict_nan(rows: Any, **options: Any) -> Output:
        output = predict(rows, **options)
        output.label[-1] = np.nan
        return output

    monkeypatch.setattr(packed, "predict", predict_nan)
    with pytest.raises(lockgate.NotCovered, match="differ from the original.*difference nan"):
        check_parity(model, packed, frame)


def test_differences_that_rounding_explains_are_reported_as_they_are() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 2)), columns=["a", "b"])
    model = SVR(C=1e5, gamma=0.01).fit(frame, frame["a"] ** 2 * 10 + rng.normal(size=300))
    inputs = [ColumnInput(name, "number") for name in frame]
    packed = PackedModel(pack_estimator(model, inputs).raw)
    comparison = check_parity(model, packed, frame)
    theirs, ours = model.predict(frame), packed.predict(frame).label
    largest = float(np.max(np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))))
    assert largest > packed.header.tolerance  # so the case is one
    assert comparison.rounded > 0
    assert comparison.rounded_difference >= largest
    assert comparison.difference <= packed.header.tolerance
    assert f"differ by up to {comparison.rounded_difference:.2g}" in str(comparison)
    assert "large terms cancel" in comparison.warnings()[0]


def test_each_number_of_a_row_is_compared_with_its_own_size() -> None:
    theirs = np.array([[4e6, 0.5, -2.0]])
    bound = np.array([1e-7])
    assert within_rounding(theirs + np.array([[0, 9e-8, 0]]), theirs, 1e-12, bound).all()
    assert within_rounding(theirs + np.array([[2e-6, 0, 0]]), theirs, 1e-12, bound).all()
    assert not within_rounding(theirs + np.array([[0, 2e-7, 0]]), theirs, 1e-12, bound).any()


def test_a_model_with_large_coefficients_is_within_the_rounding_of_its_sums() -> None:
    frame = zoo.frame_of()
    # coefficients of a thousand and more cancel: libsvm's sums are rounded beyond 1e-12
    model = make_pipeline(zoo.scaled(), NuSVC(nu=0.1)).fit(frame, zoo.targets(frame)["two"])
    raw = pack_estimator(model, zoo.inputs(frame)).raw
    assert PackedModel(raw).header.tolerance == 1e-12
    assert check_parity(model, PackedModel(raw), frame).label_changes == 0
    (numbers, *_) = (part for _, part, _ in model[0].transformers_)
    numbers[-1].scale_[0] *= 1 + 1e-6  # what no rounding explains
    with pytest.raises(lockgate.NotCovered, match="allowed: 0 and 1e-12"):
        check_parity(model, PackedModel(raw), frame)


def test_sums_that_cancel_are_compared_by_the_size_of_their_terms() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 8)) * 10 ** rng.uniform(0, 6, 8) + 1e5
    frame = pd.DataFrame(rows, columns=list("abcdefgh"))
    target = (frame["a"] - frame["b"]) * 1e4 + rng.normal(size=500)
    inputs = [ColumnInput(name, "number") for name in frame]
    model = LinearRegression().fit(frame, target - target.mean())
    packed = PackedModel(pack_estimator(model, inputs).raw)
    check_parity(model, packed, frame)
    check_parity(model, packed, frame)
    bound = rounding_bound(packed, frame)
    terms = np.abs(frame.to_numpy() * model.coef_).sum(axis=1) + abs(model.intercept_)
    np.testing.assert_allclose(bound, 256 * np.finfo(float).eps * terms)
    model.intercept_ += 1e-9 * terms.max()
    with pytest.raises(lockgate.NotCovered, match="predictions of the packed model differ"):
        check_parity(model, packed, frame)


def test_many_columns_of_categories_are_learned_of_one_after_the_other() -> None:
    """Each pass over a pipeline may learn the categories of one column only."""
    from lockgate.contract.recipes import Requirements
    from lockgate.contract.sections import CellRules
    from lockgate.data.cell_rules import build_cell_steps
    from lockgate.data.schema import fit_schema, table

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {f"c{k}": rng.choice(list("abcdefgh")[: 3 + k % 4], 400) for k in range(9)}
    )
    made = table(frame.assign(y=rng.choice(["no", "yes"], 400)), target="y")
    schema = fit_schema(made)
    steps = build_cell_steps(schema, CellRules(), Requirements())
    fitted = make_pipeline(*(step for _, step in steps), LogisticRegression()).fit(
        made.frame[list(frame.columns)], made.frame["y"]
    )
    assert pack_estimator(fitted, inputs_of(schema.features)).raw


TWO = [name for name, (_, target) in zoo.MODELS.items() if target == "two"]
TWO = TWO if os.environ.get("LOCKGATE_SOAK") else TWO[::3]


@pytest.mark.parametrize("name", TWO)
def test_either_of_two_classes_is_the_positive_one(name: str) -> None:
    frame = zoo.frame_of(300)
    model = zoo.fitted(name, frame)
    usual = PackedModel(pack_estimator(model, zoo.inputs(frame)).raw)
    other = PackedModel(pack_estimator(model, zoo.inputs(frame), positive="no").raw)
    assert (usual.classes, other.classes) == (("no", "yes"), ("yes", "no"))
    check_parity(model, other, frame, rows=200)
    ours, theirs = usual.predict(frame), other.predict(frame)
    assert ours.label.tolist() == theirs.label.tolist()
    assert (theirs.score is None) == (ours.score is None)
    if ours.score is not None and theirs.score is not None:
        np.testing.assert_allclose(theirs.score, 1 - ours.score, rtol=0, atol=1e-15)
    if ours.margin is not None and theirs.margin is not None:
        np.testing.assert_array_equal(theirs.margin, -ours.margin)
    row = frame.iloc[3].to_dict()
    alone = other.predict_one(row)
    assert (alone.label, alone.score) == (
        theirs.label[3],
        None if theirs.score is None else theirs.score[3],
    )


@pytest.mark.parametrize("target", ["two", "three"])
def test_probabilities_of_the_modified_huber_loss_are_kept(target: str) -> None:
    frame = zoo.frame_of()
    model = make_pipeline(
        zoo.scaled(), SGDClassifier(loss="modified_huber", random_state=0, alpha=0.1)
    ).fit(frame, zoo.targets(frame)[target])
    packed = PackedModel(pack_estimator(model, zoo.inputs(frame)).raw)
    check_parity(model, packed, frame)
    assert packed.predict(frame).score is not None


def test_probabilities_that_a_file_lacks_are_a_refusal() -> None:
    frame = zoo.frame_of()
    model = make_pipeline(zoo.scaled(), SGDClassifier(loss="hinge", random_state=0))
    model.fit(frame, zoo.targets(frame)["two"])
    packed = PackedModel(pack_estimator(model, zoo.inputs(frame)).raw)
    model[-1].loss = "log_loss"
    with pytest.raises(lockgate.NotCovered, match="has probabilities, and the written model"):
        check_parity(model, packed, frame)


@pytest.mark.parametrize(
    "last",
    [
        SVC(kernel="poly"),
        SVC(),
        MLPClassifier((20, 20), max_iter=30, random_state=0),
        LogisticRegression(),
    ],
    ids=lambda last: type(last).__name__ + str(getattr(last, "kernel", "")),
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_rounding_excuses_no_more_than_it_explains(last: Any) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(400, 3)), columns=list("abc"))
    frame["seconds"] = 1.7e9 + rng.uniform(0, 86_400, 400)  # a large mean, a small spread
    target = (frame["a"] + rng.normal(size=400) > 0).astype(int)
    model = make_pipeline(StandardScaler(), last).fit(frame, target)
    packed = PackedModel(pack_estimator(model, [ColumnInput(n, "number") for n in frame]).raw)
    check_parity(model, packed, frame)
    bound = rounding_bound(packed, frame)
    assert bound.max() < 1e-9
    model[0].scale_[0] *= 1.01
    with pytest.raises(lockgate.NotCovered, match="predictions of the packed model differ"):
        check_parity(model, packed, frame)
