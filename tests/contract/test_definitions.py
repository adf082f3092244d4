"""What breaks the contract is refused by its name, where it is defined or returned."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal

import pytest

import lockgate
from lockgate.contract.secrets import hide_secrets
from lockgate.contract.settings import build, check, defaults
from lockgate.contract.type_names import type_name
from lockgate.plugins.host.host import Host


def evaluator(**fields: tuple[Any, Any]) -> type:
    """Define an evaluator with these settings, as (type, default)."""

    def evaluate(self: Any, request: Any) -> lockgate.Report:
        return lockgate.Report()

    body = {name: default for name, (_, default) in fields.items()}
    hints = {name: hint for name, (hint, _) in fields.items()}
    return lockgate.plugin(
        type(
            "Sample",
            (),
            {
                **body,
                "__annotations__": hints,
                "__doc__": "A sample.",
                "__module__": __name__,
                "evaluate": lockgate.hookimpl(evaluate),
            },
        )
    )


@dataclasses.dataclass(kw_only=True)
class Level:
    """A nested setting whose default is too low."""

    depth: int = lockgate.setting(0, at_least=1)


@dataclasses.dataclass(kw_only=True)
class Server:
    """A nested setting."""

    host: str = lockgate.setting("localhost")
    port: int = lockgate.setting(5432, at_least=1, at_most=65535)


@dataclasses.dataclass(kw_only=True)
class Anything:
    """A nested setting of no type."""

    value: Any = lockgate.setting(None)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"steps": (int, lockgate.setting(3, at_most=2))},
            "the default of steps is 3; allowed: int",
        ),
        ({"share": (float, lockgate.setting(1.0, below=1))}, "the default of share is 1.0"),
        ({"way": (Literal["a", "b"], "c")}, "the default of way is 'c'; allowed: one of a, b"),
        ({"way": (str, lockgate.setting("c", choices=("a",)))}, "the default of way is 'c'"),
        ({"steps": (int, "3")}, "the default of steps is '3'"),
        (
            {"level": (Level, lockgate.setting(default_factory=Level))},
            "the default of level.depth is 0",
        ),
        ({"level": (Anything, lockgate.setting(default_factory=Anything))}, "level is of type Any"),
        ({"names": (set[str], lockgate.setting())}, "names is of type"),
        ({"stages": (str, lockgate.setting("x"))}, "reserved by lockgate"),
        ({"path": ("NoSuchType", lockgate.setting("x"))}, "'NoSuchType' is not defined; import it"),
    ],
)
def test_settings_that_cannot_be_are_refused_where_they_are_defined(
    fields: dict[str, tuple[Any, Any]], message: str
) -> None:
    with pytest.raises(lockgate.PluginDefinitionError, match=message):
        evaluator(**fields)


def test_a_class_with_its_own_init_is_refused() -> None:
    class Own:
        """Has its own constructor."""

        def __init__(self, path: str) -> None:
            self.path = path

        @lockgate.hookimpl
        def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
            """Evaluate."""
            return lockgate.Report()

    with pytest.raises(lockgate.PluginDefinitionError, match="Own has its own __init__; declare"):
        lockgate.plugin(Own)


def test_nested_settings_are_checked_wherever_they_are() -> None:
    cls = evaluator(
        main=(Server, lockgate.setting(default_factory=lambda: Server(port=1))),
        others=(list[Server], lockgate.setting([])),
        named=(dict[str, Server], lockgate.setting({})),
        size=(Literal[1, 2], lockgate.setting(1)),
    )
    assert defaults(cls)["main"] == {"host": "localhost", "port": 1}
    made: Any = build(cls, {"others": [{"port": 2}], "named": {"a": {"host": "h"}}, "size": 2}, "x")
    assert made.others == [Server(port=2)]
    assert made.named == {"a": Server(host="h")}
    for values, key in (
        ({"main": {"port": 0}}, "x.main.port"),
        ({"others": [{}, {"port": 70000}]}, "x.others.1.port"),
        ({"named": {"a": {"port": "5"}}}, "x.named.a.port"),
        ({"size": 3}, "x.size"),
    ):
        with pytest.raises(lockgate.SettingError, match=f"^{key} is "):
            build(cls, values, "x")
    with pytest.raises(lockgate.UnknownKey, match=r"unknown key 'x.others.0.prt', did you mean"):
        build(cls, {"others": [{"prt": 1}]}, "x")
    deep = evaluator(groups=(dict[str, list[Server]], lockgate.setting({})))
    with pytest.raises(lockgate.SettingError, match=r"^x\.groups\.a\.0\.port is 0"):
        build(deep, {"groups": {"a": [{"port": 0}]}}, "x")
    with pytest.raises(lockgate.PluginDefinitionError, match=r"the default of main\.port is 0"):
        evaluator(main=(Server, lockgate.setting(default_factory=lambda: Server(port=0))))
    with pytest.raises(lockgate.PluginDefinitionError, match="the default of depth is 0"):
        evaluator(levels=(list[Level], lockgate.setting([])))


def test_a_default_and_its_factory_exclude_each_other() -> None:
    with pytest.raises(TypeError, match="either a default or a default_factory"):
        lockgate.setting(3, default_factory=int)


# --- secrets


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> type:
    monkeypatch.setenv("TEAM_PASSWORD", "hunter2-hunter2")

    @lockgate.plugin
    class Warehouse:
        """Load from a warehouse that refuses everybody."""

        password: lockgate.Secret = lockgate.setting(help="variable with the password")
        spare: lockgate.Secret | None = lockgate.setting(None, help="another")

        @lockgate.hookimpl
        def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
            """Load."""
            raise ConnectionError(f"postgresql://shop:{self.password.read()}@db refused")

    return Warehouse


def test_a_secret_is_read_when_it_is_used_and_shown_nowhere(loader: type) -> None:
    plugin: Any = build(loader, {"password": "TEAM_PASSWORD"}, "loader.warehouse")
    assert repr(plugin.password) == "Secret('TEAM_PASSWORD')"
    assert "hunter2" not in repr(plugin)
    host = Host("load")
    host.register("loader", "warehouse", plugin)
    with pytest.raises(lockgate.PluginFailed) as caught:
        host.call("loader", "warehouse", lockgate.LoadRequest())
    message = str(caught.value)
    assert "password=Secret('TEAM_PASSWORD')" in message
    assert "postgresql://shop:***@db refused" in message
    assert "hunter2" not in message
    assert hide_secrets("a hunter2-hunter2 b") == "a *** b"


def test_a_secret_that_is_written_itself_is_refused_and_not_shown(loader: type) -> None:
    with pytest.raises(lockgate.SettingError) as caught:
        build(loader, {"password": "s3cret value"}, "loader.warehouse")
    assert "s3cret" not in str(caught.value)
    assert "loader.warehouse.password is '(not shown)'; allowed: the name of an environment" in str(
        caught.value
    )


def test_a_variable_that_is_not_set_is_named(loader: type) -> None:
    plugin: Any = build(loader, {"password": "NO_SUCH_VARIABLE"}, "x")
    with pytest.raises(
        lockgate.UsageError, match="environment variable NO_SUCH_VARIABLE is not set"
    ):
        plugin.password.read()


def test_secrets_are_plain_names_in_a_configuration(loader: type) -> None:
    assert defaults(loader) == {"spare": None}
    with_default = evaluator(token=(lockgate.Secret, lockgate.Secret("API_TOKEN")))
    assert defaults(with_default) == {"token": "API_TOKEN"}
    assert check(with_default, {}, "") == {}
    assert type_name(lockgate.Secret | None) == "name of an environment variable or null"
    several = evaluator(tokens=(list[lockgate.Secret], lockgate.setting([lockgate.Secret("A")])))
    assert defaults(several) == {"tokens": ["A"]}
    for value in ("hunter2-pw", ["hunter2 pw"], {"a": "hunter2-pw"}):
        with pytest.raises(lockgate.SettingError) as caught:
            build(several, {"tokens": value}, "x")
        assert "hunter2" not in str(caught.value)


def test_errors_of_lockgate_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM_PASSWORD", "hunter3-hunter3")

    @lockgate.plugin
    class Warehouse:
        """Say the password."""

        password: lockgate.Secret = lockgate.setting(
            lockgate.Secret("TEAM_PASSWORD"), help="variable with the password"
        )

        @lockgate.hookimpl
        def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
            """Load."""
            raise lockgate.DataError(f"no table at {self.password.read()}@db")

    host = Host("load")
    host.register("loader", "warehouse", Warehouse())
    with pytest.raises(lockgate.DataError, match=r"^no table at \*\*\*@db$"):
        host.call("loader", "warehouse", lockgate.LoadRequest())


# --- what is returned

PARAMS = {"C": 1.0}
CANDIDATE = lockgate.Candidate(lockgate.Recipe(None, "binary"), PARAMS)  # type: ignore[arg-type]
SERIES = (lockgate.Series("a", (1,), (1.0,)),)
RESULTS: dict[str, tuple[Callable[[], object], str]] = {
    "low above high": (lambda: lockgate.Metric(0.5, 0.9, 0.1), "low is 0.9, above high"),
    "a metric without a name": (
        lambda: lockgate.Report({"": lockgate.Metric(1)}),
        "'' is not a name",
    ),
    "a name of two lines": (
        lambda: lockgate.Report({"a\nb": lockgate.Metric(1)}),
        "is not a name: expected a text of a line",
    ),
    "a table that is a mapping": (
        lambda: lockgate.Report(tables={"t": {"a": 1}}),  # type: ignore[dict-item]
        "table 't' is dict, expected a list of rows",
    ),
    "a table of texts": (
        lambda: lockgate.Report(tables={"t": ("a", "b")}),  # type: ignore[dict-item]
        "expected a list of rows",
    ),
    "a plot named like a path": (
        lambda: lockgate.Plot("../roc", "t", "x", "y", SERIES),
        "'../roc' is not the name of a plot",
    ),
    "the best loss is NaN": (
        lambda: lockgate.SearchResult(
            CANDIDATE, (lockgate.Trial({"C": 2.0}, 0.5), lockgate.Trial(PARAMS, math.nan))
        ),
        "the loss of the chosen parameters is nan",
    ),
    "every loss is infinite": (
        lambda: lockgate.SearchResult(CANDIDATE, (lockgate.Trial({"C": 2.0}, math.inf),)),
        "the loss of the chosen parameters is inf",
    ),
}


@pytest.mark.parametrize("what", RESULTS)
def test_results_that_no_report_can_show_are_refused(what: str) -> None:
    make, message = RESULTS[what]
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_the_chosen_parameters_need_a_finite_loss() -> None:
    trials = (lockgate.Trial(PARAMS, math.nan), lockgate.Trial(PARAMS, 0.5))
    assert lockgate.SearchResult(CANDIDATE, trials).candidate is CANDIDATE
