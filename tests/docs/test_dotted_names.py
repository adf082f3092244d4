"""Dotted names that stand in texts: each leads to a module, or to an attribute of a module."""

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import lockgate
from lockgate.contract.kinds import KINDS
from lockgate.models.packed.format.header import FORMAT
from lockgate.plugins.host.catalogue import Catalogue
from tests.conftest import ROOT

SOURCES = [
    path
    for pattern in (
        "src/**/*.py",
        "plugins/**/*.py",
        "benchmarks/**/*.py",
        "examples/**/*.py",
        "docs/*.py",
    )
    for path in sorted(ROOT.glob(pattern))
    if not {"build", "dist", ".venv"} & set(path.relative_to(ROOT).parts)
]
PROJECTS = [ROOT / "pyproject.toml", *sorted(ROOT.glob("[pe]*s/*/pyproject.toml"))]

DOTTED = re.compile(r"^lockgate(_[a-z]+)?(\.[a-z_]+)+(:[A-Za-z_]+)?$")
STEM = re.compile(r"^lockgate(\.[a-z_]+)+\.$")

GROUPS = {kind.entry_points for kind in KINDS}
PLAIN_NAMES = {
    "git settings": ("main", "mirror", "remote"),
    "a resolver of OmegaConf": ("order",),
    "loggers": ("open", "serve"),
}
EXCEPTIONS = (
    GROUPS
    | {FORMAT}
    | {f"{lockgate.__name__}.{name}" for names in PLAIN_NAMES.values() for name in names}
)
"""Names that need not lead to a module; `FORMAT` is what packed files call themselves."""


def constants(path: Path) -> Iterator[tuple[int, str]]:
    """Every text constant of a file, the first part of a formatted text included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def leaves(value: Any) -> Iterator[str]:
    """Every text of nested plain data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from leaves(member)
    elif isinstance(value, list):
        for member in value:
            yield from leaves(member)


def resolve(name: str) -> object:
    """Import a module, or get an attribute of one; raise where there is neither."""
    module, _, attribute = name.partition(":")
    if attribute:
        return getattr(importlib.import_module(module), attribute)
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        parent, _, last = module.rpartition(".")
        if error.name != module:
            raise
        return getattr(importlib.import_module(parent), last)


def complaints(texts: Iterator[tuple[str, str]]) -> list[str]:
    """Say which texts look like dotted names and lead nowhere."""
    wrong = []
    for where, text in texts:
        name = text.rstrip(".") if STEM.match(text) else text
        if not DOTTED.match(name) or name in EXCEPTIONS:
            continue
        try:
            resolve(name)
        except (ImportError, AttributeError) as error:
            wrong.append(f"{where}: {text!r}: {error}")
    return wrong


def test_there_are_dotted_names_to_check() -> None:
    texts = [text for path in SOURCES for _, text in constants(path)]
    assert sum(bool(DOTTED.match(text)) for text in texts) >= 8
    assert sum(bool(STEM.match(text)) for text in texts) >= 2


def test_each_exception_is_still_in_use() -> None:
    texts = {text for path in SOURCES for _, text in constants(path)}
    assert texts >= EXCEPTIONS - GROUPS
    assert len(EXCEPTIONS - GROUPS) <= 7


def test_every_dotted_name_in_the_code_leads_somewhere() -> None:
    texts = (
        (f"{path.relative_to(ROOT)}:{line}", text)
        for path in SOURCES
        for line, text in constants(path)
    )
    assert complaints(texts) == []


@pytest.mark.parametrize("path", PROJECTS, ids=lambda path: path.parent.name)
def test_every_dotted_name_in_a_project_file_leads_somewhere(path: Path) -> None:
    texts = list(leaves(tomllib.loads(path.read_text(encoding="utf-8"))))
    assert complaints((str(path.relative_to(ROOT)), text) for text in texts) == []
    assert any(DOTTED.match(text) or ":" in text for text in texts)


def test_names_that_lead_nowhere_are_seen() -> None:
    package = lockgate.__name__
    texts = [f"{package}.nowhere", f"{package}.errors:Nobody", f"{package}.nowhere.at."]
    assert len(complaints((text, text) for text in texts)) == len(texts)
    fine = [f"{package}.errors", f"{package}.errors:LockgateError", f"{package}.setting"]
    assert complaints((text, text) for text in fine) == []


@pytest.mark.parametrize("path", PROJECTS, ids=lambda path: path.parent.name)
def test_what_is_installed_are_the_entry_points_of_the_project_file(path: Path) -> None:
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    try:
        installed = metadata.distribution(project["name"]).entry_points
    except metadata.PackageNotFoundError:
        pytest.skip(f"{project['name']} is not installed")
    for group, points in project.get("entry-points", {}).items():
        for name, value in points.items():
            assert [p.value for p in installed if (p.group, p.name) == (group, name)] == [value]
    scripts = project.get("scripts", {})
    for name, value in scripts.items():
        assert callable(resolve(value)), name


def test_every_entry_point_loads_the_class_it_names() -> None:
    for entry in Catalogue.installed():
        if entry.distribution.startswith("lockgate"):
            assert entry.load().__name__ == entry.target.partition(":")[2]


def test_every_rule_for_a_file_in_the_project_file_has_a_file() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    for pattern in settings["ruff"]["lint"]["per-file-ignores"]:
        for member in expanded(pattern):
            assert next(ROOT.glob(member), None) is not None, member


def expanded(pattern: str) -> list[str]:
    """Write out the alternatives in braces of a pattern."""
    inside = re.search(r"\{([^}]*)\}", pattern)
    if inside is None:
        return [pattern]
    return [pattern.replace(inside[0], member) for member in inside[1].split(",")]


def test_every_layer_of_the_contract_is_a_part_and_every_part_is_in_it() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    layers = next(c for c in settings["importlinter"]["contracts"] if c["type"] == "layers")
    named = {name.strip() for layer in layers["layers"] for name in layer.split("|")}
    package = Path(lockgate.__file__).parent
    there = {path.stem for path in package.glob("*.py")} | {
        path.parent.name for path in package.glob("*/__init__.py")
    }
    assert named == there - {"__init__"}
