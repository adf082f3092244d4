"""Metrics of the top of a ranking, against brute force and scikit-learn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_score, recall_score, roc_curve

from lockgate.modeling.metrics.top_rows import RankingMetrics, gain_curve, threshold_table

SCORES = st.lists(st.sampled_from([0.1, 0.2, 0.5, 0.9]), min_size=2, max_size=6)


@given(SCORES, st.data())
def test_ties_count_as_the_mean_over_their_orders(scores: list[float], data: st.DataObject) -> None:
    size = len(scores)
    truth = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    count = data.draw(st.integers(1, size))
    measured = RankingMetrics(truth, np.array(scores), [count / size])()
    orders = [
        order
        for order in itertools.permutations(range(size))
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    ]
    held = float(np.mean([truth[list(order[:count])].sum() for order in orders]))
    name = f"top_{100 * count / size:.6g}pct"
    assert measured[f"precision_{name}"] == pytest.approx(held / count, abs=1e-12)
    if truth.any():
        assert measured[f"recall_{name}"] == pytest.approx(held / truth.sum(), abs=1e-12)
        lift = held / count / truth.mean()
        assert measured[f"lift_{name}"] == pytest.approx(lift, abs=1e-12)
    else:
        assert np.isnan(measured[f"recall_{name}"])


def rows(seed: int = 0, count: int = 500) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    score = rng.beta(1, 4, count).round(2)
    return rng.random(count) < score, score, rng.uniform(0.1, 3, count)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("limit", [0.0, 0.01, 0.05, 0.3, 0.999])
def test_recall_at_a_false_positive_rate_is_that_of_the_roc_curve(
    limit: float, weighted: bool
) -> None:
    truth, score, weights = rows()
    weight = weights if weighted else None
    fpr, tpr, _ = roc_curve(truth, score, sample_weight=weight, drop_intermediate=False)
    metrics = RankingMetrics(truth, score, [], [limit])(weight)
    (value,) = metrics.values()
    assert value == pytest.approx(tpr[fpr <= limit * (1 + 1e-12)].max(), abs=1e-12)


def test_a_weight_counts_as_that_many_rows() -> None:
    truth, score, _ = rows()
    copies = np.random.default_rng(1).integers(0, 4, len(truth))
    shares, limits = [0.013, 0.1, 1.0], [0.02, 0.2]
    weighted = RankingMetrics(truth, score, shares, limits)(copies)
    repeated = RankingMetrics(np.repeat(truth, copies), np.repeat(score, copies), shares, limits)()
    assert weighted == pytest.approx(repeated, abs=1e-12)
    assert weighted["recall_top_100pct"] == weighted["lift_top_100pct"] == 1


def test_the_order_of_rows_does_not_matter() -> None:
    truth, score, weight = rows()
    order = np.random.default_rng(2).permutation(len(truth))
    first = RankingMetrics(truth, score, [0.01, 0.33], [0.05])(weight)
    second = RankingMetrics(truth[order], score[order], [0.01, 0.33], [0.05])(weight[order])
    assert first == pytest.approx(second, abs=1e-12)
    x, y = gain_curve(truth, score, weight)
    for share in (0.01, 0.33):
        name = f"recall_top_{100 * share:.6g}pct"
        assert np.interp(share, x, y) == pytest.approx(first[name], abs=1e-12)


def test_the_table_of_thresholds_is_that_of_scikit_learn() -> None:
    truth, score, weight = rows()
    for row in threshold_table(truth, score, [0.1, 0.3, 0.7], weight):
        above = score >= row["threshold"]
        options = {"sample_weight": weight}
        assert row["precision"] == pytest.approx(precision_score(truth, above, **options))
        assert row["recall"] == pytest.approx(recall_score(truth, above, **options))
        specificity = recall_score(~truth, ~above, **options)
        assert row["false positive rate"] == pytest.approx(1 - specificity)
    (empty,) = threshold_table(truth, score, [2.0])
    assert (empty["precision"], empty["share predicted positive"]) == (None, 0.0)
