"""A deployment directory in step with the ledger, with servers that run and processes that die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lockgate.deployment.directory import Deployment
from lockgate.deployment.follow import deploy_stage
from lockgate.deployment.take_back import record_rollbacks
from lockgate.errors import DeploymentError, GateRefused, LedgerConflict, LedgerError
from lockgate.models.bundle.open import open_bundle
from lockgate.registry.api import Ledger
from lockgate.registry.ledger.verify import verify
from tests.registry.conftest import QUIET, git, guard, key, new_repository, sign_with
from tests.registry.test_ledger import put
from tests.serving.load import Load
from tests.serving.running import serving

WHOLE = bool(os.environ.get("LOCKGATE_SOAK"))
KILLS = 500 if WHOLE else 9


def promoted(ledger: Ledger, version: str, stage: str = "prod") -> None:
    """Promote through the gates."""
    guard(ledger.repository.top, "gate:\n  parity:\n    plugin: parity\n")
    ledger.promote("fraud", stage, version=version)


@contextlib.contextmanager
def following(shop: Path, folder: Path, every: str = "1") -> Iterator[list[str]]:
    """Follow until the block ends; only then the list has the lines that were printed."""
    lines: list[str] = []
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "lockgate",
            "deploy",
            "fraud@prod",
            str(folder),
            "--follow",
            "--every",
            every,
            "-C",
            str(shop),
        ],
        env=os.environ | QUIET,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield lines
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=30)
        lines += printed.splitlines()
        assert "Traceback" not in printed, printed


def served(deployment: Deployment) -> str | None:
    slots = deployment.pointer().slots if deployment.exists() else ()
    return next((one.version for one in slots), None)


def test_what_the_ledger_left_is_not_returned_to_here(shop: Path, tmp_path: Path) -> None:
    ledger, deployment = Ledger(shop), Deployment(tmp_path / "live")
    for version in ("1.0.0", "1.1.0"):
        promoted(ledger, version)
        deploy_stage(ledger, deployment, "fraud", "prod")
    ledger.rollback("fraud", "prod", reason="loud")
    deploy_stage(ledger, deployment, "fraud", "prod")
    assert served(deployment) == "1.0.0"
    with pytest.raises(DeploymentError, match=r"but those rolled back from: 1\.1\.0"):
        deployment.rollback("fraud")
    deployment.rollback("fraud", to="1.1.0")  # only where it is named
    assert served(deployment) == "1.1.0"


def test_a_server_sees_a_rollback_of_the_ledger_and_fails_no_request(
    shop: Path, tmp_path: Path
) -> None:
    ledger = Ledger(shop)
    for version in ("1.0.0", "1.1.0"):
        promoted(ledger, version)
    deployment = Deployment(tmp_path / "live")
    deploy_stage(ledger, deployment, "fraud", "prod")
    rows = [{f"x{k}": 0.1 * k * n for k in range(4)} for n in range(10)]
    expected = {}
    for version in ("1.0.0", "1.1.0"):
        opened = open_bundle(
            shop / ".git" / "lockgate" / "bundles" / ledger.version("fraud", version).digest
        )
        expected[version] = [float(opened.predict_one(row).score) for row in rows]

    async def go(server: Any) -> Any:
        load = Load(server.port, rows, expected, clients=4, rate=400)
        running = asyncio.create_task(load.run())
        await asyncio.sleep(0.5)
        for turn in range(40 if WHOLE else 4):
            version = ("1.0.0", "1.1.0")[turn % 2]
            if turn % 2 == 0:
                await asyncio.to_thread(ledger.rollback, "fraud", "prod")
            else:
                await asyncio.to_thread(ledger.rollback, "fraud", "prod", to="1.1.0")
            until = time.monotonic() + 20
            seen = load.account.answered[version]
            while load.account.answered[version] < seen + 5:
                assert time.monotonic() < until, server.log.read_text()
                await asyncio.sleep(0.02)
        load.stopped = True
        return await running

    with serving(deployment.path) as server, following(shop, deployment.path):
        account = asyncio.run(go(server))
    assert not account.failed
    assert not account.mixed
    assert not account.lost


def test_a_rollback_taken_here_is_not_undone_and_sync_enters_it(shop: Path, tmp_path: Path) -> None:
    ledger, deployment = Ledger(shop), Deployment(tmp_path / "live")
    for version in ("1.0.0", "1.1.0"):
        put(ledger, version)
        deploy_stage(ledger, deployment, "fraud", "prod")
    deployment.rollback(reason="night")
    assert served(deployment) == "1.0.0"
    _, words = deploy_stage(ledger, deployment, "fraud", "prod")
    assert "1.1.0 was rolled back in this directory" in words
    put(ledger, "1.2.0", "canary")  # something else happens in the ledger
    deploy_stage(ledger, deployment, "fraud", "prod")
    assert served(deployment) == "1.0.0"
    (event,) = record_rollbacks(ledger, deployment.path)
    assert (event.before, event.after) == ("1.1.0", "1.0.0")
    assert event.reason.endswith(": night")
    assert record_rollbacks(ledger, deployment.path) == []
    put(ledger, "1.2.0")
    deploy_stage(ledger, deployment, "fraud", "prod")
    assert served(deployment) == "1.2.0"
    deployment.rollback()
    put(ledger, "1.1.0")
    with pytest.raises(LedgerConflict, match=r"the ledger has moved to 1\.1\.0 since"):
        record_rollbacks(ledger, deployment.path)


def test_what_is_retired_is_served_no_longer(shop: Path, tmp_path: Path) -> None:
    ledger, deployment = Ledger(shop), Deployment(tmp_path / "live")
    with pytest.raises(LedgerError, match="stage prod of fraud is empty; run lockgate promote"):
        deploy_stage(ledger, deployment, "fraud", "prod")
    put(ledger, "1.0.0")
    deploy_stage(ledger, deployment, "fraud", "prod")
    ledger.retire("fraud", stage="prod")
    deploy_stage(ledger, deployment, "fraud", "prod")
    assert served(deployment) is None


def test_a_deployment_says_what_overrode_the_gates(shop: Path, tmp_path: Path) -> None:
    ledger, deployment = Ledger(shop), Deployment(tmp_path / "live")

    def followed() -> list[tuple[str, bool]]:
        deploy_stage(ledger, deployment, "fraud", "prod")
        (slot,) = deployment.pointer().slots
        return [(slot.version, slot.override)] + [(p.version, p.override) for p in slot.before]

    put(ledger, "1.0.0")
    assert followed() == [("1.0.0", True)]
    promoted(ledger, "1.1.0")
    assert followed() == [("1.1.0", False), ("1.0.0", True)]
    (slot,) = deployment.rollback("fraud").slots
    assert (slot.version, slot.override) == ("1.0.0", True)
    record_rollbacks(ledger, deployment.path)
    promoted(ledger, "1.2.0")
    promoted(ledger, "1.0.0")  # this time by its verdict, while 1.0.0 is still served here
    assert followed()[0] == ("1.0.0", False)
    (slot,) = deployment.pointer().slots
    assert slot.verdict is not None


def test_a_server_that_demands_verdicts(shop: Path, tmp_path: Path) -> None:
    ledger, deployment = Ledger(shop), Deployment(tmp_path / "live")
    promoted(ledger, "1.0.0")
    deploy_stage(ledger, deployment, "fraud", "prod")
    with serving(deployment.path, "--require-verdict") as server:
        server.wait(lambda: "whoever may push the ledger may have" in server.log.read_text())
        put(ledger, "1.1.0")  # against the gates
        pointer, _ = deploy_stage(ledger, deployment, "fraud", "prod")
        assert pointer is not None
        server.wait(lambda: "no passing verdict; overridden gates: " in server.log.read_text())
        assert server.predict({f"x{k}": 0.0 for k in range(4)})["version"] == "1.0.0"
    plain = Deployment(tmp_path / "plain")
    plain.deploy(deployment.bundle(ledger.version("fraud", "1.0.0").digest), version="1.0.0")
    done = refused(plain.path, "--require-verdict")
    assert "has no verdict, and this server requires one" in done


def refused(folder: Path, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "lockgate", "serve", str(folder), "--port", "0", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_server_checks_signatures_without_git(tmp_path: Path, bundles: list[Path]) -> None:
    shop = new_repository(tmp_path / "signed")
    (shop / ".lockgate").mkdir()
    signers = shop / ".lockgate" / "allowed_signers"
    signers.write_text(f"ada@shop.example {key(tmp_path, 'ada')}\n")
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "signers")
    sign_with(shop, tmp_path / "ada")
    ledger, deployment = Ledger(shop), Deployment(tmp_path / "live")
    ledger.register(bundles[0])
    promoted(ledger, "1.0.0")
    deploy_stage(ledger, deployment, "fraud", "prod")
    with serving(deployment.path, "--signers", str(signers)) as server:
        assert server.predict({f"x{k}": 0.0 for k in range(4)})["version"] == "1.0.0"
    others = tmp_path / "others"
    others.write_text(f"eve@x {key(tmp_path, 'eve')}\n")
    assert "a key that is not among the allowed signers" in refused(
        deployment.path, "--signers", str(others)
    )
    (proof,) = (deployment.path / "proofs").iterdir()
    proof.write_text(proof.read_text().replace("1.0.0", "1.0.1"))
    assert "its provenance is about another event" in refused(
        deployment.path, "--signers", str(signers)
    )


ACTS = """
import sys
from pathlib import Path
from lockgate.deployment.directory import Deployment
from lockgate.deployment.follow import deploy_stage
from lockgate.errors import LedgerConflict, LedgerError
from lockgate.registry.api import Ledger
shop, bundle, live = map(Path, sys.argv[1:4])
ledger = Ledger(shop)
print("ready", flush=True)
turn = 0
while True:
    turn += 1
    version = ("1.0.0", "1.1.0")[turn % 2]
    try:
        ledger.register(bundle)
        ledger.promote("fraud", "prod", version=version, override=True, reason="x")
    except LedgerConflict:
        pass  # the one before was killed before it could say what it did
    except LedgerError as error:
        if "already" not in str(error):
            raise
    deploy_stage(ledger, Deployment(live), "fraud", "prod")
"""


@pytest.mark.timeout(3600)
def test_killed_at_any_moment_it_goes_on(shop: Path, tmp_path: Path, bundles: list[Path]) -> None:
    """Of register, promote and deploy; whatever was left, the next one does its work."""
    rng = random.Random(11)
    live = tmp_path / "live"
    script = tmp_path / "acts.py"
    script.write_text(ACTS)
    for _ in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, str(script), str(shop), str(bundles[0]), str(live)],
            env=os.environ | QUIET,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(rng.uniform(0, 0.5))  # any moment of some turns
        process.kill()
        _, said = process.communicate()
        assert not said, said.decode()
        ledger = Ledger(shop)
        assert verify(ledger.repository, ledger.tip, now=time.time() + 1e6).findings == []
        deployment = Deployment(live)
        if deployment.exists():
            for slot in deployment.pointer().slots:
                assert open_bundle(deployment.bundle(slot.digest)).digest == slot.digest
    ledger = Ledger(shop)
    put(ledger, "1.2.0")
    deploy_stage(ledger, Deployment(live), "fraud", "prod")
    assert served(Deployment(live)) == "1.2.0"


def test_proofs_are_about_what_is_served(shop: Path, tmp_path: Path) -> None:
    from lockgate.deployment.admission import require_provenance

    ledger, deployment = Ledger(shop), Deployment(tmp_path / "live")
    promoted(ledger, "1.0.0")
    deploy_stage(ledger, deployment, "fraud", "prod")
    (slot,) = deployment.pointer().slots
    require_provenance(deployment, [slot], None)
    deployment.deploy(deployment.bundle(slot.digest), version="1.0.0", stage="canary")
    with pytest.raises(GateRefused, match="has no verdict"):
        require_provenance(deployment, deployment.pointer().slots, None)


def test_following_says_once_what_is_wrong(shop: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "hub.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "hub.git"))
    looks = tmp_path / "looks"
    upload = tmp_path / "upload"
    upload.write_text(f'#!/bin/sh\necho >> "{looks}"\nexec git-upload-pack "$@"\n')
    upload.chmod(0o755)
    git(shop, "config", "remote.origin.uploadpack", str(upload))
    ledger = Ledger(shop)
    put(ledger, "1.0.0")
    deployment = Deployment(tmp_path / "live")
    with following(shop, deployment.path, "0.2") as lines:
        wait(lambda: served(deployment) == "1.0.0")
        (tmp_path / "hub.git").rename(tmp_path / "away")
        before = looks.stat().st_size
        wait(lambda: looks.stat().st_size >= before + 4)  # looks at a remote that is down
        (tmp_path / "away").rename(tmp_path / "hub.git")
        put(ledger, "1.1.0")
        wait(lambda: served(deployment) == "1.1.0")
    assert sum("serving continues unchanged" in line for line in lines) == 1, lines


def wait(condition: Callable[[], bool], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
