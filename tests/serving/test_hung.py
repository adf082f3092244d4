"""Processes that hang instead of ending: nothing waits for them, and commands tell the truth."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lockgate.deployment.change_lock import lock_changes
from lockgate.deployment.control.client import ask, short_socket_path
from lockgate.deployment.deploy import deploy_bundle, roll_back
from lockgate.deployment.directory import Deployment
from lockgate.errors import DeploymentError, NotServed, ServerNotRunning, ServingError
from tests.conftest import Run
from tests.serving.conftest import rows
from tests.serving.running import Server, serving


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Stop processes as a debugger or a full disk does, and let those that are left go on."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGCONT)


def workers(server: Server) -> list[int]:
    return [worker["pid"] for worker in server.status["workers"]]


def answers(server: Server, seconds: float) -> set[str]:
    """Versions that answer requests on new connections."""
    row = rows(1).to_dict("records")[0]
    until, versions = time.monotonic() + seconds, set()
    while time.monotonic() < until:
        versions.add(server.predict(row)["version"])
    return versions


@pytest.mark.slow
def test_a_rollback_does_not_wait_for_a_hung_worker_and_ends_when_it_is_replaced(
    deployed: Deployment, bundles: dict[str, Path]
) -> None:
    with serving(deployed.path, "--workers", "2") as server:
        assert not deploy_bundle(deployed, bundles["boosting"], version="2").warning
        hung, other = workers(server)
        with stopped(hung):
            deployed.rollback(reason="wrong answers")
            began = time.monotonic()
            ask(deployed.path, "reload")
            server.wait(lambda: server.status["seq"] == 3)
            assert time.monotonic() - began < 8  # before the hung worker is killed
            status = server.status
            assert [w["responds"] for w in status["workers"] if w["pid"] == hung] == [False]
            assert ask(deployed.path, "outcome", seq=3)["outcome"] is None  # not all serve it
            assert answers(server, 0.3) == {"1.0.0"}
            server.wait(lambda: ask(deployed.path, "outcome", seq=3)["outcome"] == "")
            assert hung not in workers(server)
            assert other in workers(server)
        assert answers(server, 0.3) == {"1.0.0"}
        assert any("does not respond" in record["message"] for record in server.records())


@pytest.mark.slow
def test_a_command_ends_with_success_only_when_all_workers_serve_the_change(
    deployed: Deployment, bundles: dict[str, Path], call: Run, tmp_path: Path
) -> None:
    with serving(deployed.path, "--workers", "2") as server:
        with stopped(*workers(server)):
            began = time.monotonic()
            assert ask(deployed.path, "status", seconds=1.0)["seq"] == 1
            assert time.monotonic() - began < 1
            source = str(bundles["boosting"])
            call("lockgate", "deploy", source, str(deployed.path), "--version", "2", cwd=tmp_path)
        status = server.status
        accepting = [worker for worker in status["workers"] if worker["serving"]]
        assert accepting
        assert all(worker["live"] and worker["responds"] for worker in accepting)
        assert status["served"][0]["version"] == "2"
        assert answers(server, 0.3) == {"2"}


@pytest.mark.slow
def test_a_worker_that_returns_in_time_follows(
    deployed: Deployment, bundles: dict[str, Path]
) -> None:
    with serving(deployed.path, "--workers", "2") as server:
        pids = workers(server)
        with stopped(pids[0]):
            deployed.deploy(bundles["boosting"], version="2")
            server.wait(lambda: server.status["seq"] == 2)
        server.wait(lambda: ask(deployed.path, "outcome", seq=2)["outcome"] == "")
        assert workers(server) == pids
        assert answers(server, 0.3) == {"2"}


@pytest.mark.slow
def test_commands_end_while_the_supervisor_is_stopped(
    deployed: Deployment, bundles: dict[str, Path]
) -> None:
    with serving(deployed.path) as server:
        deploy_bundle(deployed, bundles["boosting"], version="2")
        with stopped(server.process.pid):
            with pytest.raises(NotServed, match="does not respond: the change is recorded in") as e:
                roll_back(deployed.path)
            assert e.value.exit_code == 5
            assert deployed.pointer().slots[0].version == "1.0.0"
        server.wait(lambda: server.status["served"][0]["version"] == "1.0.0")


@pytest.mark.slow
def test_a_server_stops_in_bounded_time_with_hung_workers(deployed: Deployment) -> None:
    with serving(deployed.path, "--workers", "2", "--drain-seconds", "1", code=0) as server:
        with stopped(*workers(server)):
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(20) == 0
            assert time.monotonic() - began < 6


def test_a_server_that_cannot_be_reached_is_not_taken_for_none(tmp_path: Path) -> None:
    """Its queue of connections is full, as with a hung supervisor after several commands."""
    with pytest.raises(ServerNotRunning):
        ask(tmp_path, "status")
    with contextlib.ExitStack() as stack, short_socket_path(tmp_path) as path:
        listening = stack.enter_context(socket.socket(socket.AF_UNIX))
        listening.bind(path)
        listening.listen(0)
        for _ in range(3):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(path)
        with pytest.raises(ServingError, match="does not respond") as error:
            ask(tmp_path, "status", seconds=0.3)
        assert not isinstance(error.value, ServerNotRunning)


def test_a_stopped_command_is_named_by_those_that_wait_for_it(tmp_path: Path) -> None:
    with lock_changes(tmp_path):
        with pytest.raises(DeploymentError, match=rf"process {os.getpid()} of .*nothing was chang"):
            with lock_changes(tmp_path, seconds=0.1):
                pytest.fail("two commands at once")


def test_a_deployment_that_was_replaced_says_what_is_served(
    deployed: Deployment, bundles: dict[str, Path]
) -> None:
    from lockgate.deployment.activation import wait_until_served

    with serving(deployed.path):
        first = deployed.deploy(bundles["boosting"], version="2")
        last = deployed.rollback()
        assert wait_until_served(deployed, last) == ""
        message = r"event 2 .* was replaced by event 3; served: churn@1.0.0"
        with pytest.raises(NotServed, match=message):
            wait_until_served(deployed, first)
