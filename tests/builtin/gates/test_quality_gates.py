"""The gates `bound`, `no-worse`, `fairness` and `today`: what a bundle can do, and to whom."""

from __future__ import annotations

import copy
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import lockgate
from lockgate.builtin.evaluators.business import Business
from lockgate.builtin.gates.bound import Bound
from lockgate.builtin.gates.fairness import Fairness
from lockgate.builtin.gates.no_worse import NoWorse
from lockgate.builtin.gates.today import DataDrift
from lockgate.models.bundle.evaluation import predict_and_evaluate
from lockgate.models.bundle.labelled_rows import table_of
from lockgate.models.bundle.open import Bundle
from tests.builtin.gates.cases import case, contestant
from tests.builtin.gates.conftest import INPUTS

Bundles = dict[str, Bundle]


def test_bound_compares_what_was_measured_on_the_rows(bundles: Bundles, rows: pd.DataFrame) -> None:
    request = case(bundles["good"], rows=rows)
    expected = roc_auc_score(rows["benign"], bundles["good"].predict(rows[INPUTS]).score)
    ruling = Bound(metric="classification.roc_auc", at_least=0.95).judge(request)
    assert ruling.passed is True
    assert ruling.metrics == {"classification.roc_auc": pytest.approx(expected, abs=1e-12)}
    assert f"{expected:.4g}" in ruling.message
    assert "0.95" in ruling.message
    assert not ruling.nondeterministic
    ruling = Bound(metric="classification.roc_auc", at_least=0.98).judge(request)
    assert ruling.passed is False
    assert ruling.metrics == {"classification.roc_auc": pytest.approx(expected, abs=1e-12)}


def test_bound_takes_the_limits_themselves_in(bundles: Bundles, rows: pd.DataFrame) -> None:
    request = case(bundles["good"], rows=rows)
    loss = request.candidate.metrics["classification"]["log_loss"].estimate
    figure = "classification.log_loss"
    assert Bound(metric=figure, at_most=loss, at_least=loss).judge(request).passed is True
    assert Bound(metric=figure, at_most=math.nextafter(loss, 0)).judge(request).passed is False
    assert Bound(metric=figure, at_least=math.nextafter(loss, 1)).judge(request).passed is False


def test_bound_without_rows_takes_what_the_bundle_promises(bundles: Bundles) -> None:
    request = case(bundles["good"])
    promised = bundles["good"].metrics()["classification"]["accuracy"]["estimate"]
    gate = Bound(metric="classification.accuracy", at_least=promised)
    ruling = gate.judge(request)
    assert (ruling.passed, ruling.metrics) == (True, {"classification.accuracy": promised})
    # what is promised has no interval here, so that the estimate is compared
    certain = Bound(metric="classification.accuracy", at_least=promised, use_interval=True)
    ruling = certain.judge(request)
    assert ruling.passed is True
    assert "interval" in ruling.message


def test_bound_may_ask_for_the_whole_interval(bundles: Bundles, rows: pd.DataFrame) -> None:
    request = case(bundles["good"], rows=rows)
    metric = request.candidate.metrics["classification"]["roc_auc"]
    assert metric.low is not None
    assert metric.high is not None
    figure, low_side = "classification.roc_auc", (metric.low + metric.estimate) / 2
    high_side = (metric.high + metric.estimate) / 2
    for limits in ({"at_least": low_side}, {"at_most": high_side}):
        assert Bound(metric=figure, **limits).judge(request).passed is True
        assert Bound(metric=figure, use_interval=True, **limits).judge(request).passed is False
    limits = {"at_least": metric.low, "at_most": metric.high}
    assert Bound(metric=figure, use_interval=True, **limits).judge(request).passed is True


def test_bound_needs_a_limit(bundles: Bundles) -> None:
    with pytest.raises(lockgate.UsageError, match="at_least, at_most, or both"):
        Bound(metric="classification.roc_auc").judge(case(bundles["good"]))


def test_bound_names_the_figures_that_there_are(bundles: Bundles) -> None:
    gate = Bound(metric="classification.auc", at_least=0.5)
    with pytest.raises(lockgate.UsageError, match=r"classification\.auc.*classification\.roc_auc"):
        gate.judge(case(bundles["good"]))


def test_bound_does_not_fall_back_on_promises_where_rows_were_given(
    bundles: Bundles, rows: pd.DataFrame
) -> None:
    unmeasured = contestant(
        bundles["good"], "1.1.0", not_measured_because="target column x is missing"
    )
    request = lockgate.JudgeRequest(candidate=unmeasured, rows=rows)
    gate = Bound(metric="classification.roc_auc", at_least=0.5)
    with pytest.raises(lockgate.DataError, match="target column x is missing"):
        gate.judge(request)


def test_no_worse_has_nothing_to_say_without_an_incumbent(
    bundles: Bundles, rows: pd.DataFrame
) -> None:
    ruling = NoWorse().judge(case(bundles["bad"], rows=rows, stage="canary"))
    assert (ruling.passed, ruling.metrics) == (None, {})
    assert "canary" in ruling.message


def test_no_worse_lets_the_same_and_the_better_in(bundles: Bundles, rows: pd.DataFrame) -> None:
    ruling = NoWorse(margin=0).judge(case(bundles["good"], bundles["good"], rows))
    assert (ruling.passed, ruling.metrics) == (True, {"difference": 0.0})
    ruling = NoWorse(margin=0).judge(case(bundles["good"], bundles["bad"], rows))
    assert ruling.passed is True
    assert ruling.metrics["difference"] > 0.3
    assert "higher is better, so this is a gain" in ruling.message


@pytest.mark.parametrize("figure", ["roc_auc", "log_loss"])
def test_no_worse_gives_no_sign_to_no_difference(
    figure: str, bundles: Bundles, rows: pd.DataFrame
) -> None:
    ruling = NoWorse(metric=figure).judge(case(bundles["good"], bundles["good"], rows))
    assert f"{figure} is unchanged (95 % interval: 0 to 0)" in ruling.message
    assert not re.search("[+-]0|gain|this is a loss", ruling.message)


def test_no_worse_refuses_the_worse_and_says_by_how_much(
    bundles: Bundles, rows: pd.DataFrame
) -> None:
    ruling = NoWorse().judge(case(bundles["bad"], bundles["good"], rows))
    scores = [bundles[name].predict(rows[INPUTS]).score for name in ("bad", "good")]
    new, old = (roc_auc_score(rows["benign"], score) for score in scores)
    assert ruling.passed is False
    assert ruling.metrics == {"difference": pytest.approx(new - old, abs=1e-12)}
    assert "1.0.0" in ruling.message
    assert f"{new - old:+.3g}" in ruling.message
    assert "284 rows" in ruling.message
    # the tolerance is in the figure's unit
    assert NoWorse(margin=0.6).judge(case(bundles["bad"], bundles["good"], rows)).passed is True


def test_no_worse_turns_figures_of_which_less_is_better(
    bundles: Bundles, rows: pd.DataFrame
) -> None:
    scores = [bundles[name].predict(rows[INPUTS]).score for name in ("near", "good")]
    new, old = (log_loss(rows["benign"], score) for score in scores)
    assert new > old + 0.05
    for figure in ("log_loss", "classification.log_loss"):
        ruling = NoWorse(metric=figure).judge(case(bundles["near"], bundles["good"], rows))
        assert ruling.passed is False
        assert ruling.metrics == {"difference": pytest.approx(old - new, abs=1e-9)}
        ruling = NoWorse(metric=figure).judge(case(bundles["good"], bundles["near"], rows))
        assert ruling.passed is True
        assert "lower is better, so this is a gain" in ruling.message
        assert f"{figure} changes by {old - new:+.3g} " in ruling.message
    turned = NoWorse(metric="log_loss", direction="higher")
    assert turned.judge(case(bundles["near"], bundles["good"], rows)).passed is True


def test_no_worse_asks_for_the_whole_interval_unless_told_otherwise(
    bundles: Bundles, rows: pd.DataFrame
) -> None:
    request = case(bundles["good"], bundles["near"], rows)
    sure = NoWorse(margin=0).judge(request)
    guess = NoWorse(margin=0, use_interval=False).judge(request)
    assert sure.metrics == guess.metrics
    assert 0 < sure.metrics["difference"] < 0.005
    assert (sure.passed, guess.passed) == (False, True)
    assert "more rows" in sure.message
    assert "more rows" not in guess.message
    assert NoWorse(margin=0.01).judge(request).passed is True


def test_no_worse_says_the_same_for_the_same_seed(bundles: Bundles, rows: pd.DataFrame) -> None:
    request = case(bundles["near"], bundles["good"], rows)
    first, again, other = (
        NoWorse().judge(replace(request, seed=seed)).message for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other


def test_no_worse_needs_enough_rows(bundles: Bundles, rows: pd.DataFrame) -> None:
    few = rows[:40]
    ruling = NoWorse().judge(case(bundles["good"], bundles["bad"], few))
    assert (ruling.passed, ruling.metrics) == (False, {})
    assert "40 rows" in ruling.message
    assert "50" in ruling.message
    ruling = NoWorse(min_rows=40).judge(case(bundles["good"], bundles["bad"], few))
    assert (ruling.passed, ruling.metrics) == (False, {})
    assert "13 rows of a class are too few to compare; required: 20" in ruling.message
    lenient = NoWorse(min_rows=40, min_per_class=10)
    assert lenient.judge(case(bundles["good"], bundles["bad"], few)).passed is True


def test_no_worse_refuses_what_was_not_measured(bundles: Bundles) -> None:
    with pytest.raises(lockgate.NotMeasured, match="no rows were given"):
        NoWorse().judge(case(bundles["good"], bundles["good"]))


def test_no_worse_compares_no_two_tasks(bundles: Bundles, rows: pd.DataFrame) -> None:
    iris = contestant(bundles["iris"], "2.0.0", not_measured_because="")
    old = contestant(bundles["good"], "1.0.0", rows)
    ruling = NoWorse().judge(lockgate.JudgeRequest(candidate=iris, incumbent=old, rows=rows))
    assert ruling.passed is False
    assert "multiclass" in ruling.message
    assert "binary" in ruling.message


def test_no_worse_compares_no_two_positive_classes(bundles: Bundles, rows: pd.DataFrame) -> None:
    request = case(bundles["good"], bundles["near"], rows)
    exchanged = replace(request.incumbent, classes=request.incumbent.classes[::-1])
    ruling = NoWorse(metric="recall").judge(replace(request, incumbent=exchanged))
    assert ruling.passed is False
    assert "not comparable: the positive class is 1, that of 1.0.0 is 0" in ruling.message


def test_an_incumbent_without_values_of_decisions_takes_the_candidates(
    bundles: Bundles, rows: pd.DataFrame
) -> None:
    matrix = lockgate.ValueMatrix(true_positive=10, false_positive=-1)
    table = table_of(bundles["near"], rows)
    chosen = {"business": Business()}
    measured = predict_and_evaluate(bundles["near"], table, chosen, rows, matrix)[1]
    assert measured["business"]["per_1000"].estimate > 0
    with pytest.raises(lockgate.LockgateError, match="needs a value matrix"):
        predict_and_evaluate(bundles["near"], table, chosen, rows)


def test_no_worse_cannot_rank_rows_of_a_single_class(bundles: Bundles, rows: pd.DataFrame) -> None:
    benign = rows[rows["benign"] == 1].reset_index(drop=True)
    ruling = NoWorse().judge(case(bundles["good"], bundles["near"], benign))
    assert ruling.passed is False
    assert "0 rows of a class are too few to compare" in ruling.message
    accuracy = NoWorse(metric="accuracy", margin=0.2)
    assert accuracy.judge(case(bundles["good"], bundles["near"], benign)).passed is True


@pytest.mark.parametrize("name", ["iris", "sugar"])
def test_no_worse_measures_each_task_by_its_usual_figure(name: str, bundles: Bundles) -> None:
    from sklearn.datasets import load_diabetes, load_iris

    load, score = (load_iris, accuracy_score) if name == "iris" else (load_diabetes, r2_score)
    frame, target = load(return_X_y=True, as_frame=True)
    rows = frame.assign(target=target)
    request = case(bundles[name], bundles[name], rows)
    assert NoWorse(margin=0).judge(request).metrics == {"difference": 0.0}
    # an incumbent that always gave one answer
    assert request.incumbent is not None
    assert request.incumbent.output is not None
    label = np.full_like(request.incumbent.output.label, target.iloc[0])
    flat = replace(request.incumbent, output=replace(request.incumbent.output, label=label))
    ruling = NoWorse().judge(replace(request, incumbent=flat))
    difference = score(target, bundles[name].predict(frame).label) - score(target, label)
    assert ruling.passed is True
    assert ruling.metrics == {"difference": pytest.approx(difference, abs=1e-9)}


def test_no_worse_must_be_told_which_way_an_unknown_figure_is_better(
    bundles: Bundles, rows: pd.DataFrame
) -> None:
    request = case(bundles["good"], bundles["near"], rows)
    assert request.incumbent is not None
    new, old = (
        replace(side, metrics={"team": {"reach": lockgate.Metric(value, value - 1, value + 1)}})
        for side, value in ((request.candidate, 12.0), (request.incumbent, 10.0))
    )
    request = replace(request, candidate=new, incumbent=old)
    with pytest.raises(lockgate.UsageError, match="direction=higher or lower"):
        NoWorse(metric="team.reach").judge(request)
    for better, difference in (("higher", 2.0), ("lower", -2.0)):
        ruling = NoWorse(metric="team.reach", direction=better, margin=0.1).judge(request)
        assert ruling.metrics == {"difference": difference}
        assert ruling.passed is (better == "higher")
    # two intervals of half-width 1 leave a difference with a half-width of the root of 2
    assert NoWorse(metric="team.reach", direction="lower", margin=3.5).judge(request).passed is True
    assert (
        NoWorse(metric="team.reach", direction="lower", margin=3.4).judge(request).passed is False
    )
    with pytest.raises(lockgate.UsageError, match=r"team\.depth.*team\.reach"):
        NoWorse(metric="team.depth", direction="higher").judge(request)


def test_no_worse_names_the_figures_that_there_are(bundles: Bundles, rows: pd.DataFrame) -> None:
    gate = NoWorse(metric="r2")
    with pytest.raises(lockgate.UsageError, match="unknown metric 'r2'; available: .*roc_auc"):
        gate.judge(case(bundles["good"], bundles["near"], rows))


def rates(rows: pd.DataFrame, bundle: Bundle, counted: pd.Series) -> dict[str, float]:
    """How often each clinic's rows that count are answered with the second class."""
    positive = pd.Series(bundle.predict(rows[INPUTS]).label == 1)
    return positive[counted].groupby(rows["clinic"][counted]).mean().to_dict()


@pytest.mark.parametrize("measure", ["selection", "true_positive", "false_positive"])
def test_fairness_compares_rates_of_groups(
    measure: str, bundles: Bundles, rows: pd.DataFrame
) -> None:
    counted = {
        "selection": pd.Series(True, rows.index),
        "true_positive": rows["benign"] == 1,
        "false_positive": rows["benign"] == 0,
    }
    shares = rates(rows, bundles["good"], counted[measure])
    gap = abs(shares["north"] - shares["south"])
    request = case(bundles["good"], rows=rows)
    ruling = Fairness(column="clinic", rate=measure, at_most=gap).judge(request)
    assert ruling.passed is True
    assert ruling.metrics == {"gap": pytest.approx(gap, abs=1e-12)}
    for clinic in ("north", "south"):
        assert f"{shares[clinic]:.1%}" in ruling.message
    ruling = Fairness(column="clinic", rate=measure, at_most=gap - 1e-9).judge(request)
    assert ruling.passed is False
    assert ruling.metrics == {"gap": pytest.approx(gap, abs=1e-12)}


def test_fairness_leaves_small_groups_out(bundles: Bundles, rows: pd.DataFrame) -> None:
    rows = rows.assign(clinic=np.where(rows.index < 30, "new", rows["clinic"]))
    request = case(bundles["good"], rows=rows)
    gate = Fairness(column="clinic", rate="selection", at_most=1.0)
    assert "new" in gate.judge(request).message
    assert "new" not in replace(gate, min_rows=31).judge(request).message
    ruling = replace(gate, min_rows=200).judge(request)
    assert (ruling.passed, ruling.metrics) == (False, {})
    assert "two groups" in ruling.message


def test_rows_without_a_group_are_a_group(bundles: Bundles, rows: pd.DataFrame) -> None:
    clinic = rows["clinic"].astype(object).where(rows.index % 5 > 0, None)
    for gaps in (clinic, clinic.where(clinic.notna(), np.nan), clinic.astype("category")):
        request = case(bundles["good"], rows=rows.assign(clinic=gaps))
        ruling = Fairness(column="clinic", rate="selection", at_most=1.0, min_rows=1).judge(request)
        assert ruling.passed is True
    numbers = case(bundles["good"], rows=rows.assign(clinic=np.where(rows.index % 2, np.nan, 7.0)))
    ruling = Fairness(column="clinic", rate="selection", at_most=1.0).judge(numbers)
    assert "clinic (missing)" in ruling.message


def test_fairness_needs_a_column_rows_and_two_classes(bundles: Bundles, rows: pd.DataFrame) -> None:
    gate = Fairness(column="region")
    with pytest.raises(lockgate.UsageError, match="'region'.*clinic"):
        gate.judge(case(bundles["good"], rows=rows))
    with pytest.raises(lockgate.NotMeasured, match="no rows were given"):
        gate.judge(case(bundles["good"]))
    with pytest.raises(lockgate.NotApplicable, match="multiclass"):
        gate.judge(case(bundles["iris"]))
    with pytest.raises(lockgate.NotApplicable, match="regression"):
        gate.judge(case(bundles["sugar"]))


def test_today_passes_rows_like_those_of_training(bundles: Bundles, rows: pd.DataFrame) -> None:
    ruling = DataDrift().judge(case(bundles["good"], today=rows))
    assert (ruling.passed, ruling.metrics) == (True, {"drifted": 0.0})
    assert "284 rows" in ruling.message


def test_today_counts_and_names_columns_that_drifted(bundles: Bundles, rows: pd.DataFrame) -> None:
    moved = rows.assign(**{name: rows[name] * 2 for name in INPUTS[:2]})
    request = case(bundles["good"], today=moved)
    ruling = DataDrift().judge(request)
    assert (ruling.passed, ruling.metrics) == (False, {"drifted": 2.0})
    assert all((name in ruling.message) is (name in INPUTS[:2]) for name in INPUTS)
    assert DataDrift(max_drifted=1).judge(request).passed is False
    assert DataDrift(max_drifted=2).judge(request).passed is True
    # no share of rows moved by more than the whole of them
    assert DataDrift(effect=1.0).judge(request).metrics == {"drifted": 0.0}


def test_today_needs_enough_rows_that_the_model_could_take(
    bundles: Bundles, rows: pd.DataFrame
) -> None:
    ruling = DataDrift().judge(case(bundles["good"], rows=rows))
    assert (ruling.passed, ruling.metrics) == (False, {})
    assert "--today" in ruling.message
    ruling = DataDrift().judge(case(bundles["good"], today=rows[:99]))
    assert (ruling.passed, ruling.metrics) == (False, {})
    assert "99" in ruling.message
    assert DataDrift(min_rows=99).judge(case(bundles["good"], today=rows[:99])).metrics
    with pytest.raises(lockgate.SchemaViolation, match="mean radius"):
        DataDrift().judge(case(bundles["good"], today=rows.drop(columns="mean radius")))


def test_models_that_give_labels_alone_are_compared_by_labels(
    bundles: Bundles, rows: pd.DataFrame, tmp_path: Path
) -> None:
    X, y = rows[INPUTS], rows["benign"]
    versions = {}
    for name, weights in (("good", None), ("collapsed", {y.min(): 1, y.max(): 1000})):
        model = make_pipeline(StandardScaler(), LinearSVC(class_weight=weights)).fit(X, y)
        versions[name] = lockgate.pack(model, X, y, path=tmp_path / name)
    ruling = NoWorse().judge(case(versions["collapsed"], versions["good"], rows))
    assert ruling.passed is False  # their margins order the rows alike
    assert ruling.message.startswith("accuracy changes by -")
    assert NoWorse().judge(case(versions["good"], versions["good"], rows)).passed is True
    assert NoWorse().judge(case(bundles["good"], bundles["good"], rows)).message[:7] == "roc_auc"


def test_no_worse_refuses_clusters_that_are_only_renumbered(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    rows = pd.DataFrame(
        {"a": draw.normal(size=300) + 6 * draw.integers(0, 3, 300), "b": draw.normal(size=300)}
    )
    model = KMeans(3, n_init=3, random_state=0).fit(rows)
    renumbered = copy.deepcopy(model)
    renumbered.cluster_centers_ = model.cluster_centers_[[1, 2, 0]]
    before = lockgate.pack(model, rows, path=tmp_path / "before")
    after = lockgate.pack(renumbered, rows, path=tmp_path / "after")
    assert NoWorse().judge(case(before, before, rows)).passed is True
    ruling = NoWorse().judge(case(after, before, rows))
    assert ruling.passed is False
    assert "clusters have other numbers than in 1.0.0: 100% of rows" in ruling.message
    assert "0% if they were matched" in ruling.message


def test_no_worse_compares_no_two_quantiles(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    X = pd.DataFrame({"size": draw.uniform(1, 10, 400)})
    y = pd.Series(X["size"] * draw.gamma(2.0, 1.0, 400), name="orders")
    bundles = {
        quantile: lockgate.pack(
            HistGradientBoostingRegressor(max_iter=5, **options).fit(X, y),
            X,
            y,
            path=tmp_path / str(quantile),
        )
        for quantile, options in (
            (None, {}),
            (0.8, {"loss": "quantile", "quantile": 0.8}),
            (0.9, {"loss": "quantile", "quantile": 0.9}),
        )
    }
    rows = pd.concat([X, y], axis=1)
    for new, old, words in (
        (0.9, 0.8, "it predicts the 0.9 quantile, 1.0.0 the 0.8 quantile"),
        (0.9, None, "it predicts the 0.9 quantile, 1.0.0 means"),
        (None, 0.9, "it predicts means, 1.0.0 the 0.9 quantile"),
    ):
        ruling = NoWorse().judge(case(bundles[new], bundles[old], rows))
        assert (ruling.passed, ruling.message) == (False, f"not comparable: {words}")
    same = NoWorse().judge(case(bundles[0.9], bundles[0.9], rows))
    assert same.passed is True
    assert same.message.startswith("quantile_skill")
