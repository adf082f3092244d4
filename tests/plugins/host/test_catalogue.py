"""Finding plugins without importing them."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

import lockgate
from lockgate.plugins.host.catalogue import Catalogue, InstalledPlugin

SOURCE = """
import lockgate

@lockgate.plugin
class Good:
    "Good."
    @lockgate.hookimpl
    def compress(self, request):
        return request.candidate

@lockgate.plugin(contract=99)
class Future:
    "Future."
    @lockgate.hookimpl
    def compress(self, request):
        return request.candidate

class Plain:
    pass
"""


def entry(
    name: str, target: str, distribution: str = "acme", kind: str = "compressor"
) -> InstalledPlugin:
    return InstalledPlugin(kind, name, target, distribution, "1.2")


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_plugins.py").write_text(SOURCE)
    (tmp_path / "acme_broken.py").write_text("import nothing_of_that_name\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("acme_plugins", "acme_broken"):
        sys.modules.pop(name, None)


def test_ours_are_found_by_metadata() -> None:
    names = Catalogue.installed().names("compressor")
    assert {"lasso", "prune"} <= set(names)


def test_an_unknown_name_lists_what_is_installed_and_the_nearest() -> None:
    with pytest.raises(lockgate.UnknownPlugin, match=r"did you mean 'lasso'\?; installed: .*prune"):
        Catalogue.installed().find("compressor", "laso")


def test_nothing_is_imported_until_it_is_loaded(acme: None) -> None:
    found = Catalogue([entry("good", "acme_plugins:Good")])
    assert found.names("compressor") == ["good"]
    assert "acme_plugins" not in sys.modules
    assert found.find("compressor", "good").load().__name__ == "Good"


def test_two_distributions_with_one_name_are_both_named() -> None:
    twice = Catalogue([entry("good", "a:A", "acme"), entry("good", "b:B", "other")])
    with pytest.raises(lockgate.PluginConflict, match=r"acme 1\.2 and other 1\.2"):
        twice.find("compressor", "good")


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        ("acme_broken:X", lockgate.BrokenPlugin, "nothing_of_that_name"),
        ("acme_plugins:Missing", lockgate.BrokenPlugin, "cannot be imported"),
        ("acme_plugins:Plain", lockgate.BrokenPlugin, "has no @lockgate.plugin"),
        (
            "acme_plugins:Future",
            lockgate.ContractMismatch,
            "requires contract 99.*upgrade lockgate",
        ),
    ],
)
def test_a_broken_plugin_names_its_distribution(
    acme: None, target: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=rf"acme 1\.2.*{words}"):
        entry("x", target).load()


def test_a_plugin_of_another_kind_is_refused(acme: None) -> None:
    with pytest.raises(lockgate.BrokenPlugin, match="implements compress, expected load"):
        entry("x", "acme_plugins:Good", kind="loader").load()


def test_the_allow_list_keeps_others_out_and_ours_in() -> None:
    ours = InstalledPlugin("compressor", "lasso", "x:Y", "lockgate", "1")
    found = Catalogue([entry("good", "acme_plugins:Good"), ours], allowed=["trusted"])
    with pytest.raises(lockgate.PluginError, match="not allowed here"):
        found.find("compressor", "good")
    assert found.find("compressor", "lasso") is ours


def test_a_module_that_leaves_the_process_is_a_broken_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme_leaves.py").write_text("import sys\nsys.exit(0)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(lockgate.BrokenPlugin, match="SystemExit"):
        entry("x", "acme_leaves:X").load()


@pytest.mark.parametrize("name", ["Bad_Name", "-x", "a--b", "../x"])
def test_a_name_that_no_option_may_have_is_refused(acme: None, name: str) -> None:
    with pytest.raises(
        lockgate.BrokenPlugin, match="expected a name of lower-case letters, digits and dashes"
    ):
        entry(name, "acme_plugins:Good").load()


def test_a_converter_has_the_name_of_its_library(acme: None) -> None:
    for name in ("acme_trees", "sklearn", "_private", "H2O"):
        converter = dataclasses.replace(entry(name, "acme_plugins:Good"), kind="converter")
        with pytest.raises(lockgate.BrokenPlugin, match="expected convert"):  # it is a compressor
            converter.load()
    for name in ("acme-trees", "a.b"):
        converter = dataclasses.replace(entry(name, "acme_plugins:Good"), kind="converter")
        with pytest.raises(lockgate.BrokenPlugin, match="expected the name of the package whose"):
            converter.load()


def test_damaged_metadata_is_named_and_skipped(tmp_path: Path) -> None:
    folder = tmp_path / "acme_damaged-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-damaged\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[lockgate.compressor]\nx = acme:X\n")
    (folder / "direct_url.json").write_text("[]")
    code = (
        "from lockgate.plugins.host.catalogue import Catalogue\n"
        "print(*Catalogue.installed().names('compressor'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    names = done.stdout.split()
    assert "lasso" in names
    assert "x" not in names
    assert "acme_damaged" in done.stderr
