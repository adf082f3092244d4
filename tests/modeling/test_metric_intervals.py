"""Intervals of metrics hold what is known of them, and say so where they cannot."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.intervals import Case, coverage
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from lockgate.contract.prediction import Output
from lockgate.modeling.metrics.classification import classification_metrics
from lockgate.modeling.metrics.means import calibration_metric, mean_metric
from lockgate.modeling.metrics.rates import RowSample, auc_metric, rate_metric

rng = np.random.default_rng(0)


@given(st.integers(0, 60), st.integers(1, 60))
def test_rates_have_the_interval_of_clopper_and_pearson(hits: int, others: int) -> None:
    hit = np.arange(hits + others) < hits
    metric = rate_metric(hit, RowSample.of(len(hit), None, None))
    exact = binomtest(hits, len(hit)).proportion_ci(0.95, "exact")
    assert metric.estimate == pytest.approx(hits / len(hit))
    assert (metric.low, metric.high) == (pytest.approx(exact.low), pytest.approx(exact.high))


def test_equal_weights_and_single_groups_change_little() -> None:
    hit = rng.random(500) < 0.3
    plain = rate_metric(hit, RowSample.of(500, None, None))
    weighted = rate_metric(hit, RowSample.of(500, np.full(500, 7.0), None))
    alone = rate_metric(hit, RowSample.of(500, None, np.arange(500)))
    assert (weighted.low, weighted.high) == pytest.approx((plain.low, plain.high))
    assert (alone.low, alone.high) == pytest.approx((plain.low, plain.high), abs=1e-3)


def test_rows_that_are_copies_make_nothing_more_certain() -> None:
    hit, score = rng.random(60) < 0.4, rng.random(60)
    copies, groups = np.repeat(np.arange(60), 10), np.repeat(np.arange(60), 10)
    sample = RowSample.of(600, None, groups)
    once, often = rate_metric(hit, RowSample.of(60, None, None)), rate_metric(hit[copies], sample)
    assert often.high is not None
    assert once.high is not None
    assert often.high == pytest.approx(once.high, abs=0.02)
    area = float(roc_auc_score(hit, score))
    single = auc_metric(area, hit, score, RowSample.of(60, None, None))
    copied = auc_metric(area, hit[copies], score[copies], sample)
    assert copied.low is not None
    assert single.low is not None
    assert copied.low <= single.low + 0.01
    mean = mean_metric(score[copies], sample, resamples=200)
    assert mean.high is not None
    assert mean.high - mean.estimate > 1.5 * score.std() / np.sqrt(60)


def test_newcombes_example() -> None:
    """Newcombe (2006), table II: 50 and 50 rows, an area of .9: .823 to .945."""
    truth = np.arange(100) < 50
    metric = auc_metric(0.9, truth, rng.random(100), RowSample.of(100, None, None))
    assert metric.low == pytest.approx(0.82, abs=0.01)
    assert metric.high == pytest.approx(0.945, abs=0.01)
    few = auc_metric(0.65, np.arange(300) < 1, rng.random(300), RowSample.of(300, None, None))
    assert few.low is not None
    assert few.high is not None
    assert few.high - few.low > 0.7
    perfect = auc_metric(1.0, truth, truth * 1.0, RowSample.of(100, None, None))
    assert perfect.high == 1.0
    assert 0.9 < float(perfect.low or 0) < 0.99


def test_few_rows_of_a_class_are_said_and_leave_metrics_without_an_interval() -> None:
    truth = np.arange(300) < 7
    score = np.clip(truth * 0.3 + rng.random(300) * 0.6, 0, 1)
    measured = classification_metrics(
        "binary", truth, Output(score >= 0.5, score), (False, True), 0.5
    )
    assert measured.notes == (
        "only 7 rows of a class: too few for intervals of PR AUC, log loss, calibration error and "
        "F1 (20 needed)",
    )
    for name in ("pr_auc", "f1", "calibration_error"):
        assert measured.metrics[name].low is None
    for name in ("roc_auc", "recall", "precision", "accuracy"):
        assert measured.metrics[name].low is not None
    enough = classification_metrics(
        "binary", np.tile(truth, 3), Output(np.tile(score >= 0.5, 3), np.tile(score, 3)),
        (False, True), 0.5,
    )  # fmt: skip
    assert enough.notes == ()
    assert all(metric.low is not None for metric in enough.metrics.values())


def test_labels_and_margins_are_measured_without_scores() -> None:
    truth = rng.random(400) < 0.4
    margin = truth + rng.normal(size=400)
    output = Output(margin > 0.5, None, margin)
    metrics = classification_metrics("binary", truth, output, (False, True), None).metrics
    assert metrics["roc_auc"].estimate == pytest.approx(roc_auc_score(truth, margin))
    assert metrics["pr_auc"].estimate == pytest.approx(average_precision_score(truth, margin))
    assert metrics["f1"].estimate == pytest.approx(f1_score(truth, margin > 0.5))
    assert "log_loss" not in metrics
    label = np.where(margin > 0.5, np.where(margin > 1.2, 2, 1), 0)
    actual = np.where(truth, rng.integers(1, 3, 400), 0)
    several = classification_metrics("multiclass", actual, Output(label), (0, 1, 2), None).metrics
    assert list(several) == ["accuracy", "f1"]


def test_a_calibration_error_lies_in_its_interval_and_may_be_zero() -> None:
    score = rng.random(2000)
    truth = rng.random(2000) < score
    bins = np.minimum((score * 10).astype(int), 9)
    residual = score - truth
    error = float(np.abs(np.bincount(bins, residual)).sum() / 2000)
    metric = calibration_metric(error, score, residual, bins, RowSample.of(2000, None, None))
    assert metric.low == 0.0
    assert metric.high is not None
    assert error < metric.high < 0.1
    off = calibration_metric(0.2, score, residual + 0.2, bins, RowSample.of(2000, None, None))
    assert off.low is not None
    assert 0.1 < off.low < 0.2


@pytest.mark.parametrize("kind", ["plain", "weights", "groups of 10"])
@pytest.mark.parametrize("positives", [5, 20])
def test_intervals_hold(kind: str, positives: int) -> None:
    """A short slice of ``benchmarks/intervals.py``: 120 draws, of which 107 are 89 %."""
    shares = coverage(Case(0.85, 0.1, positives, kind), draws=120, resamples=20, true_rows=10_000)
    for name in ("roc_auc", "accuracy", "precision", "recall", "prevalence"):
        share, count = shares[name]
        assert count >= 100, name
        assert share >= 0.89, name


def test_losses_that_are_rare_hold_the_truth() -> None:
    """Of resamples whose losses are all equal, the mean is extreme, and so is t."""
    draws, held = np.random.default_rng(2), 0
    for seed in range(150):
        losses = (draws.random(100) < 0.05).astype(float)
        metric = mean_metric(losses, RowSample.of(100, None, None), resamples=200, seed=seed)
        held += metric.low is None or metric.low <= 0.05 <= float(metric.high or 0)
    assert held >= 135
    assert mean_metric(np.zeros(50), RowSample.of(50, None, None)).low is None
    assert mean_metric(np.full(200, 0.9**2), RowSample.of(200, None, None)).low is None
    assert mean_metric(np.ones(5), RowSample.of(5, np.zeros(5), None)).estimate == 0.0


def test_groups_without_a_second_one_give_no_interval_and_no_error_is_no_punishment() -> None:
    alone = RowSample.of(500, None, np.zeros(500))
    assert rate_metric(np.arange(500) < 400, alone).low is None
    truth = np.arange(500) % 2 == 0
    assert auc_metric(0.8, truth, np.random.default_rng(0).random(500), alone).low is None
    groups = RowSample.of(1000, None, np.arange(1000) // 100)
    perfect, nearly = (rate_metric(np.arange(1000) >= misses, groups) for misses in (0, 1))
    assert perfect.low is not None
    assert nearly.low is not None
    assert perfect.low >= nearly.low
