"""Runs plugins whose results leave lockgate, and compares them with what they stand for."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lockgate.contract.compression import CompressRequest
from lockgate.contract.conversion import ConvertRequest, Engine
from lockgate.contract.plugin import hooks_of
from lockgate.contract.prediction import OpenRequest, WriteRequest
from lockgate.contract.recipes import UNSUPERVISED, Candidate, Fidelity, Recipe
from lockgate.contract.requests import Backend, numpy_backend
from lockgate.contract.search import OptimizeRequest, SearchResult
from lockgate.contract.sections import CellRules
from lockgate.contract.tables import Table
from lockgate.data.cell_rules import build_cell_steps
from lockgate.data.schema import fit_schema
from lockgate.data.splits import make_folds
from lockgate.errors import BackendUnavailable, LockgateError, NotCovered, PluginFailed
from lockgate.modeling.metrics.losses import chosen_metric
from lockgate.modeling.statistics.histograms import build_reference
from lockgate.modeling.training.cross_validation import CrossValidation
from lockgate.modeling.training.fitting import check_params, check_recipe, fit
from lockgate.models.bundle.open_format import open_model
from lockgate.models.converters.convert import inputs_of, pack_estimator
from lockgate.models.converters.libraries import library_of_last
from lockgate.models.converters.parity import check_parity
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.models.packing.model_files import check_written, write_model
from lockgate.models.packing.rows import table_from
from lockgate.models.skops_file import write_estimator
from lockgate.testing.examples import TASKS, example_candidate, example_table
from lockgate.testing.fingerprints import fingerprint
from lockgate.testing.subject import Failed, FittedExample, PluginUnderTest

__all__ = ["TRIALS", "try_recipe"]

ROWS = 200
"""Rows that predictions are compared for."""


def try_backend(subject: PluginUnderTest) -> None:
    """Convert arrays forth and back, count rows, and predict with packed models."""
    try:
        backend: Backend = subject.host().call("backend", "plugin")
    except BackendUnavailable as error:
        raise Failed(f"cannot be checked here: {error}") from None
    for sample in (
        np.array([1.5, np.nan, -np.inf, 1 + 2**-52]),
        np.array([True, False]),
        np.array([2**62 + 1, -1]),
    ):
        back = backend.to_numpy(backend.asarray(sample))
        if not isinstance(back, np.ndarray) or back.dtype != sample.dtype:
            actual = getattr(back, "dtype", type(back).__name__)
            raise Failed(f"returns {actual} for an array of {sample.dtype}; keep the type")
        if not np.array_equal(back, sample, equal_nan=sample.dtype.kind == "f"):
            raise Failed(f"changes values of {sample.dtype}: {sample.tolist()} to {back.tolist()}")
    train = example_table("binary")
    expected = build_reference(train.features, train.schema, numpy_backend())
    if fingerprint(build_reference(train.features, train.schema, backend)) != fingerprint(expected):
        raise Failed("counts rows in other bins than NumPy")
    for model, rows in _packed_models():
        model.predict(rows, backend=backend)


def try_engine(subject: PluginUnderTest) -> None:
    """Predict with forests of several kinds; each row is compared with NumPy."""
    engine: Engine = subject.host().call("engine", "plugin")
    if not engine.name or not callable(engine.prepare):
        raise Failed("Engine needs a name, and a function that prepares forests")
    for model, rows in _packed_models():
        first = model.predict(rows, engine=engine)
        second = model.predict(rows, engine=engine, threads=2)
        if fingerprint(first) != fingerprint(second):
            raise Failed("two predictions for equal rows differ")


def _packed_models() -> list[tuple[PackedModel, Any]]:
    """Return packed models of every task, linear and with trees, and rows."""
    models = []
    for task in TASKS:
        for trees in (False, True)[: 1 + (task not in UNSUPERVISED)]:
            estimator = example_candidate(task, trees=trees).estimator
            table = example_table(task, ROWS, seed=5)
            packed = pack_estimator(estimator, inputs_of(table.schema.features))
            models.append((PackedModel(packed.raw), table.features))
    return models


def try_format(subject: PluginUnderTest) -> None:
    """Write models, open them, and predict; or open the files of a request."""
    host = subject.host()
    if "write" not in hooks_of(subject.cls):
        opening = [value for value in subject.requests.values() if isinstance(value, OpenRequest)]
        if not opening:
            raise Failed(
                "cannot write, so that no example can be made: pass files of your own, "
                "requests={'name': lockgate.OpenRequest(...)}"
            )
        for files in opening:
            open_model(host, "plugin", files)
        return
    writing = {
        name: value for name, value in subject.requests.items() if isinstance(value, WriteRequest)
    }
    refusals = []
    for name, request in writing.items():
        before = fingerprint(request.estimator)
        try:
            written = write_model(host, "plugin", request)
            check_written(host, "plugin", request, written)
        except NotCovered as error:
            refusals.append(f"{name}: {error}")
        if fingerprint(request.estimator) != before:
            raise Failed(f"changes the estimator of {name}")
    if len(refusals) == len(writing):
        raise Failed(f"refuses every model: {'; '.join(refusals)}")
    different = [refusal for refusal in refusals if "predictions of the written model" in refusal]
    if different:
        raise Failed("; ".join(different))


def try_converter(subject: PluginUnderTest) -> None:
    """Convert fitted models, and compare the packed ones with them."""
    host = subject.host()
    examples = {
        name: value for name, value in subject.requests.items() if isinstance(value, FittedExample)
    }
    if not examples:
        raise Failed(
            "no model of its library is known here: pass "
            "requests={'name': lockgate.testing.FittedExample(model, rows)}"
        )

    def convert(trace: Any, estimator: Any, columns: list[Any]) -> Any:
        called.append(True)
        request = ConvertRequest(estimator=estimator, trace=trace, columns=tuple(columns))
        return host.call("converter", "plugin", request)

    for name, example in examples.items():
        called: list[bool] = []
        before = fingerprint(example.estimator)
        library = library_of_last(example.estimator)
        table, frame = table_from(example.rows)
        inputs = inputs_of(fit_schema(table).features)
        packed = pack_estimator(example.estimator, inputs, library_converters={library: convert})
        if not called:
            raise Failed(f"{name} is not a model of another library, but of {library}")
        check_parity(example.estimator, PackedModel(packed.raw), frame)
        if fingerprint(example.estimator) != before:
            raise Failed(f"changes the model {name}; work on a copy")


def try_compressor(subject: PluginUnderTest) -> None:
    """Return what the class declares: an estimator, or a packed model that predicts."""
    on_packed = getattr(subject.cls, "on_packed", False) is True
    for name, request in subject.hook_requests.items():
        try:
            candidate: Candidate = subject.call(request)
        except LockgateError:
            continue
        if (candidate.packed is not None) != on_packed:
            declared = "on_packed = True" if candidate.packed is not None else "no on_packed"
            raise Failed(f"on {name}: declare {declared} in the class, as its result has that form")
        if candidate.packed is not None:
            assert isinstance(request, CompressRequest)
            PackedModel(candidate.packed).predict(request.tune.features)


def try_optimizer(subject: PluginUnderTest) -> None:
    """The chosen parameters are those of the recipe, and each trial has a loss for each fold."""
    for name, request in subject.hook_requests.items():
        assert isinstance(request, OptimizeRequest)
        try:
            search: SearchResult = subject.call(request)
        except LockgateError:
            continue
        check_params(request.recipe, search.candidate.params, f"on {name}, the candidate")
        for trial in search.trials:
            check_params(request.recipe, trial.params, f"on {name}, a trial")
            if len(trial.losses) not in (0, len(request.folds)):
                raise Failed(
                    f"on {name}: a trial has {len(trial.losses)} losses; expected one for each of "
                    f"{len(request.folds)} folds, or none"
                )


def try_recipe(recipe: Recipe) -> None:
    """Fit a recipe on example rows and write it to a file, as the stage ``optimize`` does.

    Its portfolio is fitted, too, and a fit that is continued is compared with a whole fit.
    """
    table = example_table(recipe.task)
    check_recipe(recipe, "the model")
    steps = build_cell_steps(table.schema, CellRules(), recipe.requirements, recipe.task)
    full_recipe = replace(recipe, steps=(*steps, *recipe.steps))
    estimator = fit(full_recipe, {}, table)
    for params in recipe.portfolio:
        fit(full_recipe, params, table)
    if recipe.fidelity is not None:
        _compare_continued_fit(full_recipe, recipe.fidelity, table)
    with tempfile.TemporaryDirectory() as folder:
        write_estimator(Path(folder) / "model", estimator, between_stages=True)


def _compare_continued_fit(recipe: Recipe, fidelity: Fidelity, table: Table) -> None:
    metric = chosen_metric("auto", recipe.task)
    validation = CrossValidation(recipe, table, make_folds(table, "stratified", 2, 0), metric)
    with validation.start({}, 0) as partial:
        for rounds in (2, 5):
            partial.advance(rounds)
    whole = validation.measure({fidelity.rounds: partial.rounds}).losses[0]
    if not np.isclose(partial.losses[partial.rounds], whole, rtol=1e-9):
        raise PluginFailed(
            f"a fit that is continued to {partial.rounds} rounds has the loss "
            f"{partial.losses[partial.rounds]:.6g}, and a whole fit {whole:.6g}; declare "
            "continues=False in its fidelity"
        )


TRIALS: dict[str, Callable[[PluginUnderTest], None]] = {
    "backend": try_backend,
    "optimizer": try_optimizer,
    "compressor": try_compressor,
    "format": try_format,
    "converter": try_converter,
    "engine": try_engine,
}
"""How plugins are run whose hook alone says little, by kind."""
