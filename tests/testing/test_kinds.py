"""A plugin of any kind that fails, returns nothing, or is wrong does not pass the kit."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor
from sklearn.linear_model import Ridge
from tests.array_backends import STRICT

import lockgate
from lockgate.contract.kinds import KINDS
from lockgate.contract.requests import numpy_backend
from lockgate.testing import Failed, FittedExample, check_plugin, example_requests, run_checks
from lockgate.testing.examples import example_table

KIND_NAMES = [kind.name for kind in KINDS]


@functools.cache
def booster() -> dict[str, FittedExample]:
    """Models of a library that needs a converter."""
    table = example_table("binary", 120)
    rows = table.features[["size", "noise"]]
    classes = (rows["size"] > 0).astype(int)
    return {
        "classes": FittedExample(LGBMClassifier(n_estimators=3).fit(rows, classes), rows),
        "numbers": FittedExample(LGBMRegressor(n_estimators=3).fit(rows, rows["size"]), rows),
    }


@functools.cache
def requests_of(kind: str) -> dict[str, Any]:
    """Requests, made once: a stub does not look at them."""
    if kind == "converter":
        return dict(booster())
    examples: dict[str, Any] = dict(example_requests(kind))
    return dict(list(examples.items())[:1])


def stub(kind: str, answer: Callable[..., Any]) -> type:
    """A plugin of that kind whose every hook gives this answer."""
    row = next(row for row in KINDS if row.name == kind)
    hooks = [row.hook, *([row.companion.hook] if row.companion else [])]

    def without_request(self: Any) -> Any:
        return answer()

    def with_request(self: Any, request: Any) -> Any:
        return answer()

    body: dict[str, Any] = {
        hook: lockgate.hookimpl(without_request if row.request is None else with_request)
        for hook in hooks
    }
    body |= {"__doc__": "Do nothing right.", "__qualname__": "stub.<locals>.Stub"}
    return lockgate.plugin(type("Stub", (), {**body, "__module__": __name__}))


def fails() -> Any:
    raise ZeroDivisionError("no data")


def leaves() -> Any:
    raise SystemExit(0)


def refuses() -> Any:
    raise lockgate.DataError("never")


@pytest.mark.parametrize("kind", KIND_NAMES)
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (fails, "ZeroDivisionError: no data"),
        (leaves, "SystemExit"),
        (refuses, "never"),
        (lambda: None, "returned NoneType"),
        (lambda: 3, "returned int"),
    ],
    ids=["fails", "leaves", "refuses", "None", "another type"],
)
def test_a_stub_of_any_kind_fails(kind: str, answer: Callable[[], Any], message: str) -> None:
    with pytest.raises(Failed, match=message):
        check_plugin(kind, stub(kind, answer), requests=requests_of(kind))


@pytest.mark.parametrize("kind", ["backend", "converter", "engine", "format"])
def test_the_messages_of_all_checks_are_texts(kind: str) -> None:
    messages = run_checks(kind, stub(kind, fails), requests={})
    assert all(isinstance(message, str) for message in messages.values())
    assert messages["check_predictions"]


def strict(**changes: Any) -> lockgate.Backend:
    return replace(STRICT, **changes)


def rounded(dtype: str) -> Callable[[Any], np.ndarray]:
    def to_numpy(array: Any) -> np.ndarray:
        values = np.asarray(array)
        return values.astype(dtype) if values.dtype.kind == "f" else values

    return to_numpy


BACKENDS: dict[str, tuple[Callable[[], lockgate.Backend], str]] = {
    "float16": (lambda: strict(to_numpy=rounded("f2")), "returns float16 for an array of float64"),
    "float32 and back": (
        lambda: strict(to_numpy=lambda x: rounded("f4")(x).astype(np.asarray(x).dtype)),
        "changes values of float64",
    ),
    "zeros for missing values": (
        lambda: strict(
            to_numpy=lambda x: np.nan_to_num(np.asarray(x), posinf=np.inf, neginf=-np.inf)
        ),
        "changes values of float64",
    ),
    "lists": (lambda: strict(to_numpy=lambda x: np.asarray(x).tolist()), "returns list"),
}


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_that_changes_numbers_fails(name: str) -> None:
    make, message = BACKENDS[name]
    with pytest.raises(Failed, match=f"check_predictions: {message}"):
        check_plugin("backend", stub("backend", make))


@pytest.mark.parametrize("make", [strict, numpy_backend])
def test_a_backend_that_is_right_passes(make: Callable[[], lockgate.Backend]) -> None:
    check_plugin("backend", stub("backend", make))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run, x: run(x) + 1e-6, "engine other, at thresholds, differs"),
        (lambda run, x: run(x).astype("f4"), "expected doubles"),
        (lambda run, x: None, "returned NoneType"),
        (lambda run, x: run(x), ""),
    ],
    ids=["wrong", "short", "None", "right"],
)
def test_an_engine_is_compared(change: Callable[..., Any], message: str) -> None:
    def prepare(forest: Any) -> Any:
        return lambda x: change(forest.run, x)

    plugin = stub("engine", lambda: lockgate.Engine("other", prepare))
    assert_checked("engine", plugin, message)


def assert_checked(kind: str, plugin: type, message: str, **options: Any) -> None:
    """Check a plugin, which must pass if there is no message."""
    if not message:
        check_plugin(kind, plugin, **options)
        return
    with pytest.raises(Failed, match=message):
        check_plugin(kind, plugin, **options)


def lookup() -> type:
    @lockgate.plugin
    class Table:
        """Linear models as their coefficients; `shift` and `file` make it err."""

        shift: float = lockgate.setting(0.0, help="what is added to each score")
        file: str = lockgate.setting("model.npy", help="name of the file")

        @lockgate.hookimpl
        def write(self, request: lockgate.WriteRequest) -> lockgate.ModelFiles:
            """Write scores of the rows that are compared, by their numbers."""
            scores = request.estimator.predict_proba(request.features)[:, 1]
            keys = request.features["size"].to_numpy()
            return lockgate.ModelFiles({self.file: np.stack([keys, scores]).tobytes()})

        @lockgate.hookimpl
        def open(self, request: lockgate.OpenRequest) -> lockgate.Predictor:
            """Look scores up."""
            raw = (request.directory / request.files[0]).read_bytes()
            keys, scores = np.frombuffer(raw).reshape(2, -1)
            return LookUp(request, dict(zip(keys.tolist(), scores + self.shift, strict=True)))

    return Table


class LookUp:
    """Scores by the number in the column `size`."""

    def __init__(self, request: lockgate.OpenRequest, scores: dict[float, float]) -> None:
        self.schema, self.scores, self.classes = request.schema, scores, request.classes
        self.calls = count()

    def predict(self, columns: Any) -> lockgate.Output:
        """Look up."""
        score = np.array([self.scores[size] for size in columns["size"].tolist()])
        return lockgate.Output(np.asarray(self.classes)[(score > 0.5).astype(int)], score)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, ""),
        ({"shift": 1e-4}, "refuses every model.*predictions of the written model differ"),
        ({"file": "../model"}, "expected the name of a file without a folder"),
        ({"file": "manifest.json"}, "a file named 'manifest.json'"),
    ],
)
def test_a_format_is_compared(settings: dict[str, Any], message: str) -> None:
    assert_checked("format", lookup(), message, settings=settings, requests=requests_of("format"))


DEPENDENT: dict[str, tuple[Callable[[LookUp, np.ndarray], np.ndarray], str]] = {
    "on other rows": (
        lambda model, score: score if len(score) > 1 else score * 0.5,
        "its predictions depend on other rows",
    ),
    "on the order": (
        lambda model, score: score + 1e-4 * np.arange(len(score)) * (len(score) == 16),
        "its predictions depend on the order of the rows",
    ),
    "on the calls before": (
        lambda model, score: score * (1.0 if next(model.calls) < 2 else 0.9),
        "its predictions differ when they are predicted again",
    ),
}


@pytest.mark.parametrize("how", DEPENDENT)
def test_predictions_that_depend_on_more_than_their_row_fail(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, message = DEPENDENT[how]
    plain = LookUp.predict

    def predict(self: LookUp, columns: Any) -> lockgate.Output:
        output = plain(self, columns)
        assert output.score is not None
        return replace(output, score=change(self, output.score))

    monkeypatch.setattr(LookUp, "predict", predict)
    with pytest.raises(Failed, match=message):
        check_plugin("format", lookup(), requests=requests_of("format"))


def test_a_format_that_only_opens_needs_files() -> None:
    @lockgate.plugin
    class Reader:
        """Open, and nothing else."""

        @lockgate.hookimpl
        def open(self, request: lockgate.OpenRequest) -> lockgate.Predictor:
            """Open."""
            return LookUp(request, {})

    with pytest.raises(Failed, match="pass files of your own"):
        check_plugin("format", Reader)


def test_writing_alone_is_no_format() -> None:
    with pytest.raises(lockgate.PluginDefinitionError, match="implements write without open"):

        @lockgate.plugin
        class Writer:
            """Write, and nothing else."""

            @lockgate.hookimpl
            def write(self, request: lockgate.WriteRequest) -> lockgate.ModelFiles:
                """Write."""
                return lockgate.ModelFiles({})


def converter(work: Callable[[lockgate.ConvertRequest], Any]) -> type:
    @lockgate.plugin
    class Converter:
        """Convert models of LightGBM."""

        @lockgate.hookimpl
        def convert(self, request: lockgate.ConvertRequest) -> lockgate.ConvertedModel:
            """Convert."""
            return work(request)  # type: ignore[no-any-return]

    return Converter


def constant(request: lockgate.ConvertRequest) -> lockgate.ConvertedModel:
    """Return one number for every row: the operations are named as the documentation does."""
    trace, builder = request.trace, request.trace.builder
    zeros = [0.0] * len(request.columns)
    filled = builder.array(zeros)
    known = builder.add("fill", trace.numbers(request.columns), values=filled, gap=None)
    weights, bias = builder.array([zeros]), builder.array([1.0])
    return lockgate.ConvertedModel(builder.add("linear", known, weights=weights, bias=bias))


def misnamed(request: lockgate.ConvertRequest) -> lockgate.ConvertedModel:
    return lockgate.ConvertedModel(request.trace.builder.add("lineer"))


def test_a_converter_is_compared() -> None:
    numbers = {"numbers": booster()["numbers"]}
    differs = r"differ.*e.g. for size=.*: .*1.0.* instead of .*the converter lightgbm"
    with pytest.raises(Failed, match=differs):
        check_plugin("converter", converter(constant), requests=numbers)
    with pytest.raises(Failed, match="unknown operation 'lineer', did you mean 'linear'"):
        check_plugin("converter", converter(misnamed), requests=numbers)
    with pytest.raises(Failed, match="no model of its library is known here"):
        check_plugin("converter", converter(constant))
    own = example_table("binary").features[["size"]]
    from sklearn.linear_model import LinearRegression

    ours = {"ours": FittedExample(LinearRegression().fit(own, own["size"]), own)}
    with pytest.raises(Failed, match="ours is not a model of another library"):
        check_plugin("converter", converter(constant), requests=ours)


def test_what_a_check_cannot_foresee_is_its_message() -> None:
    class Odd:
        """An estimator that cannot even be asked for its parameters."""

        def get_params(self, deep: bool = True) -> dict[str, Any]:
            raise RuntimeError("not yet")

    @lockgate.plugin
    class Model:
        """Propose an odd estimator."""

        @lockgate.hookimpl
        def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
            """Propose."""
            return lockgate.Recipe(Odd(), request.task)  # type: ignore[arg-type]

    with pytest.raises(Failed, match="RuntimeError: not yet"):
        check_plugin("model", Model)


def test_equal_models_with_other_bytes_are_equal() -> None:
    counted = iter(range(10_000))

    @lockgate.plugin
    class Note:
        """Add a remark to the model, which changes no prediction."""

        @lockgate.hookimpl
        def compress(self, request: lockgate.CompressRequest) -> lockgate.Candidate:
            """Note."""
            import copy

            estimator = copy.deepcopy(request.candidate.estimator)
            estimator.remark_ = next(counted)
            return replace(request.candidate, estimator=estimator)

    request = example_requests("compressor")["binary"]
    check_plugin("compressor", Note, requests={"binary": request})


class Adding(RegressorMixin, BaseEstimator):
    """An estimator that, continued, adds its rounds to those it has."""

    def __init__(self, rounds: int = 3, warm_start: bool = False) -> None:
        self.rounds, self.warm_start = rounds, warm_start

    def fit(self, X: Any, y: Any) -> Adding:
        self.fitted_ = self.rounds + (getattr(self, "fitted_", 0) if self.warm_start else 0)
        return self

    def predict(self, X: Any) -> np.ndarray:
        return np.full(len(X), float(self.fitted_))


def model_of(make: Callable[[], Any], **fields: Any) -> type:
    """A plugin that offers this estimator for regressions."""

    @lockgate.plugin
    class Offered:
        """A model of the tests."""

        @lockgate.hookimpl
        def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
            """Return it."""
            if request.task != "regression":
                raise lockgate.DataError("only regressions")
            return lockgate.Recipe(make(), request.task, **fields)

    return Offered


@pytest.mark.parametrize(
    ("make", "fields", "message"),
    [
        (
            lambda: ExtraTreesRegressor(4, random_state=0),
            {"fidelity": lockgate.Fidelity("n_estimators", continues=True)},
            "",
        ),
        (
            lambda: GradientBoostingRegressor(random_state=0),
            {"fidelity": lockgate.Fidelity("max_depth", continues=True)},
            "GradientBoostingRegressor has more rounds than its max_depth",
        ),
        (
            lambda: Adding(),
            {"fidelity": lockgate.Fidelity("rounds", continues=True)},
            "a fit that is continued to 5 rounds has the loss .*declare continues=False",
        ),
        (Ridge, {"portfolio": ({"alpha": -2.0},)}, "alpha"),
    ],
    ids=["right", "another parameter", "adds rounds", "portfolio"],
)
def test_a_model_is_continued_and_its_portfolio_fitted(
    make: Callable[[], Any], fields: dict[str, Any], message: str
) -> None:
    if not message:
        check_plugin("model", model_of(make, **fields))
        return
    with pytest.raises(Failed, match=message):
        check_plugin("model", model_of(make, **fields))


@pytest.mark.parametrize(
    ("params", "losses", "message"),
    [
        ({"bogus": 1}, (), "the candidate sets 'bogus'"),
        ({}, (0.1, 0.2), "a trial has 2 losses; expected one for each of 3 folds"),
    ],
)
def test_what_an_optimizer_returns_is_checked(
    params: dict[str, Any], losses: tuple[float, ...], message: str
) -> None:
    @lockgate.plugin
    class Chooses:
        """An optimizer of the tests."""

        @lockgate.hookimpl
        def optimize(self, request: lockgate.OptimizeRequest) -> lockgate.SearchResult:
            """Choose at once."""
            trial = lockgate.Trial({}, 0.5, losses=losses)
            return lockgate.SearchResult(lockgate.Candidate(request.recipe, params), (trial,))

    with pytest.raises(Failed, match=message):
        check_plugin("optimizer", Chooses)
