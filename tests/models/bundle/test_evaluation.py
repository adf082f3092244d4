"""Requirements on metrics."""

from pathlib import Path

import pandas as pd
import pytest

import lockgate
from lockgate.errors import UsageError
from lockgate.models.bundle.evaluation import MetricRequirement

METRICS = {"regression": {"mae": {"estimate": 2.5}, "r2": {"estimate": 0.9}}}


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("regression.mae<=2.5", True),
        ("regression.mae<2.5", False),
        ("regression.mae >= 2.5", True),
        ("regression.mae>2.5", False),
        (" regression.r2 > 8.9e-1", True),
    ],
)
def test_a_bound_is_compared_as_it_is_written(text: str, met: bool) -> None:
    assert MetricRequirement.parse(text).is_met(METRICS) is met


@pytest.mark.parametrize(
    "text", ["", "mae>1", "regression.mae", "regression.mae=1", "regression.mae>1e", "a.b>1 c"]
)
def test_a_requirement_that_is_not_valid_is_shown_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not valid: .*classification\.roc_auc>=0\.75"):
        MetricRequirement.parse(text)


def test_an_unknown_metric_lists_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"did you mean 'regression\.mae'.*available: .*\.r2"):
        MetricRequirement.parse("regression.mea>1").is_met(METRICS)


def test_rates_are_those_of_the_labels_where_scores_are_even(tmp_path: Path) -> None:
    from sklearn.metrics import accuracy_score, recall_score
    from sklearn.tree import DecisionTreeClassifier

    rows = pd.DataFrame({"x": [0, 0, 1, 1] * 30, "y": ["no", "yes", "no", "no"] * 30})
    model = DecisionTreeClassifier(max_depth=3).fit(rows[["x"]], rows["y"])
    assert 0.5 in model.predict_proba(rows[["x"]])[:, 1]  # a tie, which is the first class's
    lockgate.pack(model, rows[["x"]], rows["y"], name="even", path=tmp_path / "even")
    rows.to_csv(tmp_path / "rows.csv", index=False)
    measured = lockgate.evaluate(tmp_path / "even", tmp_path / "rows.csv").metrics
    labels = model.predict(rows[["x"]])
    metrics = measured["classification"]
    assert metrics["accuracy"]["estimate"] == pytest.approx(accuracy_score(rows["y"], labels))
    recall = recall_score(rows["y"], labels, pos_label="yes")
    assert metrics["recall"]["estimate"] == pytest.approx(recall)
