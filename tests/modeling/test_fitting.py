"""Cross-validated losses are those of scikit-learn by hand, with weights, groups and shares."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler
from threadpoolctl import threadpool_info

import lockgate
from lockgate.builtin.optimizers.grid import Grid
from lockgate.builtin.optimizers.random import Random
from lockgate.contract.prediction import Output
from lockgate.contract.recipes import Recipe, SearchRange, Task
from lockgate.contract.search import Budget, OptimizeRequest
from lockgate.contract.tables import Fold, Table
from lockgate.data.splits import make_folds
from lockgate.errors import DataError, PluginFailed
from lockgate.modeling.metrics.losses import compute_loss
from lockgate.modeling.training.cross_validation import CrossValidation
from lockgate.modeling.training.fitting import (
    check_params,
    check_recipe,
    fit,
    loss_function,
)
from lockgate.modeling.training.threads import limit_threads

METRICS = {
    "binary": ("log_loss", "roc_auc", "pr_auc", "brier", "accuracy", "f1"),
    "multiclass": ("log_loss", "accuracy", "f1"),
    "regression": ("rmse", "mae", "r2"),
}
CASES = [(task, metric) for task, names in METRICS.items() for metric in names]
STEPS = (("scale", StandardScaler()),)


def rows_of(task: Task, *, weighted: bool = False, grouped: bool = False, rows: int = 150) -> Table:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"a": rng.normal(size=rows), "b": rng.normal(3, 2, rows)})
    signal = frame["a"] + 0.3 * frame["b"] + rng.normal(scale=0.7, size=rows)
    if task == "regression":
        frame["y"] = signal
    else:
        cuts = [0.5] if task == "binary" else [1 / 3, 2 / 3]
        codes = np.digitize(signal, np.quantile(signal, cuts))
        frame["y"] = np.array(["low", "mid", "top"])[codes] if len(cuts) > 1 else codes
    roles = {"target": "y"}
    if weighted:
        frame["w"], roles["weight"] = rng.integers(1, 6, rows).astype(float), "w"
    if grouped:
        frame["g"], roles["group"] = rng.integers(0, 25, rows), "g"
    return lockgate.table(frame, **roles)


def recipe_of(task: Task) -> Recipe:
    if task == "regression":
        return Recipe(Ridge(), task, {"alpha": SearchRange(0.01, 100, log_scale=True)}, STEPS)
    return Recipe(LogisticRegression(), task, {"C": SearchRange(0.01, 100, log_scale=True)}, STEPS)


def peer_loss(metric: str, task: Task, model: Any, held: Table, classes: list[Any]) -> float:
    """The metric as scikit-learn has it; those that grow with quality become 1 - metric."""
    truth, weight = held.target, held.weight
    label = model.predict(held.features)
    if task == "regression":
        functions = {
            "rmse": peer.root_mean_squared_error,
            "mae": peer.mean_absolute_error,
            "r2": lambda *a, **k: 1 - peer.r2_score(*a, **k),
        }
        return float(functions[metric](truth, label, sample_weight=weight))
    score = model.predict_proba(held.features)
    if metric == "log_loss":
        return float(peer.log_loss(truth, score, labels=classes, sample_weight=weight))
    if metric == "accuracy":
        return 1 - float(peer.accuracy_score(truth, label, sample_weight=weight))
    if metric == "f1":
        average = "binary" if task == "binary" else "macro"
        return 1 - float(peer.f1_score(truth, label, average=average, sample_weight=weight))
    if metric == "brier":
        return float(peer.brier_score_loss(truth, score[:, 1], sample_weight=weight))
    function = {"roc_auc": peer.roc_auc_score, "pr_auc": peer.average_precision_score}[metric]
    return 1 - float(function(truth, score[:, 1], sample_weight=weight))


def part(table: Table, positions: np.ndarray) -> Table:
    return Table(table.frame.iloc[positions], table.schema)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("task", "metric"), CASES)
def test_cross_validated_losses_are_those_of_scikit_learn(
    task: Task, metric: str, weighted: bool
) -> None:
    table, recipe = rows_of(task, weighted=weighted), recipe_of(task)
    folds = make_folds(table, "stratified", 4, 0)
    name = next(iter(recipe.space))
    classes = np.unique(table.target).tolist()
    expected = []
    for fold in folds:
        train, held = part(table, fold.fit), part(table, fold.measure)
        model = Pipeline(
            [
                ("scale", StandardScaler()),
                ("model", clone(recipe.estimator).set_params(**{name: 3.0})),
            ]
        )
        model.fit(train.features, train.target, model__sample_weight=train.weight)
        expected.append(peer_loss(metric, task, model, held, classes))
    trial = CrossValidation(recipe, table, folds, metric).measure({name: 3.0})
    assert trial.loss == pytest.approx(np.mean(expected), rel=1e-9)
    assert trial.spread == pytest.approx(np.std(expected), rel=1e-6)
    assert trial.params == {name: 3.0}
    assert trial.seconds > 0


def test_parameters_of_steps_are_those_of_scikit_learn() -> None:
    table = rows_of("binary")
    steps = (("scale", StandardScaler()), ("bend", SplineTransformer()))
    space = {"C": SearchRange(0.1, 10), "bend__n_knots": [3, 5], "scale__with_mean": [True, False]}
    recipe = Recipe(LogisticRegression(max_iter=1000), "binary", space, steps)
    check_recipe(recipe, "model.bent")
    folds = make_folds(table, "stratified", 3, 0)
    measure = CrossValidation(recipe, table, folds, "log_loss").measure
    for knots in (3, 5, 3, 4, 6, 7, 8, 3):  # more than are kept
        params = {"C": 2.0, "bend__n_knots": knots, "scale__with_mean": knots > 3}
        expected = []
        for fold in folds:
            train, held = part(table, fold.fit), part(table, fold.measure)
            model = Pipeline(
                [*((n, clone(t)) for n, t in steps), ("model", clone(recipe.estimator))]
            )
            model.set_params(model__C=2.0, bend__n_knots=knots, scale__with_mean=knots > 3).fit(
                train.features, train.target
            )
            expected.append(peer_loss("log_loss", "binary", model, held, [0, 1]))
        assert measure(params).loss == pytest.approx(np.mean(expected), rel=1e-9)
    fitted = fit(recipe, {"C": 2.0, "bend__n_knots": 4}, table)
    assert (fitted["bend"].n_knots, fitted["model"].C) == (4, 2.0)
    with pytest.raises(
        PluginFailed, match=r"sets 'bend__n_knotz', .* did you mean 'bend__n_knots'"
    ):
        check_params(recipe, {"bend__n_knotz": 3}, "optimizer.grid")


@pytest.mark.parametrize("task", METRICS)
def test_a_fitted_recipe_is_the_pipeline_by_hand(task: Task) -> None:
    table, recipe = rows_of(task, weighted=True), recipe_of(task)
    name = next(iter(recipe.space))
    fitted = fit(recipe, {name: 0.5}, table)
    scaled = StandardScaler().fit_transform(table.features)
    model = clone(recipe.estimator).set_params(**{name: 0.5})
    model.fit(scaled, table.target, sample_weight=table.weight)
    assert np.allclose(fitted[-1].coef_, model.coef_, rtol=1e-9)
    assert getattr(recipe.estimator, name) == 1.0  # the recipe itself stays unfitted
    assert not hasattr(recipe.estimator, "coef_")
    assert not hasattr(STEPS[0][1], "mean_")


@pytest.mark.parametrize("task", METRICS)
def test_weights_change_what_is_fitted_and_what_is_measured(task: Task) -> None:
    weighted, recipe = rows_of(task, weighted=True), recipe_of(task)
    plain = Table(weighted.frame, replace(weighted.schema, weight=None))
    plain = Table(
        plain.frame.drop(columns="w"), replace(plain.schema, columns=plain.schema.columns[:3])
    )
    metric = METRICS[task][0]
    classes = tuple(np.unique(plain.target).tolist())
    weighed, unweighed = fit(recipe, {}, weighted), fit(recipe, {}, plain)
    assert not np.allclose(weighed[-1].coef_, unweighed[-1].coef_, rtol=1e-6)
    losses = [loss_function(table, metric, task, classes)(weighed) for table in (weighted, plain)]
    assert abs(losses[0] - losses[1]) > 1e-4


def test_a_weight_of_two_is_a_row_that_stands_twice_in_training() -> None:
    table, recipe = rows_of("binary", weighted=True), recipe_of("binary")
    times = np.repeat(np.arange(len(table)), table.frame["w"].astype(int))
    repeated = Table(table.frame.iloc[times].assign(w=1.0), table.schema)
    bare = replace(recipe, steps=())  # the mean of a scaler knows no weights
    weighed, doubled = fit(bare, {}, table), fit(bare, {}, repeated)
    assert np.allclose(weighed[-1].coef_, doubled[-1].coef_, rtol=1e-3)
    losses = [
        loss_function(held, "log_loss", "binary", (0, 1))(weighed) for held in (table, repeated)
    ]
    assert losses[0] == pytest.approx(losses[1])


def test_a_group_is_never_on_both_sides_of_a_fold() -> None:
    table = rows_of("binary", grouped=True)
    folds = make_folds(table, "group", 4, 0)
    groups = table.groups
    assert groups is not None
    for fold in folds:
        assert not set(groups[fold.fit]) & set(groups[fold.measure])
        assert len(fold.fit) + len(fold.measure) == len(table)
    measured = np.sort(np.concatenate([fold.measure for fold in folds]))
    assert measured.tolist() == list(range(len(table)))


class Recording(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Answers with the share of the positive class, and keeps what it was fitted on."""

    seen: ClassVar[list[Any]] = []

    def __init__(self, level: float = 0.5, fail: bool = False) -> None:
        self.level, self.fail = level, fail

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Recording:
        if self.fail:
            raise ArithmeticError("the solver did not converge")
        self.classes_ = np.unique(y)
        self.seen.append((np.asarray(X), np.asarray(y), sample_weight))
        return self

    def predict_proba(self, X: Any) -> Any:
        chances = np.full((len(X), len(self.classes_)), (1 - self.level) / (len(self.classes_) - 1))
        chances[:, -1] = self.level
        return chances


@pytest.fixture
def seen() -> list[Any]:
    Recording.seen.clear()
    return Recording.seen


def test_steps_are_fitted_on_the_rows_of_the_fold_alone(seen: list[Any]) -> None:
    table = rows_of("binary", weighted=True)
    folds = make_folds(table, "stratified", 3, 0)
    CrossValidation(Recipe(Recording(), "binary", {}, STEPS), table, folds, "log_loss").measure({})
    for (inputs, truth, weight), fold in zip(seen, folds, strict=True):
        assert np.allclose(inputs.mean(axis=0), 0, atol=1e-12)
        assert np.allclose(inputs.std(axis=0), 1)
        assert truth.tolist() == table.target[fold.fit].tolist()
        assert weight.tolist() == table.frame["w"].to_numpy()[fold.fit].tolist()


@given(st.floats(0.01, 1.0), st.floats(0.01, 1.0))
@settings(max_examples=25)
def test_a_smaller_share_of_the_rows_lies_within_the_larger(left: float, right: float) -> None:
    table = rows_of("regression", rows=60)

    class Rows(RegressorMixin, BaseEstimator):  # type: ignore[misc]
        fitted: ClassVar[list[set[float]]] = []

        def fit(self, X: Any, y: Any) -> Any:
            self.fitted.append(set(y.tolist()))
            return self

        def predict(self, X: Any) -> Any:
            return np.zeros(len(X))

    folds = (Fold(np.arange(40), np.arange(40, 60)),)
    measure = CrossValidation(Recipe(Rows(), "regression", {}, STEPS), table, folds, "rmse").measure
    for share in sorted((left, right)):
        measure({}, share=share)
    fewer, more = Rows.fitted
    assert fewer <= more
    assert len(more) == max(2, round(max(left, right) * 40))


@pytest.mark.parametrize("share", [0, -0.5, 1.5, float("nan")])
def test_a_share_outside_of_its_range_is_refused(share: float) -> None:
    table = rows_of("binary")
    measure = CrossValidation(
        recipe_of("binary"), table, make_folds(table, "stratified", 2, 0), "log_loss"
    ).measure
    with pytest.raises(ValueError, match=r"share is .*, expected a number in \(0, 1\]"):
        measure({}, share=share)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_classes_that_a_fold_does_not_hold_have_no_chance(task: Task) -> None:
    """With all rows of one class held out, the chance of that class is 0 and the loss is large."""
    table = rows_of("multiclass", rows=90)
    frame, columns = table.frame, table.schema
    if task == "binary":
        frame = frame.assign(y=frame["y"].replace("top", "mid"))
    rare = frame["y"].to_numpy() == "low"
    held = np.flatnonzero(rare)
    fitted_on = np.flatnonzero(~rare)
    if task == "binary":  # a classifier needs two classes: answer with the only one there is
        recipe = Recipe(Constant(), task, {}, STEPS)
    else:
        recipe = Recipe(LogisticRegression(), task, {}, STEPS)
    fold = Fold(fitted_on, held)
    trial = CrossValidation(recipe, Table(frame, columns), (fold,), "log_loss").measure({})
    assert trial.loss == pytest.approx(-np.log(np.finfo(float).eps))
    trial = CrossValidation(recipe, Table(frame, columns), (fold,), "accuracy").measure({})
    assert trial.loss == 1.0


class Constant(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Knows one class."""

    def fit(self, X: Any, y: Any) -> Constant:
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: Any) -> Any:
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def test_folds_that_do_not_define_the_metric_are_left_out_of_the_mean() -> None:
    table = rows_of("binary")
    positive = np.flatnonzero(table.target == 1)
    rest = np.setdiff1d(np.arange(len(table)), positive[:5])
    undefined = Fold(rest, positive[:5])  # one class only: no ROC AUC
    fold = Fold(np.arange(100), np.arange(100, 150))
    recipe = recipe_of("binary")
    alone = CrossValidation(recipe, table, (fold,), "roc_auc").measure({})
    both = CrossValidation(recipe, table, (undefined, fold), "roc_auc").measure({})
    assert (both.loss, both.spread) == (alone.loss, 0)
    with pytest.raises(
        DataError, match=r"roc_auc is undefined on every fold .*; choose another search\.metric"
    ):
        CrossValidation(recipe, table, (undefined,), "roc_auc").measure({})


def test_a_recipe_without_steps_is_not_measured() -> None:
    table = rows_of("binary")
    with pytest.raises(ValueError, match="the recipe has no steps"):
        CrossValidation(Recipe(LogisticRegression(), "binary"), table, (), "log_loss")


def test_an_estimator_that_raises_ends_the_search_with_its_error() -> None:
    table = rows_of("binary")
    recipe = Recipe(Recording(), "binary", {"fail": [False, True]}, STEPS)
    problem = problem_of(recipe, table)
    with pytest.raises(ArithmeticError, match="did not converge"):
        Grid().optimize(problem)
    with pytest.raises(ArithmeticError, match="did not converge"):
        fit(recipe, {"fail": True}, table)


def test_an_estimator_that_does_not_take_weights_says_so_when_rows_have_them() -> None:
    table = rows_of("binary", weighted=True)
    recipe = Recipe(Constant(), "binary", {}, STEPS)
    with pytest.raises(TypeError, match="sample_weight"):
        CrossValidation(recipe, table, make_folds(table, "stratified", 2, 0), "log_loss").measure(
            {}
        )


def test_recipes_that_cannot_be_tuned_or_scored_name_their_plugin() -> None:
    with pytest.raises(PluginFailed, match=r"model\.x sets 'alpah', .*Ridge.*did you mean.*alpha"):
        check_recipe(Recipe(Ridge(), "regression", {"alpah": [1]}), "model.x")
    with pytest.raises(PluginFailed, match=r"model\.x returned Ridge, which has no predict_proba"):
        check_recipe(Recipe(Ridge(), "binary"), "model.x")
    with pytest.raises(
        PluginFailed,
        match=r"optimizer\.y sets 'gamma', which is not a parameter of LogisticRegression",
    ):
        check_params(recipe_of("binary"), {"C": 1, "gamma": 2}, "optimizer.y")
    for task in METRICS:
        check_recipe(recipe_of(task), "model.x")
        check_params(recipe_of(task), {}, "optimizer.y")


def test_threads_are_limited_inside_and_as_before_outside() -> None:
    def threads() -> dict[str, set[int]]:
        pools: dict[str, set[int]] = {}
        for pool in threadpool_info():
            pools.setdefault(pool["user_api"], set()).add(pool["num_threads"])
        return pools

    fit(recipe_of("regression"), {}, rows_of("regression"))  # so that the libraries are loaded
    before = threads()
    assert "blas" in before
    for count in (1, 2):
        with limit_threads(count):
            assert threads()["blas"] == {1}
            assert all(pool <= count for pool in threads().get("openmp", {1}))
    with pytest.raises(ArithmeticError), limit_threads(1):
        raise ArithmeticError
    assert threads() == before


def problem_of(recipe: Recipe, table: Table, **fields: Any) -> OptimizeRequest:
    metric = METRICS[recipe.task][0]
    folds = make_folds(table, "stratified", 3, 0)
    validation = CrossValidation(recipe, table, folds, metric)
    parts = {
        "recipe": recipe,
        "train": table,
        "folds": folds,
        "metric": metric,
        "measure": validation.measure,
        "start": validation.start,
        "path": validation.path,
    }
    return OptimizeRequest(**{**parts, **fields})


@pytest.mark.parametrize("optimizer", [Grid(points=3), Random(trials=4)], ids=["grid", "random"])
@pytest.mark.parametrize("task", METRICS)
def test_the_same_seed_gives_the_same_search(task: Task, optimizer: Any) -> None:
    searches = [
        optimizer.optimize(problem_of(recipe_of(task), rows_of(task), seed=7)) for _ in range(2)
    ]
    trials = [[(t.params, t.loss, t.spread) for t in search.trials] for search in searches]
    assert trials[0] == trials[1]
    best = min(searches[0].trials, key=lambda trial: trial.loss)
    assert searches[0].candidate.params == best.params
    assert searches[0].candidate.estimator is None


def counted(losses: list[float]) -> tuple[Any, list[Any]]:
    """A measure that gives these losses, and what it was asked for."""
    asked: list[Any] = []

    def measure(params: Any, share: float = 1.0) -> lockgate.Trial:
        asked.append(params)
        return lockgate.Trial(dict(params), losses[len(asked) - 1])

    return measure, asked


def test_ties_go_to_the_earlier_point() -> None:
    recipe = replace(recipe_of("binary"), space={"C": [1, 2, 3, 4]})
    measure, _ = counted([0.5, 0.3, 0.3, 0.4])
    search = Grid().optimize(problem_of(recipe, rows_of("binary"), measure=measure))
    assert search.candidate.params == {"C": 2}
    assert [trial.loss for trial in search.trials] == [0.5, 0.3, 0.3, 0.4]


def test_the_grid_is_every_combination_of_spans_and_lists() -> None:
    space = {
        "C": SearchRange(1, 100, log_scale=True),
        "max_iter": SearchRange(5, 6, integer=True),
        "fit_intercept": [True, False],
    }
    measure, asked = counted([0.1] * 12)
    recipe = replace(recipe_of("binary"), space=space)
    problem = problem_of(recipe, rows_of("binary"), measure=measure)
    Grid(points=3).optimize(problem)
    assert len(asked) == 12
    assert {point["C"] for point in asked} == {1.0, 10.0, 100.0}
    assert {(point["max_iter"], point["fit_intercept"]) for point in asked} == {
        (5, True),
        (5, False),
        (6, True),
        (6, False),
    }
    with pytest.raises(
        lockgate.UsageError, match="the grid has 12 points, more than max_points=11"
    ):
        Grid(points=3, max_points=11).optimize(problem)


@pytest.mark.parametrize("optimizer", [Grid(), Random(trials=5)], ids=["grid", "random"])
def test_without_a_space_the_defaults_are_measured_once(optimizer: Any) -> None:
    measure, asked = counted([0.1] * 5)
    recipe = replace(recipe_of("binary"), space={})
    optimizer.optimize(problem_of(recipe, rows_of("binary"), measure=measure))
    assert asked == [{}]


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_random_points_lie_in_the_space(seed: int) -> None:
    space = {
        "C": SearchRange(0.01, 100, log_scale=True),
        "max_iter": SearchRange(5, 9, integer=True),
        "tol": [0.1, 0.2],
    }
    measure, asked = counted([0.1] * 8)
    recipe = replace(recipe_of("binary"), space=space)
    problem = problem_of(recipe, rows_of("binary", rows=30), measure=measure, seed=seed)
    Random(trials=8).optimize(problem)
    assert len(asked) == 8
    for point in asked:
        assert 0.01 <= point["C"] <= 100
        assert point["max_iter"] in range(5, 10)
        assert point["tol"] in (0.1, 0.2)


@pytest.mark.parametrize(("seconds", "expected"), [(0.0, 1), (0.05, 3), (None, 10), (60.0, 10)])
def test_no_trial_starts_after_the_time_is_up(seconds: float | None, expected: int) -> None:
    begun = []

    def measure(params: Any, share: float = 1.0) -> lockgate.Trial:
        begun.append(params)
        time.sleep(0.03 if seconds == 0.05 else 0.001)
        return lockgate.Trial(params, 0.1)

    recipe = replace(recipe_of("binary"), space={"C": list(range(1, 11))})
    problem = problem_of(recipe, rows_of("binary"), measure=measure, budget=Budget(seconds))
    search = Grid().optimize(problem)
    assert len(search.trials) == len(begun)
    # a slow machine starts fewer, never more
    assert len(begun) == expected or (seconds == 0.05 and 1 <= len(begun) <= expected)


@pytest.mark.parametrize(("task", "metric"), CASES)
def test_perfect_answers_have_the_smallest_loss(task: Task, metric: str) -> None:
    table = rows_of(task)
    truth = table.target
    classes = np.unique(truth).tolist() if task != "regression" else []
    if task == "regression":
        right, wrong = Output(truth), Output(truth[::-1])
    else:
        chances = (truth[:, None] == np.array(classes)).astype(float)
        scores = chances[:, 1] if task == "binary" else chances
        shifted = 1 - scores if task == "binary" else np.roll(scores, 1, axis=1)
        labels = np.array(classes)[np.roll(chances, 1, axis=1).argmax(axis=1)]
        right, wrong = Output(truth, scores), Output(labels, shifted)
    smallest = compute_loss(metric, task, truth, right, classes)
    assert smallest == pytest.approx(0, abs=1e-12)
    assert compute_loss(metric, task, truth, wrong, classes) > smallest + 0.1
