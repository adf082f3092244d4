"""The whole parameter file, checked before any work."""

from pathlib import Path
from typing import Any

import pytest

import lockgate
from lockgate.contract.kinds import CONFIGURED
from lockgate.plugins.host.catalogue import Catalogue, InstalledPlugin
from lockgate.plugins.host.parameters import Parameters
from lockgate.plugins.host.params_file import read_params
from lockgate.plugins.host.provider import identify_provider
from tests.conftest import ROOT


@pytest.fixture
def raw() -> dict[str, Any]:
    return read_params(ROOT / "params.yaml")


def checked(raw: dict[str, Any]) -> Parameters:
    return Parameters.check(raw, Catalogue.installed())


def test_the_committed_parameters_are_right(raw: dict[str, Any]) -> None:
    document = checked(raw)
    assert document.single("loader").name == "purchases"
    assert [one.name for one in document.chosen["compressor"]] == raw["compressor_order"]
    document.verify_providers(raw, [kind.name for kind in CONFIGURED])


def broken(raw: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    *above, last = path.split(".")
    inner = raw
    for part in above:
        inner = inner[part]
    inner[last] = value
    return raw


@pytest.mark.parametrize(
    ("path", "value", "error", "words"),
    [
        ("splitt", {}, lockgate.UnknownKey, "did you mean 'split'"),
        ("split.tst", 1, lockgate.UnknownKey, "did you mean 'test'"),
        ("split.test", "a", lockgate.SettingError, "split.test is 'a'; allowed: float"),
        ("split", 3, lockgate.SettingError, "split is 3"),
        ("optimizer.grid.points", 0, lockgate.SettingError, "optimizer.grid.points is 0"),
        ("optimizer.grid.plugin", "gird", lockgate.UnknownPlugin, "did you mean 'grid'"),
        ("optimizer.second", {"plugin": "random"}, lockgate.SettingError, "exactly one plugin"),
        ("optimizer.random", {"trials": 3}, lockgate.UsageError, "choose it with optimizer=random"),
        ("model", {}, lockgate.SettingError, "one plugin or more"),
        ("model", None, lockgate.SettingError, "one plugin or more"),
        ("compressor_order", ["prune"], lockgate.SettingError, "each of lasso once"),
        ("compressor_order", "lasso", lockgate.SettingError, "each of lasso once"),
        ("compressor.lasso.plugin", 3, lockgate.SettingError, "name of a plugin"),
    ],
)
def test_nonsense_names_key_value_and_what_is_allowed(
    raw: dict[str, Any], path: str, value: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        checked(broken(raw, path, value))


def test_one_plugin_may_stand_twice(raw: dict[str, Any]) -> None:
    raw["evaluator"]["second"] = dict(raw["evaluator"]["classification"], resamples=5)
    chosen = checked(raw).chosen["evaluator"]
    assert [one.entry.name for one in chosen].count("classification") == 2


def test_changed_plugin_code_is_noticed(raw: dict[str, Any]) -> None:
    raw["model"]["logistic"]["provider"] = "lockgate@000000000000"
    with pytest.raises(lockgate.PluginChanged, match="recompose with: lockgate run"):
        checked(raw).verify_providers(raw, ["model"])


def test_a_release_is_named_by_its_version_and_ours_by_its_code() -> None:
    stranger = InstalledPlugin("model", "x", "acme:X", "acme", "1.2")
    assert identify_provider(stranger) == "acme==1.2"
    ours = Catalogue.installed().find("model", "logistic")
    assert identify_provider(ours).startswith("lockgate@")


def test_an_edit_of_what_a_plugin_imports_changes_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "acmepack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "plugin.py").write_text("def f():\n    from acmepack import inner\n")
    (package / "inner.py").write_text("x = 1\n")
    (package / "other.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = InstalledPlugin("model", "x", "acmepack.plugin:X", "acme", "1.2", editable=True)

    def digest() -> str:
        identify_provider.cache_clear()
        return identify_provider(entry)

    first = digest()
    (package / "other.py").write_text("x = 2\n")
    assert digest() == first
    (package / "inner.py").write_text("x = 2\n")
    assert digest() != first
