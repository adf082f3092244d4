"""Repositories with registered bundles, made once and copied."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lockgate
from lockgate.registry.api import Ledger
from lockgate.registry.ledger.repository import Repository
from tests.shared_folder import shared_folder

QUIET = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


@pytest.fixture(autouse=True)
def _own_git(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of whoever runs it."""
    for key, value in QUIET.items():
        monkeypatch.setenv(key, value)


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | QUIET,
    )
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
    return done.stdout.strip()


def new_repository(folder: Path) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Ada")
    git(folder, "config", "user.email", "ada@shop.example")
    (folder / "README").write_text("a shop\n")
    guard(folder, GATES)
    return folder


GATES = """
gate:
  signature: {plugin: signature}
  parity: {plugin: parity}
  no-worse: {plugin: no-worse}
"""


def guard(folder: Path, gates: str) -> None:
    """Commit gates to the main branch, which is checked out."""
    (folder / "params.yaml").write_text(gates)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "gates")


def packed(folder: Path, *, seed: int = 0, name: str = "fraud", columns: int = 4) -> Path:
    """A bundle that somebody fitted elsewhere."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(200, columns)), columns=[f"x{k}" for k in range(columns)])
    target = pd.Series(frame.sum(axis=1) + rng.normal(size=200) > 0, name="bad")
    model = LogisticRegression().fit(frame, target)
    lockgate.pack(model, frame, target, name=name, path=folder)
    return folder


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three bundles of one model."""

    def fill(folder: Path) -> None:
        for seed in range(3):
            packed(folder / f"b{seed}", seed=seed)

    return sorted(shared_folder(tmp_path_factory, "fraud", fill).iterdir())


@pytest.fixture(scope="session")
def _shop(tmp_path_factory: pytest.TempPathFactory, bundles: list[Path]) -> Path:

    def fill(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for key, value in QUIET.items():
                patch.setenv(key, value)
            ledger = Ledger(new_repository(folder / "repository"))
            for bundle in bundles:
                ledger.register(bundle)

    return shared_folder(tmp_path_factory, "shop", fill) / "repository"


@pytest.fixture
def shop(_shop: Path, tmp_path: Path) -> Path:
    """A repository with the versions 1.0.0, 1.1.0 and 1.2.0 of `fraud`, none in a stage."""
    return Path(shutil.copytree(_shop, tmp_path / "shop"))


def key(folder: Path, name: str) -> str:
    path = folder / name
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path), "-C", name], check=True
    )
    return " ".join((folder / f"{name}.pub").read_text().split()[:2])


def sign_with(shop: Path, path: Path) -> None:
    git(shop, "config", "gpg.format", "ssh")
    git(shop, "config", "user.signingkey", str(path))


@pytest.fixture
def signed(tmp_path: Path, bundles: list[Path]) -> Path:
    """A repository with signers: ada may do all, the robot may register, old keys have ended."""
    shop = new_repository(tmp_path / "signed")
    lines = [
        f'ada@shop.example namespaces="git" {key(tmp_path, "ada")}',
        f"robot@shop.example {key(tmp_path, 'robot')} roles=register,promote:staging",
        f'old@shop.example valid-before="20200101" {key(tmp_path, "old")}',
    ]
    (shop / ".lockgate").mkdir()
    (shop / ".lockgate" / "allowed_signers").write_text("# who may\n" + "\n".join(lines) + "\n")
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "signers")
    sign_with(shop, tmp_path / "ada")
    ledger = Ledger(shop)
    for bundle in bundles[:2]:
        ledger.register(bundle)
    for version in ("1.0.0", "1.1.0"):
        ledger.promote("fraud", "prod", version=version, override=True, reason="first")
    ledger.rollback("fraud", "prod", reason="refunds doubled")
    return shop


def kill_after_reference(patch: pytest.MonkeyPatch) -> None:
    """Let the process end after the next reference that it writes."""
    update_ref = Repository.update_ref

    def killed(self: Repository, name: str, old: str | None, new: str | None) -> None:
        update_ref(self, name, old, new)
        raise KeyboardInterrupt

    patch.setattr(Repository, "update_ref", killed)
