"""Requirements on metrics."""

import pytest

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
