"""What docs/versions.md and the recipes say is so: their commands run, in their order."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lockgate.plugins.host.catalogue import Catalogue
from tests.conftest import Run
from tests.docs.test_docs import ROOT, blocks
from tests.registry.conftest import QUIET, git

PAGE = ROOT / "docs" / "versions.md"
RECIPE = ROOT / "docs" / "how-to" / "continuous-integration.md"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of the tutorial, committed."""
    folder = Path(shutil.copytree(made, tmp_path_factory.mktemp("versions") / "tumours"))
    git(folder, "config", "user.name", "Ada")
    git(folder, "config", "user.email", "ada@shop.example")
    git(folder, "add", "-A")
    if git(folder, "status", "--porcelain"):
        git(folder, "commit", "-qm", "all of it")
    return folder


def test_the_commands_run_in_their_order(project: Path, call: Run) -> None:
    seen = 0
    for block in blocks(PAGE, "bash"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[:2] == ["lockgate", "rollback"] and "--here" not in words:
                words += ["--to", "1.0.0"]
            if words:
                # a single version cannot be rolled back: those lines are parsed, and say so
                alone = words[1] == "rollback"
                call(*words, cwd=project, code=2 if alone else 0, **QUIET)
                seen += 1
    assert seen >= 12
    assert (project / ".lockgate" / "anchor.json").is_file()
    (block,) = blocks(PAGE, "python")
    said = call(sys.executable, "-c", block, cwd=project, **QUIET).stdout
    assert re.match(r"1\.0\.0 1\.0\.0 20\d\d-", said)
    assert "promote tumours 1.0.0 -> prod" in said


def test_every_gate_is_in_the_table() -> None:
    text = PAGE.read_text()
    for name in Catalogue.installed().names("gate"):
        assert f"`{name}`" in text, name


GUARD = """#!/bin/sh
# the credential of a job: the ledger, and nothing else
while read old new ref; do
  test "$ref" = refs/heads/lockgate/ledger || { echo "may not push $ref" >&2; exit 1; }
done
"""


def test_the_recipe_for_continuous_integration_works(
    project: Path, tmp_path: Path, call: Run
) -> None:
    folder = Path(shutil.copytree(project, tmp_path / "tumours"))
    git(folder, "update-ref", "-d", "refs/lockgate/ledger")
    git(folder, "clean", "-qfd")
    git(tmp_path, "init", "-q", "--bare", "hub.git")
    call("dvc", "remote", "add", "-d", "far", str(tmp_path / "far"), cwd=folder)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "a remote")
    call("dvc", "push", "-q", cwd=folder)
    branch = git(folder, "branch", "--show-current")
    git(folder, "push", "-q", str(tmp_path / "hub.git"), branch)
    hook = tmp_path / "hub.git" / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(GUARD)
    hook.chmod(0o755)
    (block,) = blocks(RECIPE, "bash")
    said = {"REPOSITORY": f"file://{tmp_path / 'hub.git'}", "BRANCH": branch, "NAME": "tumours"}
    call("bash", "-euo", "pipefail", "-c", block, cwd=tmp_path, **QUIET, **said)
    assert "| parity | ✅ pass |" in (tmp_path / "gates.md").read_text()
    subjects = git(tmp_path / "hub.git", "log", "--format=%s", "lockgate/ledger").splitlines()
    assert subjects == [
        "promote tumours 1.0.0 -> staging",
        "gate tumours 1.0.0 -> staging",
        "gate tumours 1.0.0 -> prod",
        "register tumours 1.0.0",
    ]
    assert git(tmp_path / "work", "rev-list", "--count", "HEAD") == "1"
    assert "refs/tags" not in git(tmp_path / "hub.git", "for-each-ref")


def test_the_commands_that_protect_a_bare_repository_do(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "hub.git")
    page = (ROOT / "docs" / "how-to" / "protect-the-ledger.md").read_text()
    for words in re.findall(r"`git (config receive\.\w+ true)`", page):
        git(tmp_path / "hub.git", *words.split())
    git(tmp_path, "clone", "-q", "hub.git", "clone")
    clone = tmp_path / "clone"
    for key, value in (("user.name", "a"), ("user.email", "a@x")):
        git(clone, "config", key, value)
    git(clone, "commit", "-q", "--allow-empty", "-m", "one")
    git(clone, "push", "-q", "origin", "HEAD:refs/heads/lockgate/ledger")
    git(clone, "commit", "-q", "--amend", "--allow-empty", "-m", "another")
    for forced in ("+HEAD:refs/heads/lockgate/ledger", ":refs/heads/lockgate/ledger"):
        done = subprocess.run(
            ["git", "push", "-q", "origin", forced],
            cwd=clone,
            capture_output=True,
            check=False,
            env=os.environ | QUIET,
        )
        assert done.returncode, forced
