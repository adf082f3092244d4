"""The structure of the source: imports go down, without circles, and names say what they are."""

from __future__ import annotations

import graphlib
import tomllib
from functools import cache
from pathlib import Path

import grimp
import pytest

from docs import wording
from tests.conftest import ROOT

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
LAYERS = [contract for contract in CONTRACTS["contracts"] if contract["type"] == "layers"]


@cache
def import_graph() -> grimp.ImportGraph:
    """Every import of every module, those inside functions and for types only included."""
    return grimp.build_graph("lockgate", exclude_type_checking_imports=False, cache_dir=None)


def test_no_modules_import_each_other() -> None:
    graph = import_graph()
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert sum(map(len, imports.values())) > 1000
    try:
        list(graphlib.TopologicalSorter(imports).static_order())
    except graphlib.CycleError as error:
        pytest.fail("circle of imports: " + " -> ".join(error.args[1]))


@pytest.mark.parametrize("contract", LAYERS, ids=lambda contract: contract["containers"][0])
def test_no_module_imports_upwards(contract: dict[str, object]) -> None:
    (container,) = contract["containers"]  # type: ignore[misc]  # one container each
    layers = [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]  # type: ignore[attr-defined]
    rank = {f"{container}.{name}": row for row, names in enumerate(layers) for name in names}
    graph = import_graph()
    children = graph.find_children(container)
    assert children == set(rank), "every module of the container has its layer"
    upwards = []
    for module in children:
        inside = {module, *graph.find_descendants(module)}
        for importer in inside:
            for imported in graph.find_modules_directly_imported_by(importer):
                owner = next((name for name in rank if f"{imported}.".startswith(f"{name}.")), None)
                if owner is not None and owner != module and rank[owner] <= rank[module]:
                    upwards.append(f"{importer} -> {imported}")
    assert upwards == []


def test_type_only_imports_count_in_the_contracts() -> None:
    assert CONTRACTS["exclude_type_checking_imports"] is False
    assert all(contract["exhaustive"] for contract in LAYERS)
    assert len(LAYERS) == 10


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("def read(one): ...", "one"),
        ("for found in range(3): pass", "found"),
        ("class Made: ...", None),
        ("self.told = 1", "told"),
        ("raise ValueError(f'{path} is no bundle')", "is no"),
        ("raise ValueError(f'{path} is not a bundle')", None),
        ("'''Rows with gaps.'''", "gaps"),
        ("x = 'column a stands twice'", "stands twice"),
        ("row = 'there is no longer a row'", None),
    ],
)
def test_the_wording_check_names_what_to_reword(source: str, text: str | None) -> None:
    findings = list(wording.check_module(Path("module.py"), source))
    assert [finding.text for finding in findings] == ([] if text is None else [text])
    assert all(finding.reason for finding in findings)


def test_a_module_is_named_after_what_it_holds() -> None:
    assert [f.text for f in wording.check_module(Path("judging.py"), "")] == ["judging"]
    assert not list(wording.check_module(Path("parsing.py"), ""))
