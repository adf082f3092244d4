"""What lockgate promises to those who import it, and what it costs them."""

import ast
import json
import subprocess
import sys

import pytest

import lockgate
from lockgate.contract.hooks import COMPANIONS, EVENTS, OPERATIONS, Operations
from lockgate.contract.kinds import KINDS
from lockgate.plugins.host.params_file import read_params
from tests.conftest import ROOT

HEAVY = ("numpy", "pandas", "sklearn", "scipy", "hydra", "omegaconf", "dvc", "matplotlib", "click")


def loaded_by(code: str) -> list[str]:
    script = f"import sys\n{code}\nprint(*[n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_importing_lockgate_loads_nothing_heavy() -> None:
    assert loaded_by("import lockgate") == []


def test_help_loads_nothing_heavy_but_click() -> None:
    code = (
        "import contextlib, io, sys\nfrom lockgate.cli import main\nsys.argv = ['lockgate', '--help']\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n    main()"
    )
    assert loaded_by(code) == ["click"]


def test_a_stage_loads_no_dvc_and_no_hydra() -> None:
    code = (
        "import contextlib\nfrom lockgate.pipeline.stage import STAGES, import_stage\n"
        "for name in STAGES:\n    import_stage(name)"
    )
    assert not {"hydra", "omegaconf", "dvc", "click"} & set(loaded_by(code))


def test_everything_in_all_exists_and_all_is_sorted() -> None:
    for name in lockgate.__all__:
        assert getattr(lockgate, name) is not None
    plain = [name for name in lockgate.__all__ if not name.startswith("_")]
    order = sorted(plain, key=lambda n: (not n.isupper(), not n[0].isupper(), n))
    assert plain == order
    public = {n for n in vars(lockgate) if not n.startswith("_")} - {
        "TYPE_CHECKING",
        "Any",
        "annotations",
        *(path.name for path in (ROOT / "src" / "lockgate").iterdir() if path.is_dir()),
        "errors",
        "suggestions",
    }
    assert public <= set(lockgate.__all__)


def test_each_kind_has_a_hook_of_its_own_with_an_example() -> None:
    companions = {kind.companion.hook for kind in KINDS if kind.companion}
    assert {kind.hook for kind in KINDS} | companions == set(OPERATIONS)
    assert companions == set(COMPANIONS)
    for kind in KINDS:
        words = getattr(Operations, kind.hook).__doc__ or ""
        assert "@lockgate.plugin" in words, kind.hook
        assert "Called" in words, kind.hook
    assert len(EVENTS) == 6


def test_the_plugins_in_the_hooks_documentation_are_plugins() -> None:
    for kind in KINDS:
        words = getattr(Operations, kind.hook).__doc__ or ""
        lines = words.split("::\n", 1)[1].splitlines()
        source = "\n".join(line[12:] for line in lines)
        ast.parse(source)
        namespace: dict[str, object] = {"lockgate": lockgate}
        exec(source, namespace)
        made = [v for v in namespace.values() if isinstance(v, type)]
        assert len(made) == 1, kind.hook


def test_nothing_names_the_machine_it_was_written_on() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.split("\n"):
        path = ROOT / name
        if name and path.is_file() and path.suffix not in {".png"}:
            text = path.read_text(encoding="utf-8", errors="replace")
            for place in ("root", "farm", "home"):
                assert f"/{place}/" not in text, name
            assert "." + "library" not in text, name


def test_the_committed_stages_are_those_of_a_new_project() -> None:
    template = ROOT / "src" / "lockgate" / "pipeline" / "templates" / "dvc.yaml"
    ours = (ROOT / "dvc.yaml").read_text().replace("\n  purchases:", "\n  model:")
    assert ours == template.read_text()


def test_every_stage_declares_the_parameters_it_reads() -> None:
    """A stage that calls plugins of a kind depends on that kind's parameters."""
    from lockgate.pipeline.stage import STAGES

    stages = read_params(ROOT / "dvc.yaml")["stages"]
    assert list(stages) == ["choices", *STAGES]
    for name, kinds in STAGES.items():
        assert set(kinds) <= set(stages[name]["params"]), name


def test_no_file_is_long() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 320, f"{path.name} has {lines} lines; is it one concept?"


@pytest.mark.parametrize("name", ["run.txt", "dev.txt"])
def test_requirements_are_pinned_by_hash_and_name_no_index(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    assert "--index-url" not in text
    assert "http://" not in text
    assert "https://" not in text
    for line in text.splitlines():
        if "==" in line and not line.lstrip().startswith("#"):
            assert line.endswith("\\"), line


def test_the_commands_json_is_json() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from lockgate.cli import main; import sys; sys.argv[1:] = ['plugins', '--json']; main()",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(json.loads(done.stdout)) >= 20
