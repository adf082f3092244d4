"""A third-party package, from wheels, in an environment of its own, run in all three ways."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.shared_folder import shared_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def must(*words: str, cwd: Path, env: dict[str, str], code: int = 0) -> str:
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def link_requirements(venv: Path) -> None:
    """Link what requirements/run.txt names, and nothing else, from this environment."""
    text = (ROOT / "requirements" / "run.txt").read_text()
    names = {canonical(name) for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}
    (site,) = venv.glob("lib/*/site-packages")
    own_shebang = f"#!{venv / 'bin' / 'python'}\n"
    linked = 0
    for distribution in importlib.metadata.distributions():
        if canonical(distribution.name) not in names:
            continue
        linked += 1
        for file in distribution.files or ():
            source, top = Path(str(distribution.locate_file(file))), file.parts[0]
            if source.parent.name == "bin" and top == "..":
                # whatever that of this environment is called: python, python3, python3.11
                script = re.sub(r"^#!.*\n", own_shebang, source.read_text(), count=1)
                (venv / "bin" / source.name).write_text(script)
                (venv / "bin" / source.name).chmod(0o755)
            elif top != ".." and not top.endswith(".pth") and not os.path.lexists(site / top):
                (site / top).symlink_to(Path(str(distribution.locate_file(top))))
        # an older pip lists the files of some packages as they lie in their sources
        for name in (distribution.read_text("top_level.txt") or "").split():
            package = Path(str(distribution.locate_file(name)))
            if package.exists() and not os.path.lexists(site / name):
                (site / name).symlink_to(package)
    assert linked > 50


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


PLAIN = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
PLAIN |= {f"GIT_{role}_NAME": "t" for role in ("AUTHOR", "COMMITTER")}
PLAIN |= {f"GIT_{role}_EMAIL": "t@example.org" for role in ("AUTHOR", "COMMITTER")}


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """An environment with the wheels of lockgate and lockgate-hello, nothing of this checkout."""

    def environment_of(folder: Path) -> dict[str, str]:
        path = os.pathsep.join([str(folder / "venv" / "bin"), PLAIN["PATH"]])
        return {**PLAIN, "PATH": path, "DVC_NO_ANALYTICS": "1"}

    def fill(folder: Path) -> None:
        install_packages(folder)
        must("lockgate", "init", "project", cwd=folder, env=environment_of(folder))

    folder = shared_folder(tmp_path_factory, "third-party", fill)
    return folder, environment_of(folder)


@pytest.fixture
def third_party(
    installed: tuple[Path, dict[str, str]], tmp_path: Path
) -> tuple[Path, dict[str, str]]:
    """A project in that environment, and its variables."""
    folder, env = installed
    return Path(shutil.copytree(folder / "project", tmp_path / "project", symlinks=True)), env


def install_packages(folder: Path) -> None:
    """Install the wheels of both packages in an environment below a folder."""
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    for package in (ROOT, ROOT / "examples" / "lockgate-hello"):
        must(*build, "-w", str(folder / "wheels"), str(package), cwd=folder, env=PLAIN)
    venv = folder / "venv"
    must(sys.executable, "-m", "venv", "--without-pip", str(venv), cwd=folder, env=PLAIN)
    link_requirements(venv)
    pip = [sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python"), "install", "-q"]
    wheels = [str(path) for path in (folder / "wheels").iterdir()]
    must(*pip, "--no-deps", "--no-index", *wheels, cwd=folder, env=PLAIN)


def test_third_party_plugins_run_in_all_three_ways(
    third_party: tuple[Path, dict[str, str]],
) -> None:
    project, env = third_party
    listed = must("lockgate", "plugins", "compressor", cwd=project, env=env)
    assert "lockgate-hello 0.1.0" in listed
    ran = must(
        "lockgate",
        "run",
        "compressor=round",
        "compressor.round.digits=4",
        "+evaluator=positives",
        "search.folds=2",
        cwd=project,
        env=env,
    )
    assert "round: 30 to 30 features" in ran
    metrics = json.loads((project / "report" / "metrics.json").read_text())
    assert 0.2 < metrics["positives"]["share"] < 0.6
    params = (project / "params.yaml").read_text()
    assert "provider: lockgate-hello==0.1.0" in params
    must("git", "add", "-A", cwd=project, env=env)
    must("git", "commit", "-qm", "x", cwd=project, env=env)
    must(
        "dvc",
        "exp",
        "run",
        "-S",
        "compressor=[lasso,round]",
        "-S",
        "compressor.round.digits=2",
        cwd=project,
        env=env,
    )
    steps = json.loads((project / "models" / "steps.json").read_text())["steps"]
    assert [step["step"] for step in steps] == ["lasso", "round"]
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("digits: 2", "digits: 3"))
    again = must("dvc", "repro", cwd=project, env=env)
    assert "Running stage 'compress'" in again
    assert "Running stage 'optimize'" not in again


def test_its_settings_are_checked_like_ours(third_party: tuple[Path, dict[str, str]]) -> None:
    project, env = third_party
    words = must(
        "lockgate",
        "run",
        "compressor=round",
        "compressor.round.digits=40",
        cwd=project,
        env=env,
        code=2,
    )
    assert "compressor.round.digits is 40; allowed: int, at least 0, at most 12" in words


def test_a_broken_package_beside_it_is_named_and_stops_nothing(
    third_party: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    project, env = third_party
    folder = tmp_path / "site" / "acme_broken-2.0.dist-info"
    folder.mkdir(parents=True)
    env = {**env, "PYTHONPATH": str(folder.parent)}
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-broken\nVersion: 2.0\n")
    points = "[lockgate]\near = acme_broken:Ear\n[lockgate.compressor]\nzip = acme_broken:Zip\n"
    (folder / "entry_points.txt").write_text(points + "lasso = acme_broken:Lasso\n")
    words = must("lockgate", "plugins", cwd=project, env=env, code=3)
    assert "compressor 'zip' of acme-broken 2.0 cannot be imported" in words
    assert "No module named 'acme_broken'" in words
    both = must(
        "lockgate", "run", "--dry", "compressor=[lasso,round]", cwd=project, env=env, code=3
    )
    assert "acme-broken 2.0 and lockgate 0.1.0" in both
    (folder / "entry_points.txt").write_text(points)
    must("lockgate", "run", "--no-run", "--discard", cwd=project, env=env)
    fine = must("lockgate", "stage", "load", cwd=project, env=env)
    assert "skipped listener ear of acme-broken 2.0" in fine


def test_the_package_passes_its_own_tests(installed: tuple[Path, dict[str, str]]) -> None:
    folder, env = installed
    script = (
        "from lockgate.testing import check_installed, check_plugin\n"
        "for kind, name in (('compressor', 'round'), ('evaluator', 'positives')):\n"
        "    check_plugin(kind, check_installed(kind, name))\n"
    )
    must(str(folder / "venv" / "bin" / "python"), "-c", script, cwd=folder, env=env)
