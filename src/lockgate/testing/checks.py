"""What every plugin must keep to, as functions that raise `Failed`."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lockgate.contract.kinds import KINDS
from lockgate.contract.kinds import kind as kind_named
from lockgate.contract.plugin import contract_of, hooks_of
from lockgate.contract.requests import Request
from lockgate.contract.settings import defaults, settings_of
from lockgate.errors import LockgateError, SettingError
from lockgate.plugins.host.host import Host
from lockgate.testing.examples import example_requests, try_recipe
from lockgate.testing.fingerprints import fingerprint, inputs_of

__all__ = ["CHECKS", "HEAVY", "Failed", "PluginUnderTest", "check_plugin", "run_checks"]

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


class Failed(AssertionError):
    """A plugin does not keep to the contract; the message says what to do."""


@dataclasses.dataclass(frozen=True)
class PluginUnderTest:
    """A plugin class on trial.

    Attributes
    ----------
    kind : str
        Its kind.
    cls : type
        The class.
    settings : mapping
        Values for settings without a default.
    requests : mapping of str to Request
        What to try it on.

    """

    kind: str
    cls: type
    settings: Mapping[str, Any]
    requests: Mapping[str, Request]

    def answer(self, request: Request) -> Any:
        """Build the plugin and call it once, as the host does."""
        host = Host("check")
        host.register(self.kind, "tried", self.cls(**self.settings))
        return host.call(self.kind, "tried", request)


def check_plugin(
    kind: str,
    cls: type,
    *,
    settings: Mapping[str, Any] | None = None,
    requests: Mapping[str, Request] | None = None,
    expected_failures: Mapping[str, str] | None = None,
) -> None:
    """Run every check on a plugin class.

    Parameters
    ----------
    kind : str
        What it claims to be, e.g. ``compressor``.
    cls : type
        A class decorated with ``@lockgate.plugin``.
    settings : mapping, optional
        Values for settings without a default.
    requests : mapping of str to Request, optional
        What to try it on instead of `example_requests`.
    expected_failures : mapping of str to str, optional
        Checks that are known to fail, each with its reason. One that passes
        all the same is a failure: the reason is out of date.

    Raises
    ------
    Failed
        With every check that failed, and what to do.

    """
    expected = expected_failures or {}
    failed = []
    for name, complaint in run_checks(kind, cls, settings=settings, requests=requests).items():
        if complaint and name not in expected:
            failed.append(f"{name}: {complaint}")
        elif not complaint and name in expected:
            failed.append(f"{name} passes, though it was expected to fail: {expected[name]}")
    if failed:
        raise Failed(f"{cls.__name__}: " + "; ".join(failed))


def run_checks(
    kind: str,
    cls: type,
    *,
    settings: Mapping[str, Any] | None = None,
    requests: Mapping[str, Request] | None = None,
) -> dict[str, str]:
    """Run the checks; each gives its complaint by name, an empty text where it passes."""
    if kind not in {row.name for row in KINDS}:
        names = ", ".join(row.name for row in KINDS)
        raise Failed(f"no kind {kind!r}; kinds: {names} (listeners need no check)")
    chosen_requests = example_requests(kind) if requests is None else requests
    subject = PluginUnderTest(kind, cls, settings or {}, chosen_requests)
    complaints: dict[str, str] = {}
    for check in CHECKS:
        if complaints.get("check_contract") or complaints.get("check_settings"):
            break  # nothing can be built, so nothing can be tried
        try:
            check(subject)
            complaints[check.__name__] = ""
        except Failed as complaint:
            complaints[check.__name__] = str(complaint)
    return complaints


def check_contract(subject: PluginUnderTest) -> None:
    """Be a plugin, and implement the hook of the kind."""
    if contract_of(subject.cls) is None:
        raise Failed("decorate the class with @lockgate.plugin")
    hook = kind_named(subject.kind).hook
    if hook not in hooks_of(subject.cls):
        raise Failed(f"a {subject.kind} implements {hook}; mark it with @lockgate.hookimpl")


def check_documentation(subject: PluginUnderTest) -> None:
    """Say in a first sentence what the plugin does, and what each setting means."""
    docstring = (subject.cls.__doc__ or "").strip()
    first_paragraph = docstring.partition("\n\n")[0]
    if not first_paragraph.endswith((".", "?", "!")):
        raise Failed("end the first sentence of the docstring with a full stop")
    for name, (_, rule) in settings_of(subject.cls).items():
        if not rule.help and f"`{name}`" not in docstring:
            raise Failed(f"explain {name}: give it a help text or name `{name}` in the docstring")


def check_settings(subject: PluginUnderTest) -> None:
    """Build from the defaults, and refuse what is of another type."""
    missing = set(settings_of(subject.cls)) - set(defaults(subject.cls)) - set(subject.settings)
    if missing:
        names = ", ".join(sorted(missing))
        raise Failed(f"{names} must be given: check_plugin(kind, cls, settings={{...}})")
    try:
        subject.cls(**subject.settings)
    except SettingError as error:
        raise Failed(f"a default is not allowed: {error}") from None
    for name in settings_of(subject.cls):
        invalid_settings = {**subject.settings, name: object()}
        try:
            subject.cls(**invalid_settings)
        except SettingError:
            continue
        raise Failed(f"{name} accepts any object; declare its type")


def check_lazy_imports(subject: PluginUnderTest) -> None:
    """Import nothing heavy with the module: it is imported to read the settings alone."""
    module = subject.cls.__module__
    if module == "__main__" or "<locals>" in subject.cls.__qualname__:
        return
    script = f"import sys, {module}\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    completed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )  # our own interpreter
    if completed.returncode:
        raise Failed(f"{module} cannot be imported alone: {completed.stderr.strip()[-300:]}")
    if completed.stdout.split():
        raise Failed(f"{module} imports {completed.stdout.strip()}; import inside the method")


def check_answers(subject: PluginUnderTest) -> None:
    """Answer at least one request, and refuse the others with lockgate's own errors."""
    complaints, answered = [], 0
    for name, request in subject.requests.items():
        try:
            subject.answer(request)
            answered += 1
        except LockgateError as error:
            if error.__cause__ is not None and type(error).__name__ == "PluginFailed":
                raise Failed(
                    f"on {name}: {error}; raise lockgate.DataError or lockgate.NotApplicable "
                    "where a request cannot be served"
                ) from None
            complaints.append(f"{name}: {error}")
    if subject.requests and not answered:
        raise Failed(f"answers no request; {'; '.join(complaints)}")


def check_purity(subject: PluginUnderTest) -> None:
    """Leave the tables and models of a request as they were."""
    for name, request in subject.requests.items():
        before = fingerprint(inputs_of(request))
        try:
            subject.answer(request)
        except LockgateError:
            continue
        if before != fingerprint(inputs_of(request)):
            raise Failed(f"changes its input on {name}; work on a copy")


def check_equal_seeds(subject: PluginUnderTest) -> None:
    """Give equal answers to equal requests."""
    for name, request in subject.requests.items():
        try:
            first, second = subject.answer(request), subject.answer(request)
        except LockgateError:
            continue
        if fingerprint(first) != fingerprint(second):
            raise Failed(f"two answers to {name} differ; draw from request.seed alone")


def check_model(subject: PluginUnderTest) -> None:
    """For a model: what it proposes can be tuned, fitted, and written to a model file."""
    if subject.kind != "model":
        return
    for name, request in subject.requests.items():
        try:
            recipe = subject.answer(request)
        except LockgateError:
            continue
        try:
            try_recipe(recipe)
        except LockgateError as error:
            raise Failed(f"on {name}: {error}") from None


CHECKS: Iterable[Callable[[PluginUnderTest], None]] = (
    check_contract,
    check_documentation,
    check_settings,
    check_lazy_imports,
    check_purity,
    check_answers,
    check_equal_seeds,
    check_model,
)
"""All checks, in the order to mend what they find."""
