"""Plugins that answer nonsense are named; what they break is caught where they do it."""

from dataclasses import replace
from typing import Any

import pytest

import lockgate
from lockgate.contract.evaluation import Plot, Series
from lockgate.modeling.training.fitting import check_recipe
from lockgate.plugins.host.host import Host
from lockgate.testing import Failed, check_plugin, example_requests
from tests.pipeline.faulty import Meddler, Neighbours, Nonsense


@pytest.mark.parametrize(
    "make",
    [
        lambda: lockgate.Report({"y": 1.0}),  # on purpose
        lambda: lockgate.Report({"y": lockgate.Metric(float("nan"))}),
        lambda: lockgate.Report(tables={"t": ({"a": object()},)}),
        lambda: Plot("p", "t", "x", "y", (Series("m", (1, 2), (1.0,)),)),
        lambda: lockgate.Finding("x", "t", 0.5, 0.1, "ALERT"),  # same
        lambda: lockgate.Finding("x", "t", float("nan"), 0.1),
        lambda: lockgate.Findings(("few rows",)),  # same
        lambda: lockgate.SearchResult(lockgate.Candidate(None), ()),  # same
    ],
)
def test_nonsense_is_refused_where_it_is_made(make: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        make()


def test_the_host_names_who_made_it() -> None:
    host = Host("evaluate")
    host.register("evaluator", "nonsense", Nonsense())
    with pytest.raises(lockgate.PluginFailed, match=r"evaluator\.nonsense .*leave out undefined"):
        host.call("evaluator", "nonsense", example_requests("evaluator")["binary"])
    with pytest.raises(Failed, match="check_requests"):
        check_plugin("evaluator", Nonsense)


def test_the_checks_see_a_plugin_that_changes_its_input() -> None:
    with pytest.raises(Failed, match="check_purity: changes its input"):
        check_plugin("optimizer", Meddler)


def recipe(**changes: Any) -> lockgate.Recipe:
    from sklearn.linear_model import LogisticRegression

    return replace(lockgate.Recipe(LogisticRegression(), "binary"), **changes)


def test_a_recipe_that_cannot_be_tuned_names_its_model() -> None:
    from sklearn.svm import LinearSVC

    with pytest.raises(
        lockgate.PluginFailed,
        match=r"model\.m sets 'CC', which is not a parameter of LogisticRegression",
    ):
        check_recipe(recipe(space={"CC": [1]}), "model.m")
    with pytest.raises(lockgate.PluginFailed, match="LinearSVC, which has no predict_proba"):
        check_recipe(recipe(estimator=LinearSVC()), "model.m")


def test_a_model_that_fits_no_model_file_fails_its_check() -> None:
    with pytest.raises(Failed, match=r"check_model: on binary: the model contains types .*KDTree"):
        check_plugin("model", Neighbours)


def test_a_check_that_is_expected_to_fail_must_fail() -> None:
    check_plugin("model", Neighbours, expected_failures={"check_model": "until the packed form"})
    from lockgate.builtin.compressors.prune import Prune

    with pytest.raises(Failed, match="but was expected to fail"):
        check_plugin("compressor", Prune, expected_failures={"check_purity": "old"})


def test_a_smaller_share_is_cheaper_and_the_same_every_time() -> None:
    problem = example_requests("optimizer")["binary"]
    assert isinstance(problem, lockgate.OptimizeRequest)
    one, same = (problem.measure({"C": 1.0}, share=0.2).loss for _ in range(2))
    assert one == same != problem.measure({"C": 1.0}).loss
