"""Deploying and rolling back from Python."""

import shutil
from pathlib import Path

import pytest

from lockgate.deployment.deploy import deploy, parse_source, roll_back
from lockgate.deployment.directory import Deployment
from lockgate.errors import DeploymentError, UsageError
from tests.registry.conftest import packed


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("pair")
    return str(packed(folder / "a")), str(packed(folder / "b", seed=1))


def test_a_bundle_is_deployed_and_rolled_back(pair: tuple[str, str], tmp_path: Path) -> None:
    directory = tmp_path / "live"
    first = deploy(pair[0], directory, version="1.0.0", reason="begin")
    assert first.event is not None
    assert "no server" in first.warning
    again = deploy(pair[0], directory, version="1.0.0")
    assert (again.event, again.message) == (None, "already deployed; nothing was changed")
    deploy(pair[1], directory, version="1.1.0")
    back = roll_back(directory, reason="refunds")
    assert back.event is not None
    assert back.event.before is not None
    assert back.event.after is not None
    assert (back.event.before.version, back.event.after.version) == ("1.1.0", "1.0.0")
    assert back.message == ""  # no ledger has to be told
    assert Deployment(directory).history()[-1].reason == "refunds"
    with pytest.raises(DeploymentError):
        roll_back(directory, "unknown")


def test_a_source_is_a_stage_or_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_source("fraud@prod") == ("fraud", "prod")
    (tmp_path / "fraud@prod").mkdir()
    assert parse_source("fraud@prod") == ("fraud", "prod")  # not what lies in this folder
    assert parse_source("./fraud@prod") == Path("fraud@prod")
    with pytest.raises(UsageError, match="fraud@ has no stage: write fraud@STAGE"):
        parse_source("fraud@")
    with pytest.raises(UsageError, match="nothing is not a folder"):
        parse_source("nothing")


def test_what_the_ledger_says_cannot_be_said_again(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="come from the ledger"):
        deploy("fraud@prod", tmp_path / "live", version="1.0.0")


def test_a_bundle_is_not_a_directory_to_deploy_to(pair: list[Path], tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(pair[0], bundle)
    before = sorted(path.name for path in bundle.iterdir())
    with pytest.raises(DeploymentError, match="is a bundle, not a deployment directory"):
        deploy(pair[1], bundle)
    assert sorted(path.name for path in bundle.iterdir()) == before
