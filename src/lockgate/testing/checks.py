"""The checks that every plugin must pass; each raises `Failed` where one does not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from lockgate.contract.kinds import KINDS
from lockgate.contract.kinds import kind as kind_named
from lockgate.contract.plugin import contract_of, hooks_of
from lockgate.contract.requests import Request
from lockgate.contract.settings import defaults, settings_of
from lockgate.errors import LockgateError, PluginFailed, SettingError
from lockgate.modeling.training.fitting import check_task
from lockgate.testing.examples import example_requests
from lockgate.testing.subject import Failed, FittedExample, PluginUnderTest
from lockgate.testing.trials import TRIALS, try_recipe

__all__ = ["CHECKS", "HEAVY", "check_plugin", "run_checks"]

HEAVY = (
    "pandas",
    "scipy",
    "sklearn",
    "torch",
    "tensorflow",
    "cupy",
    "numba",
    "matplotlib",
    "hydra",
    "dvc",
    "jax",
    "lightgbm",
    "xgboost",
)
"""Libraries that importing a plugin's module must not load."""


def check_plugin(
    kind: str,
    cls: type,
    *,
    settings: Mapping[str, Any] | None = None,
    requests: Mapping[str, Request | FittedExample] | None = None,
    expected_failures: Mapping[str, str] | None = None,
) -> None:
    """Run every check on a plugin class.

    Parameters
    ----------
    kind : str
        Kind of the plugin, e.g. ``compressor``.
    cls : type
        A class decorated with ``@lockgate.plugin``.
    settings : mapping, optional
        Values for settings without a default.
    requests : mapping of str to Request or FittedExample, optional
        Requests to call it with, instead of `example_requests`; for a converter fitted models
        of its library.
    expected_failures : mapping of str to str, optional
        Checks that are known to fail, each with its reason. An expected failure that
        passes is reported as well: the reason is out of date.

    Raises
    ------
    Failed
        With every check that failed, and how to fix it.

    """
    expected = expected_failures or {}
    failed = []
    for name, message in run_checks(kind, cls, settings=settings, requests=requests).items():
        if message and name not in expected:
            failed.append(f"{name}: {message}")
        elif not message and name in expected:
            failed.append(f"{name} passes, but was expected to fail: {expected[name]}")
    if failed:
        raise Failed(f"{cls.__name__}: " + "; ".join(failed))


def run_checks(
    kind: str,
    cls: type,
    *,
    settings: Mapping[str, Any] | None = None,
    requests: Mapping[str, Request | FittedExample] | None = None,
) -> dict[str, str]:
    """Run the checks without raising an error.

    Parameters
    ----------
    kind, cls, settings, requests
        As for `check_plugin`.

    Returns
    -------
    dict of str to str
        The message of each check by its name; an empty text where it passes.

    """
    if kind not in {row.name for row in KINDS}:
        names = ", ".join(row.name for row in KINDS)
        raise Failed(f"unknown kind {kind!r}; kinds: {names} (listeners need no check)")
    chosen_requests = _requests_for(kind, cls) if requests is None else requests
    subject = PluginUnderTest(kind, cls, settings or {}, chosen_requests)
    messages: dict[str, str] = {}
    for check in CHECKS:
        if messages.get("check_contract") or messages.get("check_settings"):
            break  # the plugin cannot be built, so the other checks would only repeat this error
        try:
            check(subject)
            messages[check.__name__] = ""
        except Failed as failure:
            messages[check.__name__] = str(failure)
        except (Exception, SystemExit) as error:
            text = " ".join(str(error).split())
            messages[check.__name__] = f"raised {type(error).__name__}: {text}"
    return messages


def _requests_for(kind: str, cls: type) -> dict[str, Request]:
    """Return the example requests that the host would make of a plugin."""
    requests = example_requests(kind)
    if kind in ("model", "evaluator") and "multioutput" not in getattr(cls, "tasks", ()):
        # the host asks neither: a model is asked for a regression, an evaluator refused
        del requests["multioutput"]
    return requests


def check_contract(subject: PluginUnderTest) -> None:
    """The class is a plugin and implements the hook of its kind."""
    if contract_of(subject.cls) is None:
        raise Failed("decorate the class with @lockgate.plugin")
    hook = kind_named(subject.kind).hook
    if hook not in hooks_of(subject.cls):
        raise Failed(
            f"expected the method {hook} of a {subject.kind}; mark it with @lockgate.hookimpl"
        )


def check_documentation(subject: PluginUnderTest) -> None:
    """The docstring says what the plugin does, and each setting is documented."""
    docstring = (subject.cls.__doc__ or "").strip()
    first_paragraph = docstring.partition("\n\n")[0]
    if not first_paragraph.endswith((".", "?", "!")):
        raise Failed("end the first sentence of the docstring with a full stop")
    for name, (_, rule) in settings_of(subject.cls).items():
        if not rule.help and f"`{name}`" not in docstring:
            raise Failed(
                f"document {name}: give it a help text or mention `{name}` in the docstring"
            )


def check_settings(subject: PluginUnderTest) -> None:
    """The defaults are valid, and values of other types are refused."""
    missing = set(settings_of(subject.cls)) - set(defaults(subject.cls)) - set(subject.settings)
    if missing:
        names = ", ".join(sorted(missing))
        raise Failed(f"{names} without a default: pass check_plugin(kind, cls, settings={{...}})")
    try:
        subject.cls(**subject.settings)
    except SettingError as error:
        raise Failed(f"a setting that was passed is not allowed: {error}") from None
    for name in settings_of(subject.cls):
        invalid_settings = {**subject.settings, name: object()}
        try:
            subject.cls(**invalid_settings)
        except SettingError:
            continue
        raise Failed(f"{name} accepts any object; annotate its type")


def check_lazy_imports(subject: PluginUnderTest) -> None:
    """The module imports no heavy library: it is imported just to read the settings."""
    module = subject.cls.__module__
    if module == "__main__" or "<locals>" in subject.cls.__qualname__:
        return
    script = f"import sys, {module}\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    completed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    if completed.returncode:
        raise Failed(f"{module} cannot be imported alone: {completed.stderr.strip()[-300:]}")
    if completed.stdout.split():
        raise Failed(f"{module} imports {completed.stdout.strip()}; import it inside the method")


def check_requests(subject: PluginUnderTest) -> None:
    """The plugin serves at least one request and refuses others with lockgate's errors."""
    refusals = []
    for name, record in subject.records.items():
        error = record.error
        if error is None:
            continue
        if isinstance(error, PluginFailed) and error.__cause__ is None:
            raise Failed(f"on {name}: {error}")  # the result has another type
        # only errors that are not lockgate's own are wrapped, and so have a cause
        if isinstance(error, PluginFailed):
            raise Failed(
                f"on {name}: {error}; raise lockgate.DataError or lockgate.NotApplicable "
                "where a request cannot be served"
            )
        refusals.append(f"{name}: {error}")
    if refusals and len(refusals) == len(subject.records):
        raise Failed(f"refuses every request: {'; '.join(refusals)}")


def check_purity(subject: PluginUnderTest) -> None:
    """The plugin does not change the tables and models of a request."""
    for name, record in subject.records.items():
        if record.changed_inputs:
            raise Failed(f"changes its input on {name}; work on a copy")


def check_equal_seeds(subject: PluginUnderTest) -> None:
    """Equal requests have equal results."""
    for name, record in subject.records.items():
        if not record.equal:
            raise Failed(
                f"two results for {name} differ; draw random numbers from request.seed alone"
            )


def check_model(subject: PluginUnderTest) -> None:
    """The recipe of a model can be tuned, fitted, and written to a model file."""
    if subject.kind != "model":
        return
    for name, request in subject.hook_requests.items():
        try:
            recipe = subject.call(request)
            check_task(recipe, "the model")
        except LockgateError:
            continue
        try:
            try_recipe(recipe)
        except LockgateError as error:
            raise Failed(f"on {name}: {error}") from None


def check_predictions(subject: PluginUnderTest) -> None:
    """Results that leave lockgate are right: they are compared with what they stand for."""
    trial = TRIALS.get(subject.kind)
    if trial is None:
        return
    try:
        trial(subject)
    except LockgateError as error:
        raise Failed(str(error)) from None


CHECKS: tuple[Callable[[PluginUnderTest], None], ...] = (
    check_contract,
    check_documentation,
    check_settings,
    check_lazy_imports,
    check_purity,
    check_requests,
    check_equal_seeds,
    check_model,
    check_predictions,
)
"""All checks, in the order in which failures are best fixed."""
