"""The documentation tells the truth: its links lead somewhere and its code runs."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

import lockgate
from lockgate.cli.commands import lockgate as command_line
from lockgate.contract.kinds import KINDS
from lockgate.testing import check_plugin
from tests.conftest import ROOT, Run

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links {target}"


def test_generated_pages_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docs.generate", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_hook_and_kind_is_documented() -> None:
    text = (ROOT / "docs" / "hooks.md").read_text()
    for kind in KINDS:
        assert f"| {kind.name} |" in text
        assert f"### `{kind.hook}(" in text


def test_every_public_name_is_documented() -> None:
    pages = [(ROOT / "docs" / f"{name}.md").read_text() for name in ("values", "python", "hooks")]
    headings = set(re.findall(r"^#+ `?(?:lockgate\.)?(\w+)`?", "\n".join(pages), re.MULTILINE))
    errors = {name for name in lockgate.__all__ if hasattr(lockgate.errors, name)}
    missing = set(lockgate.__all__) - headings - errors
    assert missing == {"CONTRACT", "KINDS", "Kind", "__version__", "hookimpl"}
    assert all(name in pages[1] for name in errors)


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs" / "commands.md").read_text()
    for path in list_commands(command_line):
        assert f"### `lockgate {' '.join(path)}`" in text


def list_commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the words that call each command."""
    paths = []
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        paths.append((*path, name))
        if isinstance(command, click.Group):
            paths += list_commands(command, (*path, name))
    return paths


def plugins_of(source: str) -> list[type]:
    """Run a block as a module of its own, and return the plugins it defines."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(source, namespace)
    return [
        v for v in namespace.values() if isinstance(v, type) and hasattr(v, "__lockgate_contract__")
    ]


@pytest.mark.parametrize(
    ("page", "kind", "name"),
    [("README.md", "compressor", "Round"), ("docs/writing-a-plugin.md", "evaluator", "Lift")],
)
def test_the_plugins_that_are_shown_keep_to_the_contract(page: str, kind: str, name: str) -> None:
    made = [
        cls
        for block in blocks(ROOT / page, "python")
        if f"class {name}" in block
        for cls in plugins_of(block)
    ]
    assert [cls.__name__ for cls in made] == [name]
    check_plugin(kind, made[0])


def test_the_listener_that_is_shown_hears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = [
        b for b in blocks(ROOT / "docs" / "writing-a-plugin.md", "python") if "Journal" in b
    ]
    (cls,) = plugins_of(block)
    monkeypatch.setenv("ACME_JOURNAL", str(tmp_path / "journal"))
    listener: Any = cls()
    listener.after_stage(lockgate.StageEvent("load", "shop", 1.0))
    assert (tmp_path / "journal").read_text() == "shop load done\n"


@pytest.mark.slow
def test_the_tutorials_commands_run(call: Run, made: Path, tmp_path: Path) -> None:
    """Each lockgate and dvc command of README and tutorial composes, or shows, as written.

    Whole runs of the examples are in tests/pipeline/test_commands.py and in the benchmarks; here every command
    line is parsed and checked by the program itself.
    """
    root = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(root)], check=True)
    seen = 0
    for page in (ROOT / "README.md", ROOT / "docs" / "tutorial.md"):
        for block in blocks(page, "bash"):
            for line in block.splitlines():
                words = line.partition("#")[0].strip().replace("'", "").split()
                if words[:2] == ["lockgate", "run"]:
                    call(*words, "--dry", cwd=root)
                elif words[:2] in (["lockgate", "show"], ["lockgate", "plugins"]):
                    call(*words, cwd=root)
                elif words[:2] == ["lockgate", "evaluate"]:
                    call(*words, cwd=made)
                else:
                    continue
                seen += 1
    assert seen >= 8


def test_the_tutorials_python_runs(made: Path) -> None:
    (block,) = blocks(ROOT / "docs" / "tutorial.md", "python")
    done = subprocess.run(
        [sys.executable, "-c", block], cwd=made, capture_output=True, text=True, check=True
    )
    assert "<Bundle tumours" in done.stdout


def test_the_packing_that_is_shown_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = [b for b in blocks(ROOT / "README.md", "python") if "lockgate.pack(" in b]
    namespace: dict[str, Any] = {}
    exec(block, namespace)
    told = namespace["bundle"].predict(namespace["X"][400:]).label
    assert told.tolist() == namespace["model"].predict(namespace["X"][400:]).tolist()
    (other,) = blocks(ROOT / "docs" / "packing.md", "python")
    X, y = namespace["X"], namespace["y"]
    exec(other, {"pipe": namespace["model"], "X": X, "y": y, "X_test": X[:9], "y_test": y[:9]})


def test_every_operation_and_field_of_the_format_is_specified() -> None:
    from lockgate.data.columns.inputs import ColumnInput
    from lockgate.models.packed.format.container import DTYPES
    from lockgate.models.packed.format.header import OPERATIONS, Answers, Header

    text = (ROOT / "docs" / "packed-format.md").read_text()
    for name, operation in OPERATIONS.items():
        assert f"| `{name}` |" in text or name == "forest", f"{name} is not specified"
        for field in operation.__struct_encode_fields__:
            assert field == "of" or f"`{field}`" in text, f"{name}.{field} is not specified"
    for struct in (Header, ColumnInput, Answers):
        for field in struct.__struct_fields__:
            assert f"`{field}`" in text, field
    assert all(f"`{dtype}`" in text for dtype in DTYPES)


def test_every_class_that_is_covered_is_tested() -> None:
    from lockgate.models.converters.convert import CONVERTERS

    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    # these share their converter with one that is tested, and differ only in how they are fitted
    alike = {
        "ARDRegression",
        "BayesianRidge",
        "ElasticNetCV",
        "GammaRegressor",
        "GenericUnivariateSelect",
        "HalvingGridSearchCV",
        "HalvingRandomSearchCV",
        "HuberRegressor",
        "Lars",
        "LarsCV",
        "LassoCV",
        "LassoLars",
        "LassoLarsCV",
        "LassoLarsIC",
        "LogisticRegressionCV",
        "OrthogonalMatchingPursuit",
        "OrthogonalMatchingPursuitCV",
        "PassiveAggressiveClassifier",
        "PassiveAggressiveRegressor",
        "QuantileRegressor",
        "RFECV",
        "RandomizedSearchCV",
        "RidgeCV",
        "RidgeClassifierCV",
        "SelectFdr",
        "SelectFpr",
        "SelectFwe",
        "SelectPercentile",
        "SequentialFeatureSelector",
        "TheilSenRegressor",
        "TweedieRegressor",
    }
    untested = {
        name.partition(".")[2]
        for name in CONVERTERS
        if not re.search(rf"\b{name.partition('.')[2]}\b", tests)
    }
    assert untested <= alike, sorted(untested - alike)
