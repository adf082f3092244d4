"""Many writers at once, killed ones and unlucky ones among them."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lockgate.errors import LedgerError
from lockgate.registry.api import Ledger
from lockgate.registry.ledger.verify import verify
from tests.conftest import ROOT
from tests.registry.conftest import QUIET, git

pytestmark = pytest.mark.timeout(1800)
WHOLE = bool(os.environ.get("LOCKGATE_SOAK"))
WORKERS, EVENTS = (8, 50) if WHOLE else (4, 6)


def start(folder: Path, worker: str, events: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.registry.racing", str(folder), worker, str(events)],
        cwd=ROOT,
        env=os.environ | QUIET,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def wait_for_start(process: subprocess.Popen[bytes]) -> None:
    """Wait until it writes events."""
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"


def ended(process: subprocess.Popen[bytes]) -> None:
    _, said = process.communicate(timeout=1500)
    assert process.returncode == 0, said.decode()


def check(folder: Path, acknowledged: list[Path], events: int | None = None) -> None:
    """No event lost, none doubled, each where it was acknowledged, all in order."""
    ledger = Ledger(folder)
    assert verify(ledger.repository, ledger.tip, now=time.time() + 1e6).findings == []
    written = {event.seq: event.after for event in ledger.history()}
    assert sorted(written) == list(range(1, len(written) + 1))
    said: list[tuple[int, str]] = []
    for path in acknowledged:
        lines = [line.split() for line in path.read_text().splitlines()]
        said += [(int(seq), version) for seq, version in lines]
    assert len({seq for seq, _ in said}) == len(said), "one event acknowledged twice"
    for seq, version in said:
        assert written[seq] == version
    if events is not None:
        assert len(written) == 3 + events


def test_writers_of_one_clone_lose_and_double_nothing(shop: Path) -> None:
    processes = [start(shop, f"w{k}", EVENTS) for k in range(WORKERS)]
    for one in processes:
        ended(one)
    check(shop, list(shop.parent.glob("acknowledged-*")), WORKERS * EVENTS)


def test_killed_writers_leave_a_ledger_that_goes_on(shop: Path) -> None:
    rng = random.Random(5)
    for _ in range(60 if WHOLE else 2):
        processes = [start(shop, f"k{k}", 10**6) for k in range(2)]
        for one in processes:
            wait_for_start(one)
        time.sleep(rng.uniform(0, 0.5))  # in the middle of any event
        for one in processes:
            one.kill()
        for one in processes:
            one.communicate()
    last = start(shop, "last", 3)
    ended(last)
    check(shop, list(shop.parent.glob("acknowledged-*")))
    git(shop, "fsck", "--no-dangling")


@pytest.fixture
def clones(shop: Path, tmp_path: Path) -> list[Path]:
    """Clones of one repository, with the ledger on its remote."""
    bare = tmp_path / "hub.git"
    git(tmp_path, "clone", "-q", "--bare", str(shop), str(bare))
    git(shop, "push", "-q", str(bare), "refs/lockgate/ledger:refs/heads/lockgate/ledger")
    made = []
    for k in range(4 if WHOLE else 2):
        folder = tmp_path / f"clone{k}" / "shop"
        git(tmp_path, "clone", "-q", str(bare), str(folder))
        git(folder, "config", "user.name", f"Ada {k}")
        git(folder, "config", "user.email", "ada@shop.example")
        made.append(folder)
    return made


LOSING = """#!{python}
# ends the receiving process after the references have changed and before it says so
import os, random, signal, sys
if sys.argv[1] == "committed" and b"refs/heads/lockgate/ledger" in sys.stdin.buffer.read():
    if random.random() < 0.15:
        os.kill(os.getppid(), signal.SIGKILL)
"""


def test_clones_with_a_remote_that_loses_answers(clones: list[Path], tmp_path: Path) -> None:
    hook = tmp_path / "hub.git" / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(LOSING.format(python=sys.executable))
    hook.chmod(0o755)
    each, rng = WORKERS // len(clones), random.Random(9)
    places = [(folder, f"c{k}") for folder in clones for k in range(each)]
    processes = [start(folder, name, EVENTS) for folder, name in places]
    for _ in range(12 if WHOLE else 1):
        k = rng.randrange(len(processes))  # it goes on with what it had not acknowledged
        wait_for_start(processes[k])
        time.sleep(rng.uniform(0, 0.5))
        processes[k].kill()
        processes[k].communicate()
        processes[k] = start(*places[k], EVENTS)
    for one in processes:
        ended(one)
    hook.unlink()
    check_clones(clones, tmp_path)


def check_clones(clones: list[Path], tmp_path: Path) -> None:
    for folder in clones:
        Ledger(folder).fetch()
    tips = {Ledger(folder).tip for folder in clones}
    assert tips == {git(tmp_path / "hub.git", "rev-parse", "refs/heads/lockgate/ledger")}
    paths = list(tmp_path.glob("clone*/acknowledged-*"))
    assert sum(len(one.read_text().splitlines()) for one in paths) == len(paths) * EVENTS
    check(clones[0], paths)


def test_a_lock_that_a_killed_process_left_is_taken_away(shop: Path) -> None:
    lock = shop / ".git" / "refs" / "lockgate" / "ledger.lock"
    lock.touch()
    os.utime(lock, (time.time() - 5, time.time() - 5))
    Ledger(shop).promote("fraud", "prod", override=True, reason="first")
    assert not lock.exists()


def test_a_full_disk_leaves_the_ledger_as_it_was(shop: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(small)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no file system may be mounted here: " + mounted.stderr.decode()[:100])
    try:
        shutil.copytree(
            shop / ".git",
            small / ".git",
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("hooks", "bundles"),
        )
        ledger = Ledger(small)
        tip = ledger.tip
        filler = small / "filler"
        fill(filler)
        with pytest.raises(LedgerError, match="cannot be written"):
            go_on(ledger, 500)
        filler.unlink()
        assert verify(ledger.repository, ledger.tip, now=time.time() + 1e6).findings == []
        assert ledger.tip is not None
        assert tip is not None
        ledger.promote("fraud", "prod", version="1.2.0", override=True, reason="goes on")
    finally:
        subprocess.run(["umount", str(small)], check=False)


def fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(512)) == 512:
            pass


def go_on(ledger: Ledger, times: int) -> None:
    for k in range(times):
        version = ("1.0.0", "1.1.0")[k % 2]
        ledger.promote("fraud", "prod", version=version, override=True, reason="x")
