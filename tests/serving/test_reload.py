"""Changing what is served while it is asked: nobody notices, and bad bundles never go live."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import lockgate
from lockgate.data.io.digests import sha256_file
from lockgate.deployment.control.client import ask
from lockgate.deployment.directory import Deployment
from lockgate.errors import BundleError
from lockgate.models.bundle.check import check_in_subprocess
from lockgate.models.bundle.manifest import read_manifest
from lockgate.models.bundle.write import canonical
from tests.conftest import Run
from tests.serving.conftest import rows
from tests.serving.load import Load
from tests.serving.running import Server, serving
from tests.serving.test_predictions import ROW

SWAPS = 200 if os.environ.get("LOCKGATE_SOAK") else 8
KILLS = 50 if os.environ.get("LOCKGATE_SOAK") else 4


def records(count: int) -> list[Any]:
    frame = rows(count, seed=3).astype(object)
    return frame.where(frame.notna(), None).to_dict("records")


def scores(path: Path, given: list[Any]) -> list[float]:
    bundle = lockgate.open(path)
    return [bundle.predict_one(row).score for row in given]


def test_swaps_and_rollbacks_under_load_fail_nothing_and_mix_nothing(
    tmp_path: Path, bundles: dict[str, Path]
) -> None:
    deployment = Deployment(tmp_path / "live")
    deployment.deploy(bundles["logistic"], version="1")
    given = records(20)
    expected = {"1": scores(bundles["logistic"], given), "2": scores(bundles["boosting"], given)}
    with serving(deployment.path, "--workers", "2", "--log", "off") as server:
        account = asyncio.run(_swapping(server, deployment, bundles, given, expected))
    assert not account.failed
    assert not account.mixed
    assert min(account.answered.values()) > SWAPS, account
    assert len(account.ids) == len(set(account.ids))


async def _swapping(
    server: Server, deployment: Deployment, bundles: dict[str, Path], given: Any, expected: Any
) -> Any:
    load = Load(server.port, given, expected, clients=8, rate=1500)
    running = asyncio.create_task(load.run())
    for turn in range(SWAPS):
        await asyncio.sleep(0.02)
        before = sum(load.account.answered.values())
        if turn % 2 == 0:
            pointer = await asyncio.to_thread(deployment.deploy, bundles["boosting"], version="2")
        else:
            pointer = await asyncio.to_thread(deployment.rollback)
        until = time.monotonic() + 20
        while (await asyncio.to_thread(lambda: server.status))["seq"] < pointer.seq:
            assert time.monotonic() < until, server.log.read_text()
            await asyncio.sleep(0.01)
        version = "2" if turn % 2 == 0 else "1"
        while time.monotonic() < until:  # and answers are the new version's
            seen = load.account.answered[version]
            await asyncio.sleep(0.02)
            if load.account.answered[version] > seen:
                break
        assert sum(load.account.answered.values()) > before
    load.stopped = True
    return await running


def spoiled(path: Path, tmp_path: Path, what: str) -> Path:
    """A bundle that is wrong in one way, its digests made right again."""
    made = tmp_path / what
    shutil.copytree(path, made)
    manifest = json.loads((made / "manifest.json").read_text())
    if what == "other-answers":
        probes = json.loads((made / "probes.json").read_text())
        probes["score"][0] += 0.25
        (made / "probes.json").write_text(canonical(probes))
    else:
        raw = bytearray((made / "model.packed").read_bytes())
        raw[len(raw) // 2] ^= 0xFF
        (made / "model.packed").write_bytes(raw)
    if what != "flipped":
        for name in manifest["files"]:
            manifest["files"][name] = sha256_file(made / name)
        (made / "manifest.json").write_text(canonical(manifest))
    return made


@pytest.mark.parametrize("what", ["flipped", "broken-model", "other-answers"])
def test_a_bad_bundle_is_refused_by_deploy_and_by_the_server(
    what: str, tmp_path: Path, deployed: Deployment, bundles: dict[str, Path], call: Run
) -> None:
    bad = spoiled(bundles["boosting"], tmp_path, what)
    with serving(deployed.path) as server:
        given = records(1)[0]
        before = server.predict(given)
        done = call("lockgate", "deploy", str(bad), str(deployed.path), cwd=tmp_path, code=2)
        assert any(one in done.stderr for one in ("sha256", "probe", "damaged"))
        assert deployed.pointer().seq == 1
        if what == "flipped":
            return
        deployed.deploy(bad, version="9")  # someone who does not check
        server.wait(lambda: server.status["refused"])
        after = server.predict(given)
        assert (after["version"], after["score"]) == (before["version"], before["score"])
        assert any("serving continues unchanged" in one["message"] for one in server.records())
        text = server.ask("GET", "/metrics")[1].decode()
        assert "lockgate_refused_candidates_total 1.0" in text


def test_a_refusal_of_the_server_takes_the_deployment_back(
    tmp_path: Path, deployed: Deployment, bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lockgate.deployment.activation import wait_until_served

    bad = spoiled(bundles["boosting"], tmp_path, "other-answers")
    with serving(deployed.path):
        pointer = deployed.deploy(bad, version="9")
        with pytest.raises(BundleError, match="so the change was reverted"):
            wait_until_served(deployed, pointer)
    assert deployed.pointer().slots[0].version == "1.0.0"
    assert [one.op for one in deployed.history()] == ["deploy", "deploy", "refused"]


def test_what_the_parent_holds_is_not_finalized_in_the_child(bundles: dict[str, Path]) -> None:
    parent = os.getpid()

    class Holder:
        """As objects of libraries with threads: finalizing it in another process crashes."""

        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            if os.getpid() != parent:
                os.kill(os.getpid(), signal.SIGSEGV)

    gc.disable()
    thresholds = gc.get_threshold()
    try:
        for _ in range(100):
            Holder()
        gc.enable()
        gc.set_threshold(200, 1, 1)
        check_in_subprocess(bundles["boosting"])
    finally:
        gc.set_threshold(*thresholds)
        gc.enable()


def test_a_bundle_that_takes_too_much_memory_or_time_is_refused(bundles: dict[str, Path]) -> None:
    check_in_subprocess(bundles["boosting"])
    # in a process that has loaded nothing yet, so that opening takes what a limit can refuse
    said = subprocess.run(
        [sys.executable, "-c", LIMITED, str(bundles["boosting"])],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert len(said) == 2
    assert "memory" in said[0].lower() or "failed to map" in said[0]
    assert "time limit" in said[1]


def test_a_deployment_during_a_reload_is_followed_by_the_next(
    deployed: Deployment, bundles: dict[str, Path]
) -> None:
    with serving(deployed.path) as server:
        deployed.deploy(bundles["boosting"], version="1.1.0")
        ask(deployed.path, "reload")
        last = deployed.deploy(bundles["logistic"], version="1.2.0")
        ask(deployed.path, "reload")  # while the first is still being checked
        server.wait(lambda: ask(deployed.path, "outcome", seq=last.seq)["outcome"] == "")
        assert server.status["served"][0]["version"] == "1.2.0"


LIMITED = """
import sys, time
from pathlib import Path
from lockgate.models.bundle.check import BundleCheck
for limits in ({"memory": 8 << 20}, {"seconds": 0.0}):
    check = BundleCheck(Path(sys.argv[1]), **limits)
    while not check.finished():
        time.sleep(0.01)
    print(" ".join(check.verdict().split()))
"""


def test_killed_workers_are_back_at_once_and_lose_only_what_they_were_answering(
    tmp_path: Path, deployed: Deployment, bundles: dict[str, Path]
) -> None:
    given = records(20)
    expected = {"1.0.0": scores(bundles["logistic"], given)}
    clients = 8
    with serving(deployed.path, "--workers", "2", "--log", "normal") as server:

        async def kill() -> Any:
            load = Load(server.port, given, expected, clients=clients, rate=1000, crash=True)
            running = asyncio.create_task(load.run())
            for turn in range(KILLS):
                await asyncio.sleep(0.3)
                pids = [one["pid"] for one in server.status["workers"]]
                os.kill(pids[turn % len(pids)], signal.SIGKILL)
                until = time.monotonic() + 10
                while True:
                    found = server.status["workers"]
                    fresh = [one for one in found if one["serving"] and one["pid"] not in pids]
                    if len(found) == 2 and fresh:
                        break
                    assert time.monotonic() < until
                    await asyncio.sleep(0.01)
            load.stopped = True
            return await running

        account = asyncio.run(kill())
        restarts = server.ask("GET", "/metrics")[1].decode()
    assert not account.failed
    assert not account.mixed
    assert account.lost <= KILLS * clients  # each client has one request under way
    assert f"lockgate_restarts_total {float(KILLS)}" in restarts
    log = deployed.path / "log"
    from lockgate.prediction_log.reader import read_predictions

    kept = [one.id for one in read_predictions(log)]
    assert len(kept) == len(set(kept))
    assert set(account.ids) <= set(kept)  # what was acknowledged is in the log


def test_a_server_told_to_stop_answers_what_was_asked(deployed: Deployment, bundles: Any) -> None:
    given = records(20)
    expected = {"1.0.0": scores(bundles["logistic"], given)}
    with serving(deployed.path, "--workers", "2") as server:

        async def stop() -> Any:
            load = Load(server.port, given, expected, clients=8, rate=1000)
            running = asyncio.create_task(load.run())
            await asyncio.sleep(0.5)
            os.kill(server.process.pid, signal.SIGTERM)
            await asyncio.sleep(0.3)  # new requests are still answered, and connections told to go
            load.stopped = True
            return await running

        account = asyncio.run(stop())
        assert server.process.wait(20) == 0
    assert not account.failed, account.failed[:3]
    assert account.answered["1.0.0"] > 100


def test_workers_end_when_their_supervisor_is_killed(deployed: Deployment) -> None:
    with serving(deployed.path, "--workers", "2", code=-9) as server:
        pids = [one["pid"] for one in server.status["workers"]]
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(10)
        server.wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    with serving(deployed.path) as again:  # the socket and the lock it left do not matter
        assert again.status["seq"] == 1


def test_a_directory_is_served_once(deployed: Deployment, call: Run, tmp_path: Path) -> None:
    with serving(deployed.path):
        done = call("lockgate", "serve", str(deployed.path), "--port", "0", cwd=tmp_path, code=2)
    assert "another server is running on" in done.stderr


def test_models_and_stages_have_addresses(deployed: Deployment, bundles: dict[str, Path]) -> None:
    deployed.deploy(bundles["boosting"], version="2.0.0", stage="canary")
    deployed.deploy(bundles["spend"], version="0.1")
    row = records(1)[0]
    with serving(deployed.path) as server:

        def ask(word: str) -> Any:
            return server.ask("POST", f"/predict/{word}", {"row": row})[1]

        assert ask("churn")["version"] == ask("churn@prod")["version"] == "1.0.0"
        assert ask("churn@canary")["version"] == ask("churn@2.0.0")["version"] == "2.0.0"
        assert "value" in ask("spend")
        status, said, _ = server.ask("POST", "/predict", {"row": row})
        assert status == 404
        assert "choose one" in said["error"]
        status, said, _ = server.ask("POST", "/predict/chrun", {"row": row})
        assert "did you mean 'churn'" in said["error"]


def test_the_manifest_of_a_spoiled_bundle_is_right(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    """The spoiling itself: otherwise the tests above would test digests only."""
    from lockgate.models.bundle.manifest import verify_files

    made = spoiled(bundles["boosting"], tmp_path, "other-answers")
    verify_files(made, read_manifest(made))


def test_a_model_that_was_deployed_by_hand_is_removed(
    deployed: Deployment, bundles: dict[str, Path], call: Run, tmp_path: Path
) -> None:
    folder = str(deployed.path)
    with serving(deployed.path) as server:
        call("lockgate", "deploy", str(bundles["three"]), folder, "--version", "2", cwd=tmp_path)
        assert server.ask("POST", "/predict", {"row": ROW})[0] == 404  # two models: which?
        name = deployed.pointer().slots[1].name
        done = call("lockgate", "retire", name, "--here", folder, cwd=tmp_path)
        assert f"{name} is no longer served in prod" in done.stdout
        assert server.ask("POST", "/predict", {"row": ROW})[0] == 200
        done = call("lockgate", "retire", name, "--here", folder, cwd=tmp_path, code=2)
        assert f"{name}" in done.stderr


def test_a_bundle_that_gets_another_version_promises_no_rollback_to_the_first(
    deployed: Deployment, bundles: dict[str, Path], call: Run, tmp_path: Path
) -> None:
    words = ("lockgate", "deploy", str(bundles["logistic"]), str(deployed.path), "--version", "9")
    done = call(*words, cwd=tmp_path)
    assert "the same bundle by another version" in done.stdout
    assert "lockgate rollback" not in done.stdout
