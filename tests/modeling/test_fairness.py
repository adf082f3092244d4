"""Differences between groups, by their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from lockgate.modeling.metrics.fairness import FairnessMetrics


def rows(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    group = rng.integers(-1, 3, 600)
    truth = rng.random(600) < 0.2 + 0.1 * group.clip(0)
    predicted = rng.random(600) < 0.3 + 0.4 * truth - 0.05 * group.clip(0)
    return truth, predicted, group, rng.uniform(0.1, 3, 600)


@pytest.mark.parametrize("weighted", [False, True])
def test_rates_and_differences_are_those_of_the_confusion_matrices(weighted: bool) -> None:
    truth, predicted, group, weights = rows()
    weight = weights if weighted else None
    measured = FairnessMetrics(truth, predicted, group, 3)
    rates = measured.rates(weight)
    selected, true_positive, false_positive, precision = [], [], [], []
    for k in range(3):
        chosen = group == k
        w = None if weight is None else weight[chosen]
        tn, fp, fn, tp = confusion_matrix(truth[chosen], predicted[chosen], sample_weight=w).ravel()
        selected.append((tp + fp) / (tn + fp + fn + tp))
        true_positive.append(tp / (tp + fn))
        false_positive.append(fp / (fp + tn))
        precision.append(tp / (tp + fp))
    assert rates["selection_rate"] == pytest.approx(selected, abs=1e-12)
    assert rates["true_positive_rate"] == pytest.approx(true_positive, abs=1e-12)
    assert rates["false_positive_rate"] == pytest.approx(false_positive, abs=1e-12)
    assert rates["precision"] == pytest.approx(precision, abs=1e-12)
    metrics = measured(weight)
    assert metrics == pytest.approx(
        {
            "demographic_parity_difference": np.ptp(selected),
            "demographic_parity_ratio": min(selected) / max(selected),
            "equal_opportunity_difference": np.ptp(true_positive),
            "equalized_odds_difference": max(np.ptp(true_positive), np.ptp(false_positive)),
            "predictive_parity_difference": np.ptp(precision),
        },
        abs=1e-12,
    )


def test_a_group_without_positive_rows_leaves_its_rates_undefined() -> None:
    truth, predicted, group, _ = rows()
    truth = truth & (group != 1)
    metrics = FairnessMetrics(truth, predicted, group, 3)()
    assert np.isnan(metrics["equal_opportunity_difference"])
    assert np.isnan(metrics["equalized_odds_difference"])
    assert metrics["demographic_parity_difference"] >= 0
