"""Random histories of overlapping commands and faults on a real server with real processes."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import lockgate
from lockgate.deployment.activation import wait_until_served
from lockgate.deployment.control.client import ask
from lockgate.deployment.directory import Deployment
from lockgate.deployment.pointer import Pointer
from lockgate.errors import BundleError, DeploymentError, NotServed
from tests.serving.conftest import rows
from tests.serving.running import Server, serving
from tests.serving.test_reload import spoiled

SOAK = bool(os.environ.get("LOCKGATE_SOAK"))
SEEDS = range(20) if SOAK else range(1)
HISTORIES = 50 if SOAK else 4
"""Histories for each seed: 1,000 in the soak."""


@dataclass
class History:
    """A server, what its versions answer, and what went wrong."""

    server: Server
    deployment: Deployment
    bundles: dict[str, Path]
    expected: dict[str, float]
    row: dict[str, Any]
    versions: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    asked: int = 0

    def ask(self) -> str:
        """Send a request; return its version, whose score it must have."""
        self.asked += 1
        try:
            answer = self.server.predict(self.row)
        except (OSError, http.client.HTTPException):
            return self.ask()  # a worker was killed that had the connection
        version, score = answer["version"], answer["score"]
        if self.versions[version] == "bad" or score != self.expected[self.versions[version]]:
            self.faults.append(f"{version} answered {score}")
        return str(version)

    def wait(self, pointer: Pointer) -> None:
        """Wait as a command does, and check what it says."""
        seq = pointer.seq
        try:
            note = wait_until_served(self.deployment, pointer)
        except (BundleError, NotServed, DeploymentError):
            return  # checked at the end of the history
        if note:
            self.faults.append(f"event {seq}: {note}")
            return
        for _ in range(3):
            version = self.ask()
            later = {e.after.version for e in self.deployment.history() if e.after and e.seq >= seq}
            if version not in later:
                self.faults.append(f"event {seq} is said to be served, {version} answered")

    def deploy(self, number: int, kind: str) -> None:
        version = f"{kind}-{number}"
        self.versions[version] = kind
        self.wait(self.deployment.deploy(self.bundles[kind], version=version))

    def roll_back(self) -> None:
        with contextlib.suppress(DeploymentError):
            self.wait(self.deployment.rollback())

    def kill(self, index: int) -> None:
        """Kill a worker."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid(index), signal.SIGKILL)

    def stop(self, index: int, until_noticed: bool) -> None:
        """Stop a worker for a moment, or until the server notices, and let it go on."""
        pid = self.pid(index)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.1)  # the moment
            if until_noticed:
                self.server.wait(lambda: self.is_silent(pid))
            os.kill(pid, signal.SIGCONT)

    def pid(self, index: int) -> int:
        workers = self.server.wait(lambda: self.server.status["workers"])
        return int(workers[index % len(workers)]["pid"])

    def is_silent(self, pid: int) -> bool:
        """Whether the server has noticed that a worker is stopped, or has replaced it.

        A worker that opens its bundles has two minutes for it, and is not asked meanwhile.
        """
        workers = {worker["pid"]: worker for worker in self.server.status["workers"]}
        worker = workers.get(pid)
        return worker is None or not worker["responds"] or not worker["serving"]

    def check_quiet(self) -> None:
        """Check that the server ends at the pointer, all workers with it."""
        seq = self.deployment.pointer().seq
        until = time.monotonic() + 30
        while time.monotonic() < until:
            status = self.server.status
            settled = status["phase"] == "idle" and all(
                worker["live"] and worker["responds"] for worker in status["workers"]
            )
            if settled and (status["seq"] == seq or str(seq) in status["refused"]):
                break
            time.sleep(0.02)
        else:
            self.faults.append(f"the pointer is {seq}, the server at {status}")
        served = status["served"][0]["version"]
        if {self.ask() for _ in range(6)} != {served}:
            self.faults.append(f"{served} is served, others answer")


def play(history: History, random_: random.Random, number: int) -> None:
    """Let commands and faults overlap, then check."""
    index, until_noticed = random_.randrange(2), random_.random() < 0.3
    steps = [
        lambda: history.deploy(number, "logistic"),
        lambda: history.deploy(number, "boosting"),
        lambda: history.deploy(number, "bad"),
        history.roll_back,
        history.roll_back,
        lambda: ask(history.deployment.path, "reload"),
        lambda: os.kill(history.server.process.pid, signal.SIGHUP),
        lambda: history.kill(index),
        lambda: history.stop(index, until_noticed),
        history.ask,
    ]
    threads = []
    for step in random_.sample(steps, random_.randint(3, 6)):
        threads.append(threading.Thread(target=step))
        threads[-1].start()
        time.sleep(random_.choice([0.0, 0.0, 0.02, 0.1, 0.3]))  # how the commands overlap
    for thread in threads:
        thread.join(200)
        if thread.is_alive():
            history.faults.append("a command did not end")
    history.check_quiet()


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_random_histories_end_at_the_pointer(
    seed: int, tmp_path: Path, bundles: dict[str, Path]
) -> None:
    random_ = random.Random(seed)
    deployment = Deployment(tmp_path / "live")
    deployment.deploy(bundles["logistic"], version="first")
    row = rows(1, seed=3).iloc[0].to_dict()
    expected = {
        kind: lockgate.open(bundles[kind]).predict_one(row).score
        for kind in ("logistic", "boosting")
    }
    sources = {**bundles, "bad": spoiled(bundles["boosting"], tmp_path, "other-answers")}
    with serving(deployment.path, "--workers", "2", "--log", "off") as server:
        history = History(server, deployment, sources, expected, row, {"first": "logistic"})
        for number in range(HISTORIES):
            play(history, random_, number)
            assert not history.faults, (seed, number, history.faults)
    assert history.asked >= 6 * HISTORIES
