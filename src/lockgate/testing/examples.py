"""Small example requests of every kind, to check plugins with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
)
from sklearn.linear_model import LogisticRegression, Ridge

from lockgate.contract.compression import CompressRequest
from lockgate.contract.evaluation import EvaluateRequest, Metric, ValueMatrix
from lockgate.contract.gates import BundleOrigin, EvaluatedBundle, JudgeRequest
from lockgate.contract.monitoring import MonitoringWindow, MonitorRequest
from lockgate.contract.prediction import Output, WriteRequest
from lockgate.contract.recipes import (
    TWO_CLASSES,
    UNSUPERVISED,
    BuildRequest,
    Candidate,
    Fidelity,
    Recipe,
    SearchRange,
    Task,
)
from lockgate.contract.requests import Request, numpy_backend
from lockgate.contract.search import OptimizeRequest
from lockgate.contract.sections import CellRules
from lockgate.contract.tables import LoadRequest, Table
from lockgate.data.cell_rules import build_cell_steps
from lockgate.data.schema import fit_schema, table
from lockgate.data.splits import make_folds
from lockgate.modeling.metrics.losses import chosen_metric
from lockgate.modeling.statistics.histograms import build_reference, count_window
from lockgate.modeling.training.anomaly_detector import AnomalyDetector
from lockgate.modeling.training.cross_validation import CrossValidation
from lockgate.modeling.training.estimators import get_classes, predict_output
from lockgate.modeling.training.fitting import fit, loss_function
from lockgate.modeling.training.several_targets import fit_each_target
from lockgate.models.converters.convert import inputs_of, pack_estimator

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from lockgate.contract.prediction import Columns

__all__ = ["TASKS", "example_candidate", "example_requests", "example_table"]

TASKS: tuple[Task, ...] = get_args(Task)


def example_table(task: Task, rows: int = 240, seed: int = 0) -> Table:
    """Return a table of numbers with missing values and a category, from which a target follows.

    There are two targets where there are several. For a task without a target the rows are of two
    kinds, and some lie far out.
    """
    built = _build_table(task, rows, seed)
    return replace(built, frame=built.frame.copy())


@cache
def _build_table(task: Task, rows: int, seed: int) -> Table:
    rng = np.random.default_rng(seed)
    size, price = rng.normal(size=rows), rng.gamma(2.0, 10.0, rows)
    colour = rng.choice(["blue", "green", "red"], rows)
    signal = size + 0.05 * price + (colour == "red") + rng.normal(scale=0.5, size=rows)
    target: Any = signal
    if task == "binary":
        target = np.where(signal > np.median(signal), "yes", "no")
    elif task == "multiclass":
        target = np.digitize(signal, np.quantile(signal, [1 / 3, 2 / 3])).astype(str)
    price[rng.random(rows) < 0.05] = np.nan
    frame = pd.DataFrame(
        {"size": size, "price": price, "noise": rng.normal(size=rows), "colour": colour}
    )
    name: str | tuple[str, ...] | None = None if task in UNSUPERVISED else "target"
    if name is None:
        frame["size"] += np.where(colour == "red", 6.0, 0.0)
        frame.loc[rng.random(rows) < 0.02, "noise"] *= 8
    else:
        frame["target"] = target
    if task == "multioutput":
        frame["second"], name = signal - 2 * size, ("target", "second")
    base_table = table(frame.astype({"colour": object}), target=name)
    return Table(
        base_table.frame.assign(colour=base_table.frame["colour"].astype(object)),
        fit_schema(base_table),
        base_table.digest,
    )


def example_requests(kind: str, seed: int = 0) -> dict[str, Request]:
    """Return example requests of a kind by name; none for backends, converters and engines.

    A plugin need not serve all of them, but must refuse the others with one of
    lockgate's errors, such as `lockgate.DataError`.

    Parameters
    ----------
    kind : str
        Kind of plugin, e.g. ``compressor``.
    seed : int
        Seed that the requests carry.

    Returns
    -------
    dict of str to Request
        A request for each task, e.g. ``binary``; loaders and monitors have their own.

    """
    if kind == "loader":
        return {"project": LoadRequest(seed=seed)}
    if kind == "monitor":
        return {
            "same": _make_monitor_request(seed, 0.0),
            "shifted": _make_monitor_request(seed, 1.0),
        }
    factories: dict[str, Callable[[Task, int], Request]] = {
        "model": _make_build_request,
        "optimizer": _make_optimize_request,
        "compressor": _make_compress_request,
        "evaluator": _make_evaluate_request,
        "gate": _make_judge_request,
        "format": _make_write_request,
    }
    if kind not in factories:
        return {}
    requests: dict[str, Request] = {}
    if kind == "optimizer":
        requests["binary-trees"] = _make_optimize_request("binary", seed, trees=True)
    for task in TASKS:
        requests[task] = factories[kind](task, seed)
        if task in UNSUPERVISED:
            continue
        if kind == "compressor":
            requests[f"{task}-trees"] = _make_compress_request(task, seed, trees=True)
        if kind == "format":
            requests[f"{task}-trees"] = _make_write_request(task, seed, trees=True)
    return requests


def _make_build_request(task: Task, seed: int) -> BuildRequest:
    return BuildRequest(seed=seed, schema=example_table(task).schema, task=task)


def _make_recipe(task: Task, trees: bool = False) -> Recipe:
    if task == "multioutput":
        return fit_each_target(_make_recipe("regression", trees))
    estimator: BaseEstimator
    fidelity = None
    space: dict[str, SearchRange | list[Any]] = {}
    if trees:
        regression = task == "regression"
        cls = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
        estimator = cls(max_iter=20, random_state=0)
        fidelity = Fidelity("max_iter", "learning_rate", continues=True)
        space = {"learning_rate": SearchRange(0.05, 0.3, log_scale=True)}
    elif task == "clustering":
        estimator, space = KMeans(2, n_init=3, random_state=0), {"n_clusters": [2, 3]}
    elif task == "anomaly":
        estimator = AnomalyDetector(IsolationForest(n_estimators=10, random_state=0))
    elif task == "regression":
        estimator, space = Ridge(), {"alpha": SearchRange(0.01, 100, log_scale=True)}
    else:
        estimator = LogisticRegression(max_iter=500)
        space = {"C": SearchRange(0.01, 100, log_scale=True)}
    recipe = Recipe(estimator, task, space)
    steps = build_cell_steps(example_table(task).schema, CellRules(), recipe.requirements)
    return Recipe(estimator, task, space, steps, fidelity=fidelity)


def _make_optimize_request(task: Task, seed: int, trees: bool = False) -> OptimizeRequest:
    train, recipe = example_table(task), _make_recipe(task, trees)
    folds = make_folds(train, "stratified", 3, 0)
    metric = chosen_metric("auto", task)
    validation = CrossValidation(recipe, train, folds, metric)
    return OptimizeRequest(
        seed=seed,
        recipe=recipe,
        train=train,
        folds=folds,
        metric=metric,
        measure=validation.measure,
        start=validation.start,
        path=validation.path,
    )


def example_candidate(task: Task, *, trees: bool = False) -> Candidate:
    """Return a model that is fitted on the example table of a task."""
    recipe = _make_recipe(task, trees)
    return Candidate(recipe, {}, fit(recipe, {}, example_table(task)))


def _make_write_request(task: Task, seed: int, trees: bool = False) -> WriteRequest:
    estimator, tune = example_candidate(task, trees=trees).estimator, example_table(task, seed=1)
    return WriteRequest(
        seed=seed,
        estimator=estimator,
        schema=example_table(task).schema,
        task=task,
        classes=get_classes(estimator),
        features=tune.features,
    )


def _make_compress_request(task: Task, seed: int, trees: bool = False) -> CompressRequest:
    train, tune = example_table(task), example_table(task, seed=1)
    candidate = example_candidate(task, trees=trees)
    metric = chosen_metric("auto", task)
    return CompressRequest(
        seed=seed,
        candidate=candidate,
        train=train,
        tune=tune,
        metric=metric,
        loss=loss_function(tune, metric, task, get_classes(candidate.estimator)),
        fit=lambda changed, params: fit(changed, params, train),
        max_loss=0.05,
        packed=lambda: _pack(candidate.estimator, train),
    )


def _pack(estimator: Any, table: Table) -> bytes:
    return pack_estimator(estimator, inputs_of(table.schema.features)).raw


class _FittedPredictor:
    """A fitted model as a predictor."""

    def __init__(self, task: Task) -> None:
        self.schema, self._task = example_table(task).schema, task
        self._estimator = fit(_make_recipe(task), {}, example_table(task))
        self.classes = get_classes(self._estimator)

    def predict(self, columns: Columns) -> Output:
        return predict_output(self._estimator, pd.DataFrame(columns), self._task, self.classes)


def _make_evaluate_request(task: Task, seed: int) -> EvaluateRequest:
    test, predictor = example_table(task, seed=2), _FittedPredictor(task)
    return EvaluateRequest(
        seed=seed,
        predictor=predictor,
        table=test,
        output=predictor.predict(test.features),
        task=task,
        classes=predictor.classes,
        threshold=0.5 if task in TWO_CLASSES else None,
        value_matrix=ValueMatrix(true_positive=10, false_positive=-1),
        model_bytes=1024,
        rows=_with_left_out(test.frame),
    )


def _with_left_out(frame: pd.DataFrame) -> pd.DataFrame:
    """Add columns that the model leaves out: a region, and days."""
    return frame.assign(
        region=np.where(np.arange(len(frame)) % 3, "north", "south"),
        day=pd.date_range("2026-01-01", periods=len(frame)),
    )


def _make_judge_request(task: Task, seed: int) -> JudgeRequest:
    """Return a request with the same model as candidate and as incumbent."""
    evaluate_request = _make_evaluate_request(task, seed)
    frame = evaluate_request.rows
    train = example_table(task)
    backend = numpy_backend()
    reference = build_reference(train.features, train.schema, backend)
    metrics = {"example": {"score": Metric(0.8, 0.7, 0.9)}}
    candidate = EvaluatedBundle(
        name="example",
        version="1.1.0",
        digest="1" * 64,
        schema=train.schema,
        task=task,
        classes=evaluate_request.classes,
        threshold=evaluate_request.threshold,
        value_matrix=evaluate_request.value_matrix,
        predictor=evaluate_request.predictor,
        reference=reference,
        model_bytes=1024,
        reported_metrics={"example": {"score": 0.8}},
        table=evaluate_request.table,
        output=evaluate_request.output,
        metrics=metrics,
    )
    incumbent = replace(candidate, version="1.0.0", digest="0" * 64, model_bytes=2048)
    return JudgeRequest(
        seed=seed,
        candidate=candidate,
        incumbent=incumbent,
        rows=frame,
        today=frame,
        origin=BundleOrigin("pipeline", "0" * 40),
    )


def _make_monitor_request(seed: int, shift: float) -> MonitorRequest:
    train, recent = example_table("binary"), example_table("binary", rows=500, seed=3)
    rows = recent.frame.assign(size=recent.frame["size"] + shift)
    shifted = Table(rows, recent.schema, recent.digest)
    backend = numpy_backend()
    reference = build_reference(train.features, train.schema, backend)
    counts = count_window(reference, shifted.features, backend)
    window = MonitoringWindow(
        counts, len(shifted), "2026-01-01", "2026-02-01", shifted, rows=_with_left_out(rows)
    )
    return MonitorRequest(seed=seed, reference=reference, window=window, schema=train.schema)
