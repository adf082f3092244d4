"""Descriptions of installed plugins."""

import pytest

from lockgate.errors import UnknownPlugin, UsageError
from lockgate.plugins.host.catalogue import Catalogue, InstalledPlugin
from lockgate.plugins.host.describe import describe_plugins


def test_a_plugin_is_described_with_its_settings() -> None:
    (random,) = describe_plugins("optimizer", "random")
    assert (random.kind, random.name, random.distribution) == ("optimizer", "random", "lockgate")
    assert random.summary
    assert random.error is None
    trials = next(setting for setting in random.settings if setting.name == "trials")
    assert trials.help
    assert trials.allowed


def test_a_kind_or_name_that_is_unknown_is_named() -> None:
    with pytest.raises(UsageError, match="unknown kind 'optimiser', did you mean 'optimizer'"):
        describe_plugins("optimiser")
    with pytest.raises(UnknownPlugin, match="did you mean 'random'"):
        describe_plugins("optimizer", "randm")


def test_a_plugin_that_cannot_be_used_is_described_all_the_same() -> None:
    broken = InstalledPlugin("model", "gone", "nowhere.at.all:Gone", "someone", "1.0")
    foreign = InstalledPlugin("model", "foreign", "nowhere.at.all:Foreign", "stranger", "1.0")
    first, second = describe_plugins("model", catalogue=Catalogue([broken, foreign], ["someone"]))
    assert first.error is not None
    assert "someone 1.0" in first.error
    assert (second.error, second.summary) == (None, "not on the allow list; not imported")
