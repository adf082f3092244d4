"""Fits that are continued give the same model and losses as fits in one go."""

from __future__ import annotations

import gc
import math
import warnings
import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LogisticRegression, Ridge, SGDRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import SplineTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from lockgate import (
    Candidate,
    Fidelity,
    PartialFit,
    PluginFailed,
    Recipe,
    SearchResult,
    Trial,
)
from lockgate.contract.recipes import Task
from lockgate.data.splits import make_folds
from lockgate.modeling.training.cross_validation import CrossValidation
from lockgate.modeling.training.fitting import check_recipe
from tests.modeling.test_fitting import METRICS, rows_of

STEPS = (("scale", StandardScaler()),)
ROUNDS: list[tuple[Task, BaseEstimator, str]] = [
    ("binary", HistGradientBoostingClassifier(early_stopping=False, random_state=0), "max_iter"),
    ("multiclass", HistGradientBoostingClassifier(early_stopping=False), "max_iter"),
    ("regression", HistGradientBoostingRegressor(early_stopping=False), "max_iter"),
    ("binary", GradientBoostingClassifier(subsample=0.7, random_state=0), "n_estimators"),
    ("regression", GradientBoostingRegressor(random_state=0), "n_estimators"),
    ("multiclass", RandomForestClassifier(random_state=0), "n_estimators"),
    ("regression", ExtraTreesRegressor(random_state=0), "n_estimators"),
    ("multiclass", AdaBoostClassifier(random_state=0), "n_estimators"),
]
NAMES = [f"{type(estimator).__name__}-{task}" for task, estimator, _ in ROUNDS]


def validation_of(
    task: Task, estimator: BaseEstimator, rounds: str | None = None, *, continues: bool = True
) -> CrossValidation:
    table = rows_of(task, weighted=True)
    fidelity = None if rounds is None else Fidelity(rounds, continues=continues)
    recipe = Recipe(estimator, task, {}, STEPS, fidelity=fidelity)
    folds = make_folds(table, "stratified", 3, 0)
    return CrossValidation(recipe, table, folds, METRICS[task][0])


@pytest.mark.parametrize(("task", "estimator", "rounds"), ROUNDS, ids=NAMES)
def test_parts_end_with_the_losses_of_whole_fits(
    task: Task, estimator: BaseEstimator, rounds: str
) -> None:
    validation = validation_of(task, estimator, rounds)
    for fold in range(3):
        with validation.start({}, fold) as fit:
            for count in (3, 2, 7, 7, 12):
                fit.advance(count)
                assert not fit.stopped
                assert fit.rounds == max(count, 3)
                whole = validation.measure({rounds: fit.rounds}).losses[fold]
                assert fit.losses[fit.rounds] == pytest.approx(whole, rel=1e-12)
        assert fit.losses[12] == pytest.approx(whole, rel=1e-12)  # they outlive the model
        assert fit.cpu_seconds > 0
        with pytest.raises(ValueError, match="this fit is closed"):
            fit.advance(30)


@pytest.mark.parametrize("index", [0, 2, 3], ids=lambda index: NAMES[index])
def test_every_round_of_boosting_has_its_loss(index: int) -> None:
    task, estimator, rounds = ROUNDS[index]
    validation = validation_of(task, estimator, rounds)
    fit = validation.start({}, 1)
    fit.advance(4)
    fit.advance(9)
    assert list(fit.losses) == list(range(1, 10))
    for count, loss in fit.losses.items():
        assert loss == pytest.approx(validation.measure({rounds: count}).losses[1], rel=1e-12)


@settings(max_examples=12)
@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=4),
    st.integers(1, 8),
    st.sampled_from([0.5, 1.0]),
)
def test_patience_does_not_depend_on_the_parts(
    parts: list[int], patience: int, share: float
) -> None:
    validation = validation_of(*ROUNDS[4])
    fits = [
        validation.start({"learning_rate": 0.8}, 0, share=share, patience=patience)
        for _ in range(2)
    ]
    for part in parts:
        fits[0].advance(part)
    fits[1].advance(max(parts))
    assert fits[0].losses == fits[1].losses
    assert [fit.rounds for fit in fits] == [len(fits[0].losses)] * 2
    _check_patience(fits[1], patience, max(parts))


def _check_patience(fit: PartialFit, patience: int, rounds: int) -> None:
    losses = list(fit.losses.values())
    best = losses.index(min(losses))
    assert fit.stopped == (len(losses) - 1 - best >= patience)
    assert fit.stopped or len(losses) == rounds
    for end in range(1, len(losses)):  # it stopped at the first occasion
        before = losses[:end]
        assert end - 1 - before.index(min(before)) < patience


def test_rounds_among_the_parameters_are_a_limit() -> None:
    fit = validation_of(*ROUNDS[0]).start({"max_iter": 5}, 0)
    fit.advance(3)
    assert (fit.rounds, fit.stopped) == (3, False)
    fit.advance(50)
    assert (fit.rounds, fit.stopped, list(fit.losses)) == (5, True, [1, 2, 3, 4, 5])


@pytest.mark.parametrize(
    ("estimator", "rounds"),
    [
        (
            HistGradientBoostingClassifier(
                early_stopping=True, n_iter_no_change=2, tol=0.01, random_state=0
            ),
            "max_iter",
        ),
        (GradientBoostingClassifier(n_iter_no_change=2, random_state=0), "n_estimators"),
        (AdaBoostClassifier(DecisionTreeClassifier(), random_state=0), "n_estimators"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseEstimator) else None,
)
def test_an_estimator_that_stops_early_ends_as_in_a_whole_fit(
    estimator: BaseEstimator, rounds: str
) -> None:
    validation = validation_of("binary", estimator, rounds)
    in_parts, whole = validation.start({}, 0), validation.start({}, 0)
    for count in (1, 2, 3, 20, 80):
        in_parts.advance(count)
    whole.advance(80)
    assert whole.stopped
    assert whole.rounds == max(whole.losses) < 80
    assert dict(in_parts.losses) == dict(whole.losses)
    assert in_parts.stopped
    measured = validation.measure({rounds: 80}).losses[0]
    assert whole.losses[whole.rounds] == pytest.approx(measured, rel=1e-12)


def test_what_does_not_continue_is_fitted_again() -> None:
    network = MLPRegressor(hidden_layer_sizes=(4,), random_state=0, max_iter=50)
    validation = validation_of("regression", network, "max_iter", continues=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit = validation.start({}, 0)
        for count in (5, 12):
            fit.advance(count)
            whole = validation.measure({"max_iter": count}).losses[0]
            assert fit.losses[count] == pytest.approx(whole, rel=1e-12)


class Counted(ExtraTreesRegressor):
    """A forest that counts the trees that it grew."""

    grown = 0

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Counted:
        before = len(getattr(self, "estimators_", ())) if self.warm_start else 0
        Counted.grown += self.n_estimators - before
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize(("continues", "grown"), [(True, 12), (False, 3 + 7 + 12)])
def test_only_new_rounds_are_fitted_where_a_fit_continues(
    monkeypatch: pytest.MonkeyPatch, continues: bool, grown: int
) -> None:
    monkeypatch.setattr(Counted, "grown", 0)
    fit = validation_of(
        "regression", Counted(random_state=0), "n_estimators", continues=continues
    ).start({}, 0, patience=2)  # without staged predictions it is ignored
    for count in (3, 7, 12):
        fit.advance(count)
    assert list(fit.losses) == [3, 7, 12]
    assert Counted.grown == grown


def test_a_share_of_the_rows_is_fitted_on() -> None:
    validation = validation_of(*ROUNDS[2])
    fit = validation.start({}, 1, share=0.4)
    fit.advance(6)
    assert fit.losses[6] == pytest.approx(
        validation.measure({"max_iter": 6}, share=0.4).losses[1], rel=1e-12
    )
    assert validation.measure({}, share=0.4).share == 0.4


def test_a_closed_fit_keeps_neither_model_nor_rows() -> None:
    estimator = ExtraTreesRegressor(3, random_state=0)
    seen: list[weakref.ref[Any]] = []

    class Watched(ExtraTreesRegressor):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Watched:
            seen.append(weakref.ref(self))
            return super().fit(X, y, sample_weight)

    fit = validation_of("regression", Watched(**estimator.get_params()), "n_estimators").start(
        {}, 0
    )
    fit.advance(2)
    gc.collect()
    assert seen[-1]() is not None
    fit.close()
    gc.collect()
    assert seen[-1]() is None


def test_without_rounds_the_first_part_fits_everything() -> None:
    validation = validation_of("binary", LogisticRegression())
    fit = validation.start({"C": 0.3}, 2)
    assert (fit.rounds, fit.stopped, fit.losses) == (0, False, {})
    fit.advance(1)
    assert (fit.rounds, fit.stopped) == (1, True)
    assert fit.losses == {1: validation.measure({"C": 0.3}).losses[2]}
    fit.advance(40)
    assert fit.rounds == 1


class Undefined(RegressorMixin, BaseEstimator):
    """Predictions without a value in all rounds but the second."""

    def __init__(self, rounds: int = 1) -> None:
        self.rounds = rounds

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Undefined:
        self.fitted_ = self.rounds
        return self

    def staged_predict(self, X: Any) -> Any:
        for count in range(1, self.fitted_ + 1):
            yield np.full(len(X), 0.0 if count == 2 else math.nan)

    def predict(self, X: Any) -> np.ndarray:
        return list(self.staged_predict(X))[-1]


def test_a_fit_that_diverged_is_never_the_best() -> None:
    validation = validation_of("regression", Undefined(), "rounds")
    fit = validation.start({}, 0, patience=3)
    fit.advance(20)
    assert (fit.rounds, fit.stopped) == (5, True)
    assert [count for count, loss in fit.losses.items() if math.isfinite(loss)] == [2]
    assert validation.measure({"rounds": 3}).loss == math.inf  # not the mean of the other folds


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fold": 3}, "fold is 3, expected 0 to 2"),
        ({"fold": -1}, "fold is -1, expected 0 to 2"),
        ({"fold": 0, "share": 0.0}, r"share is 0.0, expected a number in \(0, 1\]"),
        ({"fold": 0, "patience": 0}, "patience is 0, expected at least 1 round"),
        ({"fold": 0, "params": {"max_iter": 0}}, "max_iter is 0, expected at least 1 round"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    validation = validation_of(*ROUNDS[0])
    with pytest.raises(ValueError, match=message):
        validation.start(**{"params": {}, **arguments})
    with pytest.raises(ValueError, match="to is 0, expected at least 1 round"):
        validation.start({}, 0).advance(0)


@pytest.mark.parametrize(
    ("task", "estimator", "name", "bound"),
    [
        ("binary", LogisticRegression(tol=1e-8, max_iter=2000), "C", 1e-5),
        ("regression", Lasso(tol=1e-10, max_iter=20_000), "alpha", 1e-8),
        ("regression", Ridge(), "alpha", 0),
        ("regression", SGDRegressor(random_state=0), "alpha", 0),
        ("multiclass", RandomForestClassifier(8, random_state=0), "max_depth", 0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseEstimator) else None,
)
def test_a_path_has_the_losses_of_single_fits(
    task: Task, estimator: BaseEstimator, name: str, bound: float
) -> None:
    validation = validation_of(task, estimator)
    values = [1, 2, 4] if name == "max_depth" else [0.01, 0.1, 1.0, 10.0]
    trials = validation.path({}, name, values)
    for value, trial in zip(values, trials, strict=True):
        whole = validation.measure({name: value})
        assert trial.params == {name: value}
        assert trial.losses == pytest.approx(whole.losses, rel=bound)
        assert (trial.loss, trial.spread) == pytest.approx((whole.loss, whole.spread), rel=bound)


def test_a_path_may_follow_a_parameter_of_a_step() -> None:
    table = rows_of("regression")
    steps = (("bend", SplineTransformer()),)
    folds = make_folds(table, "stratified", 3, 0)
    validation = CrossValidation(Recipe(Ridge(), "regression", {}, steps), table, folds, "rmse")
    trials = validation.path({"alpha": 2.0}, "bend__n_knots", [3, 6])
    for knots, trial in zip((3, 6), trials, strict=True):
        assert trial.losses == validation.measure({"alpha": 2.0, "bend__n_knots": knots}).losses


class Counting(RegressorMixin, BaseEstimator):
    """A linear model that says how often it began from its coefficients before."""

    warm = 0

    def __init__(self, alpha: float = 1.0, warm_start: bool = False) -> None:
        self.alpha, self.warm_start = alpha, warm_start

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Counting:
        Counting.warm += self.warm_start and hasattr(self, "coef_")
        self.coef_ = np.zeros(X.shape[1])
        return self

    def predict(self, X: Any) -> np.ndarray:
        return X @ self.coef_


def test_linear_models_start_from_the_value_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counting, "warm", 0)
    validation_of("regression", Counting()).path({}, "alpha", [1.0, 2.0, 3.0])
    assert Counting.warm == 6  # two of three values on each of three folds


def test_unknown_parameters_are_named_with_the_nearest() -> None:
    validation = validation_of(*ROUNDS[0])
    for call in (
        lambda: validation.measure({"max_itr": 3}),
        lambda: validation.start({"max_itr": 3}, 0),
        lambda: validation.path({}, "max_itr", [3]),
    ):
        with pytest.raises(PluginFailed, match="did you mean 'max_iter'"):
            call()


@pytest.mark.parametrize(
    "trials",
    [
        [Trial({"C": 1}, 0.1, share=0.25), Trial({"C": 1}, 0.3)],
        [Trial({"C": 1}, 0.1, rung=0), Trial({"C": 1}, 0.3, rung=1)],
        [Trial({"C": 2}, 0.1), Trial({"C": 1}, 0.3), Trial({"C": 1}, math.nan)],
    ],
    ids=["share", "rung", "other parameters"],
)
def test_the_best_trial_is_one_that_compares(trials: list[Trial]) -> None:
    candidate = Candidate(Recipe(LogisticRegression(), "binary"), {"C": 1})
    assert SearchResult(candidate, tuple(trials)).best.loss == 0.3
    with pytest.raises(ValueError, match="1 of 2 trials have a rung"):
        SearchResult(candidate, (Trial({"C": 1}, 0.1, rung=1), Trial({"C": 1}, 0.2)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"portfolio": ({"depth": 3},)}, "the portfolio of model.x sets 'depth'"),
        (
            {"fidelity": Fidelity("trees")},
            "model.x: the rounds of its fidelity are 'trees', expected",
        ),
        ({"fidelity": Fidelity("tol")}, "the rounds of its fidelity are 'tol', expected"),
        ({"fidelity": Fidelity("max_iter", "rate")}, "the rate of its fidelity is 'rate'"),
        ({"estimator": Ridge(), "fidelity": Fidelity("max_iter")}, "expected a parameter of Ridge"),
        (
            {
                "estimator": DecisionTreeClassifier(max_depth=3),
                "fidelity": Fidelity("max_depth", continues=True),
            },
            "its fidelity continues, and DecisionTreeClassifier has no warm_start",
        ),
    ],
)
def test_a_recipe_names_parameters_that_exist(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(PluginFailed, match=message):
        check_recipe(
            Recipe(**{"estimator": LogisticRegression(), "task": "binary", **fields}), "model.x"
        )
