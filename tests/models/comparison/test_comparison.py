"""Two bundles on the same rows: what is measured is right, and what differs is named."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LinearRegression, LogisticRegression, QuantileRegressor
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import lockgate
from lockgate.models.comparison.agreement import sign_test
from lockgate.models.comparison.comparison import Comparison


def customers(rows: int, seed: int) -> pd.DataFrame:
    """Customers of two countries; what makes them buy differs in the second."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.normal(45, 12, rows),
            "orders": rng.poisson(3, rows).astype(float),
            "country": rng.choice(["AT", "CH"], rows, p=[0.6, 0.4]),
        }
    )
    signal = np.where(frame["country"] == "CH", frame["orders"] - 3, (frame["age"] - 45) / 12)
    frame["buys"] = np.where(signal + rng.normal(size=rows) > 0, "yes", "no")
    frame["spend"] = 20 + 5 * signal + rng.normal(size=rows)
    return frame


@pytest.fixture(scope="module")
def train() -> pd.DataFrame:
    return customers(3000, 0)


@pytest.fixture(scope="module")
def test() -> pd.DataFrame:
    return customers(3000, 1)


def packed(
    folder: Path,
    model: BaseEstimator,
    rows: pd.DataFrame,
    target: str | None,
    inputs: Sequence[str] = ("age", "orders"),
) -> lockgate.Bundle:
    """A bundle of a model of some columns."""
    columns = list(inputs)
    labels = () if target is None else (rows[target],)
    model.fit(rows[columns], *labels)
    lockgate.pack(model, rows[columns], *labels, name=folder.name, path=folder)
    return lockgate.open(folder)


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory, train: pd.DataFrame
) -> tuple[lockgate.Bundle, lockgate.Bundle]:
    folder = tmp_path_factory.mktemp("pair")
    only_age = packed(folder / "age", LogisticRegression(), train, "buys", inputs=["age"])
    tree = DecisionTreeClassifier(max_depth=5, min_samples_leaf=40)
    return only_age, packed(folder / "both", tree, train, "buys")


@pytest.fixture(scope="module")
def comparison(pair: tuple[lockgate.Bundle, lockgate.Bundle], test: pd.DataFrame) -> Comparison:
    return lockgate.compare(*pair, test)


def test_metrics_are_those_of_scikit_learn(
    comparison: Comparison,
    pair: tuple[lockgate.Bundle, lockgate.Bundle],
    test: pd.DataFrame,
) -> None:
    scores = [bundle.predict_proba(test)[:, 1] for bundle in pair]
    truth = test["buys"] == "yes"
    by_title = {change.title: change for change in comparison.metrics}
    for title, metric in (("ROC AUC", roc_auc_score), ("log loss", log_loss)):
        change = by_title[title]
        first, second = (metric(truth, score) for score in scores)
        assert (change.first, change.second) == pytest.approx((first, second), abs=1e-12)
        assert change.change.estimate == pytest.approx(second - first, abs=1e-12)
    assert by_title["ROC AUC"].higher_is_better
    assert not by_title["log loss"].higher_is_better
    assert comparison.metrics[0].title == "log loss"
    assert [change.decides for change in comparison.metrics][:2] == [True, False]
    assert "prevalence" not in by_title


def test_the_better_one_is_named(comparison: Comparison, pair: Any, test: pd.DataFrame) -> None:
    assert comparison.metrics[0].better == "second"
    assert comparison.verdict.startswith(f"{comparison.second.label} is better: log loss -")
    turned = lockgate.compare(pair[1], pair[0], test)
    assert turned.metrics[0].better == "first"
    assert turned.verdict.startswith(f"{comparison.second.label} is better: log loss +")
    same = lockgate.compare(pair[0], pair[0], test)
    assert same.verdict == "Neither is better beyond chance: log loss 0 (0 to 0)."
    assert same.first.label.endswith("(first)")


def test_intervals_of_differences_hold_the_truth(pair: Any) -> None:
    population = customers(200_000, 99)
    truth = population["buys"] == "yes"
    losses = [log_loss(truth, bundle.predict_proba(population)[:, 1]) for bundle in pair]
    held = 0
    for seed in range(60):
        rows = population.sample(400, random_state=seed)
        change = lockgate.compare(*pair, rows, resamples=120).metrics[0].change
        assert change.low is not None
        assert change.high is not None
        held += change.low <= losses[1] - losses[0] <= change.high
    assert held >= 53  # 57 expected, with a standard deviation of 1.7


def test_rows_are_counted_as_they_are_predicted(
    comparison: Comparison, pair: Any, test: pd.DataFrame
) -> None:
    first, second = (np.asarray(bundle.predict(test).label) for bundle in pair)
    truth = test["buys"].to_numpy()
    agreement = comparison.agreement
    assert agreement is not None
    assert agreement.different == int((first != second).sum())
    assert agreement.first_better == int(((first == truth) & (second != truth)).sum())
    assert agreement.second_better == int(((first != truth) & (second == truth)).sum())
    exact = binomtest(agreement.first_better, agreement.first_better + agreement.second_better)
    assert agreement.p == pytest.approx(exact.pvalue, rel=1e-9)
    rows = comparison.differing
    assert rows is not None
    assert len(rows) == agreement.different
    assert (rows["first"] != rows["second"]).all()
    distance = (rows["first_score"] - rows["second_score"]).abs()
    assert distance.is_monotonic_decreasing
    assert set(test.columns) < set(rows.columns)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 1), (7, 7), (40, 61), (900, 1100)])
def test_the_test_of_signs_is_exact(first: int, second: int) -> None:
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert sign_test(first, second) == pytest.approx(expected, rel=1e-9)


def test_slices_say_where_either_is_better(comparison: Comparison) -> None:
    slices = comparison.slices
    assert slices is not None
    assert slices.loss == "Brier score"
    gains = {(change.column, change.value): change for change in slices.changed}
    swiss = gains["country", "CH"]  # a column that neither takes
    assert swiss.second < swiss.first
    assert swiss.high < 0
    assert swiss.low <= swiss.second - swiss.first <= swiss.high
    assert slices.disagreeing
    assert all(part.disagreement > part.others for part in slices.disagreeing)


def test_numbers_are_compared_by_their_errors(
    tmp_path: Path, train: pd.DataFrame, test: pd.DataFrame
) -> None:
    first = packed(tmp_path / "line", LinearRegression(), train, "spend")
    second = packed(tmp_path / "tree", DecisionTreeRegressor(max_depth=6), train, "spend")
    comparison = lockgate.compare(first, second, test)
    values = [bundle.predict(test).label for bundle in (first, second)]
    errors = [np.abs(value - test["spend"]) for value in values]
    assert comparison.metrics[0].title == "RMSE"
    agreement = comparison.agreement
    assert agreement is not None
    assert agreement.mean_change == pytest.approx(np.abs(values[0] - values[1]).mean())
    assert agreement.second_better == int((errors[1] < errors[0]).sum())
    assert comparison.slices is not None
    assert comparison.slices.loss == "absolute error"


def test_several_targets_are_matched_by_their_names(
    tmp_path: Path, train: pd.DataFrame, test: pd.DataFrame
) -> None:
    bundles = []
    for name, targets in (("a", ["spend", "orders"]), ("b", ["orders", "spend"])):
        model = LinearRegression().fit(train[["age"]], train[targets])
        lockgate.pack(model, train[["age"]], train[targets], name=name, path=tmp_path / name)
        bundles.append(lockgate.open(tmp_path / name))
    comparison = lockgate.compare(*bundles, test)
    agreement = comparison.agreement
    assert agreement is not None
    assert agreement.mean_change == pytest.approx(0, abs=1e-9)
    assert comparison.metrics[0].better is None


def test_clusters_are_matched_by_their_rows(tmp_path: Path, train: pd.DataFrame) -> None:
    bundles = [
        packed(tmp_path / f"seed-{seed}", KMeans(3, n_init=5, random_state=seed), train, None)
        for seed in (0, 1)
    ]
    comparison = lockgate.compare(*bundles, train)
    assert comparison.agreement is not None
    assert comparison.agreement.different < 0.05 * len(train)
    assert comparison.agreement.p is None
    assert comparison.slices is None


def test_anomalies_are_compared_without_a_target(tmp_path: Path, train: pd.DataFrame) -> None:
    bundles = [
        packed(
            tmp_path / f"seed-{seed}",
            IsolationForest(n_estimators=20, random_state=seed),
            train,
            None,
        )
        for seed in (0, 1)
    ]
    comparison = lockgate.compare(*bundles, train)
    assert comparison.agreement is not None
    assert 0 < comparison.agreement.different < len(train)


def test_a_model_without_scores_is_compared_by_its_labels(
    tmp_path: Path, pair: Any, train: pd.DataFrame, test: pd.DataFrame
) -> None:
    labels_alone = packed(tmp_path / "labels", LinearSVC(), train, "buys")
    comparison = lockgate.compare(pair[0], labels_alone, test)
    assert comparison.metrics[0].title == "accuracy"
    assert comparison.differing is not None
    assert "first_score" not in comparison.differing
    assert comparison.slices is not None


def test_decisions_are_valued_alike(
    tmp_path: Path, train: pd.DataFrame, test: pd.DataFrame
) -> None:
    values = lockgate.ValueMatrix(true_positive=10, false_positive=-1)
    first = packed(tmp_path / "a", LogisticRegression(), train, "buys")
    first.manifest = msgspec.structs.replace(first.manifest, value_matrix=values)
    second = packed(tmp_path / "b", DecisionTreeClassifier(max_depth=5), train, "buys")
    comparison = lockgate.compare(first, second, test)
    change = comparison.metrics[0]
    assert change.title == "value per 1,000 rows"
    truth = test["buys"] == "yes"
    for bundle, value in ((first, change.first), (second, change.second)):
        acts = np.asarray(bundle.predict(test).label) == "yes"
        gained = 10 * (acts & truth).sum() - (acts & ~truth).sum()
        assert value == pytest.approx(1000 * gained / len(test))
    assert any("valued as" in note for note in comparison.notes)


@pytest.mark.parametrize("other", ["regression", "quantile", "classes"])
def test_what_means_other_things_is_refused(
    tmp_path: Path, pair: Any, train: pd.DataFrame, test: pd.DataFrame, other: str
) -> None:
    if other == "quantile":
        first = packed(tmp_path / "mean", LinearRegression(), train, "spend")
        model = QuantileRegressor(quantile=0.9, alpha=0)
        second = packed(tmp_path / "high", model, train[:300], "spend")
    elif other == "regression":
        first = pair[0]
        second = packed(tmp_path / "mean", LinearRegression(), train, "spend")
    else:
        first = pair[0]
        renamed = train.assign(sells=train["buys"])
        second = packed(tmp_path / "sells", LogisticRegression(), renamed, "sells")
    with pytest.raises(lockgate.UsageError, match="cannot be compared"):
        lockgate.compare(first, second, test)


def test_mistakes_are_said(pair: Any, test: pd.DataFrame) -> None:
    with pytest.raises(lockgate.SchemaViolation, match="target column buys is missing"):
        lockgate.compare(*pair, test.drop(columns="buys"))
    with pytest.raises(lockgate.SchemaViolation, match="orders"):
        lockgate.compare(*pair, test.drop(columns="orders"))
    unknown = test.assign(buys=["maybe", *test["buys"][1:]])
    with pytest.raises(lockgate.SchemaViolation, match="maybe"):
        lockgate.compare(*pair, unknown)
    few = lockgate.compare(*pair, test[:30])
    assert few.slices is not None
    assert few.slices.compared == 0


def test_without_rows_what_was_reported_is_shown(pair: Any) -> None:
    comparison = lockgate.compare(*pair)
    assert comparison.rows == 0
    assert comparison.verdict.startswith("Not compared on the same rows")
    assert all(change.better is None for change in comparison.metrics)


def test_nothing_in_the_page_is_live(
    tmp_path: Path, train: pd.DataFrame, test: pd.DataFrame
) -> None:
    hostile = "<script>alert(1)</script>"
    rows = train.rename(columns={"age": hostile}).assign(country=f"<img src=x>{hostile}")
    bundles = [
        packed(tmp_path / name, model, rows, "buys", inputs=[hostile, "orders"])
        for name, model in (
            ("a", LogisticRegression()),
            ("b", DecisionTreeClassifier(max_depth=4)),
        )
    ]
    renamed = test.rename(columns={"age": hostile}).assign(country=f"<img src=x>{hostile}")
    comparison = lockgate.compare(*bundles, renamed)
    page = comparison.html_page()
    assert "<script" not in page
    assert "<img" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert comparison._repr_html_() in page
    assert page.count("<svg") >= len(comparison.metrics)


def test_differences_of_bundles_are_listed(comparison: Comparison) -> None:
    subjects = {entry.subject: (entry.first, entry.second) for entry in comparison.differences}
    assert subjects["input orders"] == ("", "number")
    assert "training data" in subjects


def test_models_fitted_on_other_rows_are_noted(
    tmp_path: Path, pair: Any, train: pd.DataFrame, test: pd.DataFrame
) -> None:
    other = packed(tmp_path / "other", DecisionTreeClassifier(), train[:500], "buys")
    assert any(
        "training tables differ" in note for note in lockgate.compare(pair[1], other, test).notes
    )


def test_a_model_without_scores_is_compared_by_the_same_loss(
    tmp_path: Path, train: pd.DataFrame, test: pd.DataFrame
) -> None:
    scores = packed(tmp_path / "scores", LogisticRegression(), train, "buys")
    labels = packed(tmp_path / "labels", LinearSVC(), train, "buys")
    slices = lockgate.compare(scores, labels, test).slices
    assert slices is not None
    assert slices.loss == "error rate"
    assert not slices.changed


def test_rounding_is_no_difference(tmp_path: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    first = packed(tmp_path / "a", LinearRegression(), train, "spend", ["age", "orders"])
    second = packed(tmp_path / "b", LinearRegression(), train, "spend", ["orders", "age"])
    comparison = lockgate.compare(first, second, test)
    assert comparison.agreement is not None
    assert comparison.agreement.different == 0
    assert comparison.verdict == "Neither is better beyond chance: RMSE 0 (0 to 0)."
    assert comparison.slices is not None
    assert not comparison.slices.changed
    assert not comparison.slices.disagreeing
    shifted = train.assign(spend=train["spend"] + 0.1)
    third = packed(tmp_path / "c", LinearRegression(), shifted, "spend", ["age", "orders"])
    slices = lockgate.compare(first, third, test).slices
    assert slices is not None
    assert not slices.disagreeing  # by the same everywhere


def test_few_rows_have_no_verdict(pair: Any, test: pd.DataFrame) -> None:
    comparison = lockgate.compare(*pair, test[:19])
    assert comparison.verdict.startswith("The rows are too few to say which of the two is better")
    assert all(change.better is None for change in comparison.metrics)


def test_the_order_of_rows_hardly_moves_an_interval(pair: Any, test: pd.DataFrame) -> None:
    ends = []
    for seed in range(4):
        change = lockgate.compare(*pair, test[:600].sample(frac=1, random_state=seed)).metrics[0]
        assert change.change.low is not None
        ends.append(change.change.low)
    width = abs(change.change.estimate - np.mean(ends))
    assert np.ptp(ends) < 0.15 * width


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ((0, 1), ("False", "True"), "its classes are"),
        (("b", "a"), ("a", "b"), None),
        ((0, 1), ("0", "1"), None),
        ((False, True), (0, 1), None),
    ],
)
def test_labels_are_matched_by_value_or_text(
    tmp_path: Path,
    train: pd.DataFrame,
    test: pd.DataFrame,
    first: tuple[Any, Any],
    second: tuple[Any, Any],
    message: str | None,
) -> None:
    bundles = []
    for name, labels in (("a", first), ("b", second)):
        rows = train.assign(buys=np.where(train["buys"] == "yes", labels[1], labels[0]))
        rows["buys"] = [labels[int(answer == "yes")] for answer in train["buys"]]
        bundles.append(packed(tmp_path / name, LogisticRegression(), rows, "buys"))
    rows = test.assign(buys=[second[int(answer == "yes")] for answer in test["buys"]])
    for pair in (bundles, bundles[::-1]):
        if message is not None:
            with pytest.raises(lockgate.UsageError, match=message):
                lockgate.compare(*pair, rows)
            continue
        agreement = lockgate.compare(*pair, rows).agreement
        assert agreement is not None
        expected = len(rows) if first == ("b", "a") else 0
        assert agreement.different in (0, expected)


def test_a_positive_class_that_is_the_other_is_refused_whatever_its_type(
    tmp_path: Path, train: pd.DataFrame, test: pd.DataFrame
) -> None:
    bundles = []
    for name, labels, positive in (("a", (0, 1), 1), ("b", ("0", "1"), "0")):
        columns = train[["age", "orders"]]
        target = pd.Series([labels[int(answer == "yes")] for answer in train["buys"]], name="buys")
        model = LogisticRegression().fit(columns, target)
        lockgate.pack(model, columns, target, positive=positive, path=tmp_path / name)
        bundles.append(lockgate.open(tmp_path / name))
    with pytest.raises(lockgate.UsageError, match="the positive class is"):
        lockgate.compare(*bundles, test)


def test_a_metric_that_is_not_resampled_has_no_interval(
    tmp_path: Path, train: pd.DataFrame
) -> None:
    bundles = [
        packed(tmp_path / f"of-{k}", KMeans(k, n_init=3, random_state=0), train, None)
        for k in (3, 5)
    ]
    by_title = {change.title: change for change in lockgate.compare(*bundles, train).metrics}
    index = by_title["Davies-Bouldin index"]
    assert (index.change.low, index.better) == (None, None)


def test_columns_of_the_rows_keep_their_cells(pair: Any, test: pd.DataFrame) -> None:
    rows = test.assign(first="mine", second_score=7)
    differing = lockgate.compare(*pair, rows).differing
    assert differing is not None
    assert set(differing["first"]) == {"mine"}
    assert set(differing["first_"]) <= {"yes", "no"}
    assert set(differing["second_score"]) == {7}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.assign(spend=np.inf), "infinite"),
        (lambda rows: pd.concat([rows, rows[["country"]]], axis=1), "twice"),
        (lambda rows: pd.concat([rows, rows[["spend"]]], axis=1), "twice"),
    ],
)
def test_rows_that_cannot_be_measured_are_refused(
    tmp_path: Path, train: pd.DataFrame, test: pd.DataFrame, change: Any, message: str
) -> None:
    bundle = packed(tmp_path / "line", LinearRegression(), train, "spend")
    with pytest.raises(lockgate.SchemaViolation, match=message):
        lockgate.compare(bundle, bundle, change(test))


def test_odd_columns_are_no_hindrance(pair: Any, test: pd.DataFrame) -> None:
    rows = test.assign(complex=1j)
    rows[5] = np.arange(len(rows)) % 3
    assert lockgate.compare(*pair, rows).slices is not None


@pytest.mark.parametrize(
    "weight", [[1.0, np.nan], [1.0, np.inf], [1.0, -1.0], [0.0, 0.0], ["a", "b"]]
)
def test_weights_that_are_none_are_refused(
    pair: Any, test: pd.DataFrame, weight: list[Any]
) -> None:
    first, second = (lockgate.open(bundle.path) for bundle in pair)
    schema = dataclasses.replace(
        second.manifest.schema,
        columns=(*second.manifest.schema.columns, lockgate.Column("w", "number")),
        weight="w",
    )
    second.manifest = msgspec.structs.replace(second.manifest, schema=schema)
    rows = test.assign(w=(weight * len(test))[: len(test)])
    with pytest.raises(lockgate.SchemaViolation, match="weight column w"):
        lockgate.compare(first, second, rows)


def test_a_slice_that_weighs_nothing_is_left_out(pair: Any, test: pd.DataFrame) -> None:
    first, second = (lockgate.open(bundle.path) for bundle in pair)
    schema = dataclasses.replace(
        second.manifest.schema,
        columns=(*second.manifest.schema.columns, lockgate.Column("w", "number")),
        weight="w",
    )
    second.manifest = msgspec.structs.replace(second.manifest, schema=schema)
    rows = test.assign(w=(test["country"] == "AT").astype(float))
    slices = lockgate.compare(first, second, rows).slices
    assert slices is not None
    assert slices.compared > 0
    assert not {"AT", "CH"} & {change.value for change in slices.changed}


def test_quantiles_are_compared_by_their_own_loss(
    tmp_path: Path, train: pd.DataFrame, test: pd.DataFrame
) -> None:
    columns, target = train[["age", "orders"]][:600], train["spend"][:600]
    bundles = []
    for name, quantile in (("high", 0.9), ("median", 0.5)):
        model = QuantileRegressor(quantile=quantile, alpha=0).fit(columns, target)
        lockgate.pack(model, columns, target, name=name, path=tmp_path / name)
        bundle = lockgate.open(tmp_path / name)
        # both say that they predict the 0.9 quantile, which one of them does
        bundle.manifest = msgspec.structs.replace(bundle.manifest, quantile=0.9)
        bundles.append(bundle)
    comparison = lockgate.compare(*bundles, test)
    agreement = comparison.agreement
    assert agreement is not None
    truth = test["spend"].to_numpy()
    errors = [truth - np.asarray(bundle.predict(test).label) for bundle in bundles]
    losses = [np.maximum(0.9 * error, -0.1 * error) for error in errors]
    assert agreement.first_better == int((losses[0] < losses[1]).sum())
    assert comparison.metrics[0].better == "first"


def test_groups_count_as_a_whole_in_the_test_of_signs(pair: Any, test: pd.DataFrame) -> None:
    repeated = test[:60].loc[np.repeat(np.arange(60), 20)].reset_index(drop=True)
    repeated["customer"] = np.repeat(np.arange(60), 20)
    alone = lockgate.compare(*pair, repeated).agreement
    second = lockgate.open(pair[1].path)
    schema = dataclasses.replace(
        second.manifest.schema,
        columns=(*second.manifest.schema.columns, lockgate.Column("customer", "integer")),
        group="customer",
    )
    second.manifest = msgspec.structs.replace(second.manifest, schema=schema)
    comparison = lockgate.compare(pair[0], second, repeated)
    few = lockgate.compare(*pair, test[:60]).agreement
    assert comparison.agreement is not None
    assert alone is not None
    assert few is not None
    assert alone.p is not None
    assert comparison.agreement.p is not None
    assert few.p is not None
    assert alone.p < 0.05  # as if each copy of a row were another
    assert few.p > 0.5
    assert comparison.agreement.p == pytest.approx(few.p, abs=0.15)
    assert any("weights and groups" in note for note in comparison.notes)


def test_targets_count_in_units_of_their_own(
    tmp_path: Path, train: pd.DataFrame, test: pd.DataFrame
) -> None:
    found = []
    for name, unit in (("small", 1.0), ("large", 1e6)):
        frames = [rows.assign(orders=rows["orders"] * unit) for rows in (train, test)]
        bundles = []
        for model, inputs in (("a", ["age"]), ("b", ["country"])):
            columns = pd.get_dummies(frames[0][inputs], dtype=float)
            fitted = LinearRegression().fit(columns, frames[0][["spend", "orders"]])
            folder = tmp_path / f"{name}-{model}"
            lockgate.pack(fitted, columns, frames[0][["spend", "orders"]], path=folder)
            bundles.append(lockgate.open(folder))
        rows = pd.concat([frames[1], pd.get_dummies(frames[1][["country"]], dtype=float)], axis=1)
        found.append(lockgate.compare(*bundles, rows).agreement)
    assert found[0].first_better == found[1].first_better
    assert found[0].mean_change == pytest.approx(found[1].mean_change)


def test_known_values_are_compared_by_themselves(tmp_path: Path, train: pd.DataFrame) -> None:
    bundles = []
    for name, countries in (("a", ["AT", "CH"]), ("b", ["AT", "DE"])):
        rows = train.assign(country=np.where(train["country"] == "AT", *countries))
        model = make_pipeline(
            make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["country"])),
            LogisticRegression(),
        )
        bundles.append(packed(tmp_path / name, model, rows, "buys", ["country"]))
    comparison = lockgate.compare(*bundles)
    subjects = {entry.subject: (entry.first, entry.second) for entry in comparison.differences}
    assert subjects["input country, values known to one alone"] == ("CH", "DE")


def test_what_cannot_be_resampled_is_refused(pair: Any, test: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(lockgate.UsageError, match="expected at least 1"):
        lockgate.compare(*pair, test, resamples=0)
    bundle = packed(tmp_path / "clusters", KMeans(2, n_init=2), test, None)
    with pytest.raises(lockgate.DataError, match="empty"):
        lockgate.compare(bundle, bundle, test[:0])


def test_no_metric_decides_without_a_target(tmp_path: Path, train: pd.DataFrame) -> None:
    bundles = [
        packed(tmp_path / f"of-{k}", KMeans(k, n_init=3, random_state=0), train, None)
        for k in (2, 4)
    ]
    assert lockgate.compare(*bundles, train).verdict == (
        "No metric says which of the two is better."
    )
