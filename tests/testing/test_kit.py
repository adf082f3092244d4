"""The checks for plugin authors: each refuses its own fault, and lets a good plugin pass."""

import copy
import functools
import importlib
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier

import lockgate
from lockgate.contract.kinds import KINDS
from lockgate.testing import (
    CHECKS,
    Failed,
    check_installed,
    check_plugin,
    example_requests,
    run_checks,
)

CALLS = count()


@functools.cache
def examples(kind: str) -> dict[str, Any]:
    """The example requests of each task, made once."""
    return {task: example_requests(kind)[task] for task in ("binary", "multiclass", "regression")}


def requests_of(kind: str) -> dict[str, Any]:
    """Requests that a faulty plugin may spoil."""
    return copy.deepcopy(examples(kind))


def undecorated() -> type:
    class Plain:
        """Not a plugin."""

        def compress(self, request: Any) -> Any:
            return request.candidate

    return Plain


def another_hook() -> type:
    @lockgate.plugin
    class Loader:
        """Load what nobody asked for."""

        @lockgate.hookimpl
        def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
            """Load."""
            return lockgate.table(pd.DataFrame({"y": [1]}), target="y")

    return Loader


def compressor(
    work: Callable[[lockgate.CompressRequest], Any] = lambda request: request.candidate,
    *,
    doc: str = "Change nothing.",
    fields: dict[str, tuple[Any, Any]] | None = None,
) -> type:
    """A compressor with this work, docstring, and settings as (type, default)."""

    def compress(self: Any, request: lockgate.CompressRequest) -> lockgate.Candidate:
        answer: lockgate.Candidate = work(request)
        return answer

    declared = fields or {}
    body: dict[str, Any] = {"compress": lockgate.hookimpl(compress), "__doc__": doc}
    body["__qualname__"] = f"{compressor.__name__}.<locals>.Tried"
    body["__annotations__"] = {name: hint for name, (hint, _) in declared.items()}
    body |= {name: default for name, (_, default) in declared.items()}
    return lockgate.plugin(type("Tried", (), {**body, "__module__": __name__}))


def model(build_recipe: Callable[[lockgate.BuildRequest], lockgate.Recipe]) -> type:
    """A model that proposes what this function makes."""

    @lockgate.plugin
    class Model:
        """Propose a recipe."""

        @lockgate.hookimpl
        def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
            """Propose."""
            return build_recipe(request)

    return Model


def fails(error: Exception) -> Callable[[lockgate.CompressRequest], Any]:
    def work(request: lockgate.CompressRequest) -> Any:
        raise error

    return work


def spoils_rows(request: lockgate.CompressRequest) -> lockgate.Candidate:
    request.tune.frame.loc[0, "size"] = 1e6
    return request.candidate


def spoils_the_model(request: lockgate.CompressRequest) -> lockgate.Candidate:
    last = request.candidate.estimator[-1]
    if hasattr(last, "coef_"):
        last.coef_ = last.coef_ * 0
    return request.candidate


def another_every_time(request: lockgate.CompressRequest) -> lockgate.Candidate:
    return replace(request.candidate, threshold=next(CALLS) / 1e6)


def serves_two_classes_alone(request: lockgate.CompressRequest) -> lockgate.Candidate:
    if request.candidate.recipe.task != "binary":
        raise lockgate.NotApplicable("two classes only")
    return request.candidate


class Unwritable(ClassifierMixin, BaseEstimator):
    """Fits and answers, and is on no list of types."""

    def fit(self, X: Any, y: Any) -> "Unwritable":
        self.inner_ = LogisticRegression().fit(X, y)
        self.classes_ = self.inner_.classes_
        return self

    def predict_proba(self, X: Any) -> Any:
        return self.inner_.predict_proba(X)


def classes_only(make: Callable[[], Any]) -> Callable[[lockgate.BuildRequest], lockgate.Recipe]:
    def build(brief: lockgate.BuildRequest) -> lockgate.Recipe:
        if brief.task == "regression":
            raise lockgate.DataError("classes only")
        return lockgate.Recipe(make(), brief.task)

    return build


def any_task(brief: lockgate.BuildRequest) -> lockgate.Recipe:
    estimator = Ridge() if brief.task == "regression" else LogisticRegression(max_iter=500)
    return lockgate.Recipe(estimator, brief.task)


def misnamed_space(brief: lockgate.BuildRequest) -> lockgate.Recipe:
    return replace(any_task(brief), space={"alphas": lockgate.SearchRange(0.1, 1)})


Faulty = tuple[str, str, Callable[[], type], str]
FAULTY: list[Faulty] = [
    ("check_contract", "compressor", undecorated, "decorate the class with @lockgate.plugin"),
    ("check_contract", "compressor", another_hook, "expected the method compress of a compressor"),
    ("check_documentation", "compressor", lambda: compressor(doc="no end"), "full stop"),
    (
        "check_documentation",
        "compressor",
        lambda: compressor(fields={"steps": (int, 3)}),
        "document steps",
    ),
    (
        "check_settings",
        "compressor",
        lambda: compressor(fields={"steps": (int, lockgate.setting(help="how many"))}),
        "steps without a default",
    ),
    (
        "check_requests",
        "compressor",
        lambda: compressor(fails(KeyError("q"))),
        "raise lockgate.DataError",
    ),
    (
        "check_requests",
        "compressor",
        lambda: compressor(fails(lockgate.NotApplicable("never"))),
        "refuses every request: binary: never",
    ),
    ("check_requests", "compressor", lambda: compressor(lambda request: 3), "returned int"),
    ("check_purity", "compressor", lambda: compressor(spoils_rows), "changes its input on binary"),
    ("check_purity", "compressor", lambda: compressor(spoils_the_model), "work on a copy"),
    (
        "check_equal_seeds",
        "compressor",
        lambda: compressor(another_every_time),
        "draw random numbers from request.seed",
    ),
    ("check_model", "model", lambda: model(classes_only(Unwritable)), "must not contain"),
    ("check_model", "model", lambda: model(classes_only(RidgeClassifier)), "no predict_proba"),
    ("check_model", "model", lambda: model(misnamed_space), "sets 'alphas'"),
]

GOOD: list[tuple[str, Callable[[], type]]] = [
    ("compressor", compressor),
    ("compressor", lambda: compressor(serves_two_classes_alone)),
    ("compressor", lambda: compressor(doc="Try `steps` times.", fields={"steps": (int, 3)})),
    ("compressor", lambda: compressor(fields={"steps": (int, lockgate.setting(3, help="tries"))})),
    ("model", lambda: model(any_task)),
    ("model", lambda: model(classes_only(LogisticRegression))),
]


def test_every_check_has_a_plugin_that_it_refuses() -> None:
    tried = {name for name, *_ in FAULTY} | {"check_lazy_imports", "check_predictions"}
    assert tried == {check.__name__ for check in CHECKS}


@pytest.mark.parametrize(("check", "kind", "make", "message"), FAULTY)
def test_a_check_refuses_its_fault(
    check: str, kind: str, make: Callable[[], type], message: str
) -> None:
    with pytest.raises(Failed, match=rf"^\w+: {check}: .*{re.escape(message)}") as caught:
        check_plugin(kind, make(), requests=requests_of(kind))
    assert re.findall(r"check_\w+(?=: )", str(caught.value)) == [check]


@pytest.mark.parametrize(("kind", "make"), GOOD)
def test_a_good_plugin_passes_every_check(kind: str, make: Callable[[], type]) -> None:
    complaints = run_checks(kind, make(), requests=requests_of(kind))
    assert complaints == dict.fromkeys((check.__name__ for check in CHECKS), "")


def test_what_cannot_be_built_is_not_tried() -> None:
    assert set(run_checks("compressor", undecorated(), requests={})) == {"check_contract"}
    unset = compressor(fields={"steps": (int, lockgate.setting(help="how many"))})
    assert "check_requests" not in run_checks("compressor", unset, requests={})
    check_plugin("compressor", unset, settings={"steps": 2}, requests=requests_of("compressor"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"doc": ""}, "has no docstring"),
        ({"fields": {"steps": (Any, lockgate.setting(3, help="tries"))}}, "steps is of type Any"),
    ],
)
def test_what_is_no_plugin_at_all_is_refused_before_any_check(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(lockgate.PluginDefinitionError, match=message):
        compressor(**changes)


# --- a module of its own: what importing it loads


PLUGIN = '''
import lockgate

@lockgate.plugin
class Nothing:
    """Change nothing."""

    @lockgate.hookimpl
    def compress(self, request: lockgate.CompressRequest) -> lockgate.Candidate:
        """Change nothing."""
        {inside}
        return request.candidate
'''


@pytest.mark.parametrize(
    ("before", "inside", "complaint"),
    [
        ("", "import pandas", ""),
        ("import json", "pass", ""),
        ("import pandas", "pass", " imports pandas; import it inside the method"),
        (
            "import sys\nif 'pandas' not in sys.modules:\n    raise OSError('broken')",
            "pass",
            "cannot be imported alone",
        ),
    ],
)
def test_importing_a_plugin_loads_nothing_heavy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, inside: str, complaint: str
) -> None:
    name = f"tried_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(before + PLUGIN.format(inside=inside))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # for the process that imports it alone
    plugin = importlib.import_module(name).Nothing
    answer = run_checks("compressor", plugin, requests={})["check_lazy_imports"]
    assert (complaint in answer) if complaint else answer == ""


# --- what is known to fail, what is asked, what is installed


def test_a_failure_that_is_expected_is_none() -> None:
    impure = compressor(spoils_rows)
    check_plugin(
        "compressor",
        impure,
        requests=requests_of("compressor"),
        expected_failures={"check_purity": "writes in place"},
    )


def test_an_expected_failure_that_passes_is_out_of_date() -> None:
    with pytest.raises(Failed, match="check_purity passes, but was expected.*writes in place"):
        check_plugin(
            "compressor", compressor(), expected_failures={"check_purity": "writes in place"}
        )


def test_all_faults_are_named_at_once() -> None:
    two = compressor(spoils_rows, doc="no end")
    with pytest.raises(Failed, match="check_documentation: .*; check_purity: "):
        check_plugin("compressor", two, requests=requests_of("compressor"))


def test_a_kind_that_is_none_is_refused_with_the_kinds() -> None:
    with pytest.raises(Failed, match="unknown kind 'compresser'; kinds: loader, model"):
        run_checks("compresser", compressor())


def test_requests_of_ones_own_take_the_place_of_the_examples() -> None:
    only = examples("compressor")["regression"]
    complaints = run_checks(
        "compressor", compressor(serves_two_classes_alone), requests={"mine": only}
    )
    assert complaints["check_requests"] == "refuses every request: mine: two classes only"


@pytest.mark.parametrize("kind", [row.name for row in KINDS])
def test_example_requests_are_those_of_the_hook(kind: str) -> None:
    request = next(row.request for row in KINDS if row.name == kind)
    examples = example_requests(kind, seed=4)
    assert bool(examples) == (kind not in ("backend", "converter", "engine"))
    for example in examples.values():
        assert request is not None
        assert isinstance(example, lockgate.WriteRequest if kind == "format" else request)
        assert example.seed == 4


def test_an_installed_plugin_is_found_by_its_name() -> None:
    assert check_installed("compressor", "prune").__name__ == "Prune"
    with pytest.raises(Failed, match=r'entry-points."lockgate\.compressor"\] with zap = '):
        check_installed("compressor", "zap")
