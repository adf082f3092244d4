"""Bundles come back from where DVC keeps them, or they do not come at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.deployment.directory import Deployment
from lockgate.deployment.follow import deploy_stage
from lockgate.errors import LedgerError
from lockgate.registry.api import Ledger
from lockgate.registry.bundle_source import directory_md5
from tests.object_store import KEYS, run_store
from tests.registry.conftest import QUIET, git, new_repository
from tests.registry.test_ledger import put


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """A server that speaks S3's protocol, with an empty bucket."""
    with run_store("models") as address:
        yield address


def dvc(folder: Path, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words],
        cwd=folder,
        env=os.environ | QUIET | KEYS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory, bundles: list[Path]) -> Path:
    """A repository that tracks a bundle with DVC, not committed."""
    folder = new_repository(tmp_path_factory.mktemp("tracked") / "shop")
    dvc(folder, "init", "-q")
    shutil.copytree(bundles[0], folder / "bundle")
    dvc(folder, "add", "-q", "bundle")
    return folder


@pytest.fixture
def shop(tmp_path: Path, tracked: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone whose bundles lie only at the remote."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    made = Path(shutil.copytree(tracked, tmp_path / "made"))
    (made / ".dvc" / "config").write_text(
        f"[core]\n    remote = far\n"
        f"['remote \"far\"']\n    url = s3://models/{tmp_path.name}\n    endpointurl = {store}\n"
    )
    git(made, "add", "-A")
    git(made, "commit", "-qm", "a model")
    dvc(made, "push", "-q")
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "hub.git")
    git(made, "remote", "add", "origin", str(tmp_path / "hub.git"))
    git(made, "push", "-q", "origin", "main")
    ledger = Ledger(made)
    record = ledger.register(made / "bundle")
    assert record.tracked == directory_md5(made / "bundle")
    assert (record.lineage, record.path) == ("declared", "bundle")
    put(ledger, "1.0.0")
    git(tmp_path, "clone", "-q", "-b", "main", str(tmp_path / "hub.git"), "shop")
    shutil.rmtree(made)
    return tmp_path / "shop"


def test_a_bundle_is_fetched_from_a_remote_and_served(shop: Path, tmp_path: Path) -> None:
    ledger, deployment = Ledger(shop), Deployment(tmp_path / "live")
    ledger.fetch()
    deploy_stage(ledger, deployment, "fraud", "prod")
    assert deployment.pointer().slots[0].version == "1.0.0"


def test_what_was_swapped_at_the_remote_is_refused(shop: Path, tmp_path: Path, store: str) -> None:
    """DVC itself does not look at what an object store gives it."""
    import boto3

    client = boto3.client("s3", endpoint_url=store)
    found = client.list_objects_v2(Bucket="models", Prefix=f"{tmp_path.name}/")["Contents"]
    model = max(
        (one for one in found if not one["Key"].endswith(".dir")), key=lambda one: one["Size"]
    )
    body = client.get_object(Bucket="models", Key=model["Key"])["Body"].read()
    client.put_object(Bucket="models", Key=model["Key"], Body=body[:-1] + bytes([body[-1] ^ 1]))
    ledger, deployment = Ledger(shop), Deployment(tmp_path / "live")
    ledger.fetch()
    with pytest.raises(LedgerError, match="has sha256 .*, expected"):
        deploy_stage(ledger, deployment, "fraud", "prod")
    assert not deployment.exists()


def test_a_remote_without_the_bundle_is_told(shop: Path, tmp_path: Path, store: str) -> None:
    import boto3

    client = boto3.client("s3", endpoint_url=store)
    for one in client.list_objects_v2(Bucket="models", Prefix=f"{tmp_path.name}/")["Contents"]:
        client.delete_object(Bucket="models", Key=one["Key"])
    ledger = Ledger(shop)
    ledger.fetch()
    with pytest.raises(LedgerError, match=r"the bundle of fraud@1\.0\.0 .* is not here: "):
        deploy_stage(ledger, Deployment(tmp_path / "live"), "fraud", "prod")


def test_a_work_tree_that_is_not_the_commits_is_refused(
    tmp_path: Path, tracked: Path, bundles: list[Path]
) -> None:
    shop = Path(shutil.copytree(tracked, tmp_path / "here"))
    ledger = Ledger(shop)
    with pytest.raises(LedgerError, match=r"bundle.dvc is not in Git"):
        ledger.register(shop / "bundle")
    git(shop, "add", "-A")
    with pytest.raises(LedgerError, match="the work tree is not clean"):
        ledger.register(shop / "bundle")
    git(shop, "commit", "-qm", "a model")
    shutil.rmtree(shop / "bundle")
    shutil.copytree(bundles[1], shop / "bundle")
    with pytest.raises(LedgerError, match="bundle.dvc names the bundle .* is .*dvc repro"):
        ledger.register(shop / "bundle")
    git(shop, "checkout", "-q", "--detach")
    shutil.rmtree(shop / "bundle")
    shutil.copytree(bundles[0], shop / "bundle")
    assert ledger.register(shop / "bundle").commit == git(shop, "rev-parse", "HEAD")


def test_what_is_not_pushed_is_said_and_refused_on_demand(
    tmp_path: Path, tracked: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    made = Path(shutil.copytree(tracked, tmp_path / "made"))
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "hub.git")
    git(made, "remote", "add", "origin", str(tmp_path / "hub.git"))
    git(made, "add", "-A")
    git(made, "commit", "-qm", "a model")
    with pytest.raises(LedgerError, match="DVC has no default remote here"):
        Ledger(made).register(made / "bundle", pushed=True)
    (made / ".dvc" / "config").write_text(
        f"[core]\n    remote = far\n"
        f"['remote \"far\"']\n    url = s3://models/{tmp_path.name}\n    endpointurl = {store}\n"
    )
    git(made, "commit", "-qam", "a remote")
    with pytest.raises(LedgerError, match=r"the commit \w{12} is not pushed: run git push"):
        Ledger(made).register(made / "bundle", pushed=True)
    git(made, "config", "lockgate.remote", "none")
    with pytest.raises(LedgerError, match=r"the commit \w{12} is not pushed: run git push"):
        Ledger(made).register(made / "bundle", pushed=True)
    git(made, "config", "--unset", "lockgate.remote")
    git(made, "push", "-q", "origin", "main")
    with pytest.raises(LedgerError, match="not pushed to DVC's remote: bundle.*run dvc push"):
        Ledger(made).register(made / "bundle", pushed=True)
    assert Ledger(made).state.names() == []
    dvc(made, "push", "-q")
    notes: list[str] = []
    Ledger(made).register(made / "bundle", pushed=True, on_warning=notes.append)
    assert notes == []
