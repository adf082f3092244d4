"""The structure of the source: imports go down, without circles, and names say what they are."""

from __future__ import annotations

import ast
import graphlib
import re
import tomllib
from collections.abc import Iterator
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


LONGEST_SLEEP = 0.5
FOREIGN = {"_exit", "_predictors", "_replace", "_repr_html_"}
"""Names with an underscore that belong to Python, scikit-learn or notebooks."""


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in FOREIGN


def sleeps(source: str) -> Iterator[float]:
    """Yield the most seconds of each sleep, as far as its constants tell them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):  # a program to start
            yield from map(float, re.findall(r"\bsleep\(\s*(\d+\.?\d*)", node.value))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "sleep":
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and isinstance(part.value, int | float):
                    yield part.value


def private_names(source: str) -> Iterator[str]:
    """Yield the private names of other modules and objects that are used."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from filter(is_private, names)
        elif isinstance(node, ast.Import):
            parts = [part for alias in node.names for part in alias.name.split(".")]
            yield from filter(is_private, parts)
        elif isinstance(node, ast.Attribute):
            if is_private(node.attr) and ast.unparse(node.value) not in ("self", "cls"):
                yield node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("getattr", "setattr")):
            texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
            parts = [part for text in texts for part in str(text).split(".")]
            yield from filter(is_private, parts)


@pytest.mark.parametrize(
    ("source", "longest"),
    [
        ("time.sleep(2)", 2),
        ("await asyncio.sleep(0.5)", 0.5),
        ("sleep(rng.uniform(0, 1.2))", 1.2),
        ("CODE = 'import time; time.sleep(30)'", 30),
        ("time.sleep(pause)", 0),
    ],
)
def test_the_check_of_sleeps_reads_their_seconds(source: str, longest: float) -> None:
    assert max(sleeps(source), default=0) == longest


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from lockgate.suggestions import _nearest", ["_nearest"]),
        ("from tests.registry._helpers import put", ["_helpers"]),
        ("import lockgate._native", ["_native"]),
        ("ledger._host.notify()", ["_host"]),
        ("getattr(ledger, '_host')", ["_host"]),
        ("monkeypatch.setattr('lockgate.suggestions._nearest', None)", ["_nearest"]),
        ("self._turn = row._replace(a=1).__dict__", []),
    ],
)
def test_the_check_of_private_names_reads_them(source: str, names: list[str]) -> None:
    assert list(private_names(source)) == names


def test_no_test_sleeps_long_or_uses_private_names() -> None:
    sources = {path: path.read_text() for path in (ROOT / "tests").rglob("*.py")}
    del sources[Path(__file__)]  # it has such code as text
    assert len(sources) > 100
    findings = [
        f"{path.relative_to(ROOT)}: {finding}"
        for path, source in sources.items()
        for finding in [
            *(f"sleeps {seconds} s" for seconds in sleeps(source) if seconds > LONGEST_SLEEP),
            *(f"uses {name}" for name in private_names(source)),
        ]
    ]
    assert findings == []
