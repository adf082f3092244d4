"""Calling plugins, one at a time, and naming whoever fails."""

import logging

import pytest

import lockgate
from lockgate.contract.events import StageEvent
from lockgate.plugins.host.host import Host


@lockgate.plugin
class Echo:
    """Give the rows back."""

    fail: str = lockgate.setting("", help="how to fail")

    @lockgate.hookimpl
    def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
        """Load, or fail."""
        if self.fail == "raise":
            raise ZeroDivisionError("ouch")
        if self.fail == "own":
            raise lockgate.DataError("no file")
        if self.fail == "type":
            return 3  # on purpose
        assert request.scratch is not None
        assert request.scratch.is_dir()
        import pandas as pd

        return lockgate.table(pd.DataFrame({"a": [1, 2]}), target="a")


@lockgate.plugin
class Ear:
    """Remember what was heard."""

    deaf: bool = lockgate.setting(False, help="fail instead")

    @lockgate.hookimpl
    def before_stage(self, event: lockgate.StageEvent) -> None:
        """Hear."""
        if self.deaf:
            raise RuntimeError("deaf")
        HEARD.append(event.stage)


HEARD: list[str] = []


def host_with(**settings: str) -> Host:
    host = Host("load")
    host.register("loader", "echo", Echo(**settings))
    return host


def test_a_call_gives_the_answer_of_the_named_plugin() -> None:
    assert len(host_with().call("loader", "echo", lockgate.LoadRequest())) == 2


def test_a_failing_plugin_is_named_with_settings_stage_and_line() -> None:
    with pytest.raises(lockgate.PluginFailed) as caught:
        host_with(fail="raise").call("loader", "echo", lockgate.LoadRequest())
    words = str(caught.value)
    assert "loader.echo (fail='raise') failed in stage load" in words
    assert "test_host.py:" in words
    assert "ZeroDivisionError: ouch" in words


def test_our_own_errors_pass_unchanged() -> None:
    with pytest.raises(lockgate.DataError, match="^no file$"):
        host_with(fail="own").call("loader", "echo", lockgate.LoadRequest())


def test_an_answer_of_another_type_is_refused() -> None:
    with pytest.raises(
        lockgate.PluginFailed, match=r"returned int; load must return lockgate\.Table"
    ):
        host_with(fail="type").call("loader", "echo", lockgate.LoadRequest())


def test_a_failing_listener_is_named_and_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    HEARD.clear()
    host = Host("load")
    host.register("listener", "first", Ear())
    host.register("listener", "deaf", Ear(deaf=True))
    host.register("listener", "last", Ear())
    with caplog.at_level(logging.WARNING):
        host.notify("before_stage", StageEvent("load", "x"))
    assert HEARD == ["load", "load"]
    assert "listener.deaf failed in before_stage: deaf" in caplog.text


def test_instances_are_listed_in_the_order_given() -> None:
    host = Host()
    for name in ("b", "a"):
        host.register("loader", name, Echo())
    assert host.names("loader") == ["b", "a"]
