"""What versions cost: events at the end of a long ledger, GTO beside it, a rollback on a live server.

``python -m benchmarks.versions`` prints; ``--write`` puts it into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lockgate
from lockgate.deployment.directory import Deployment
from lockgate.deployment.follow import deploy_stage
from lockgate.registry.api import Ledger
from lockgate.registry.gates.judge import judge
from lockgate.registry.gates.require import record_verdict
from lockgate.registry.ledger.verify import verify

EVENTS = 10_000
GTO_EVENTS = 500
REPEATS = 30
PLACE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def repository(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text("gate: {}\n")
    for words in (
        ["init", "-q", "-b", "main"],
        ["config", "user.name", "Ada"],
        ["config", "user.email", "ada@x"],
        ["add", "params.yaml"],
        ["commit", "-q", "-m", "begin"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def bundle(folder: Path, seed: int) -> Path:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(500, 8)), columns=[f"x{k}" for k in range(8)])
    target = pd.Series(frame.sum(axis=1) + rng.normal(size=500) > 0, name="bad")
    lockgate.pack(LogisticRegression().fit(frame, target), frame, target, name="fraud", path=folder)
    return folder


def timed(work: Callable[[], Any], repeats: int = REPEATS) -> list[float]:
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds


def milliseconds(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    return f"{statistics.median(ordered) * 1e3:.2f} | {ordered[int(0.95 * len(ordered))] * 1e3:.2f}"


def promoting(ledger: Ledger) -> Callable[[], None]:
    turn = [0]

    def go() -> None:
        turn[0] += 1
        version = ("1.0.0", "1.1.0")[turn[0] % 2]
        ledger.promote("fraud", "prod", version=version, override=True, reason="benchmark")

    return go


def long_ledger(root: Path, events: int) -> Ledger:
    """A ledger of so many events, most of them promotions, with tags for GTO."""
    ledger = Ledger(repository(root / "shop"))
    for seed in range(2):
        ledger.register(bundle(root / f"b{seed}", seed))
    go = promoting(ledger)
    while ledger.state.head().seq < events - 1:
        go()
    if _other(ledger) == "1.0.0":  # the one that is not there
        go()
    return ledger


def local(root: Path) -> list[str]:
    ledger = long_ledger(root, EVENTS)
    folder = ledger.repository.top
    record, verdict = judge(ledger, "fraud", "canary", version="1.0.0")
    assert record.version
    rows = [
        ("`promote`, against the gates", timed(promoting(ledger)), "≤ 50"),
        ("`rollback` and back", timed(_back_and_forth(ledger)), ""),
        ("a verdict entered", timed(lambda: record_verdict(ledger, verdict, "1.0.0"), 1), ""),
        (
            "`promote` on a verdict",
            timed(
                lambda: ledger.promote("fraud", "canary", version="1.0.0"),
                1,
            ),
            "≤ 50",
        ),
        ("`current`, an open `Ledger`", timed(lambda: ledger.current("fraud", "prod")), "≤ 5"),
        (
            "`Ledger(...)` and `current`",
            timed(lambda: Ledger(folder).current("fraud", "prod")),
            "≤ 5",
        ),
        ("`history` of all events", timed(lambda: list(ledger.history()), 3), ""),
        (
            "`verify`, all events",
            timed(lambda: verify(ledger.repository, ledger.tip, now=time.time() + 1e9), 1),
            "",
        ),
    ]
    found = verify(ledger.repository, ledger.tip, now=time.time() + 1e9)
    assert not found.findings
    count = len(list((folder / ".git" / "refs" / "tags").iterdir()))
    table = [f"| {name} | {milliseconds(seconds)} | {goal} |" for name, seconds, goal in rows]
    return [
        f"At {found.events:,} events in one clone without a remote, {count:,} tags for GTO, in process:\n",
        "| | ms, median | ms, 95 % | goal |",
        "|---|---|---|---|",
        *table,
        "",
    ]


def _back_and_forth(ledger: Ledger) -> Callable[[], Any]:
    return lambda: ledger.rollback("fraud", "prod", to=_other(ledger))


def _other(ledger: Ledger) -> str:
    standing = ledger.current("fraud", "prod")
    assert standing is not None
    return "1.1.0" if standing.slot.version == "1.0.0" else "1.0.0"


def beside_gto(root: Path) -> list[str]:
    """Promote here and assign with GTO in turn, in two repositories of equal length."""
    import gto.api

    ours = long_ledger(root / "ours", GTO_EVENTS)
    theirs = repository(root / "theirs")
    shutil.copytree(ours.repository.folder, theirs / ".git", dirs_exist_ok=True)
    here, go = str(theirs), promoting(ours)
    turn = [0]

    def assign() -> None:
        turn[0] += 1
        version = ("v1.0.0", "v1.1.0")[turn[0] % 2]
        gto.api.assign(here, "fraud", "prod", version=version, force=True, stdout=False)

    pairs = []
    for _ in range(7):
        pairs.append((timed(go, 1)[0], timed(assign, 1)[0]))
        time.sleep(1.1)  # GTO takes two assignments of one second for one
    a, b = (statistics.median(one) for one in zip(*pairs, strict=True))
    reads = (
        statistics.median(timed(lambda: ours.current("fraud", "prod"))),
        statistics.median(timed(lambda: gto.api.find_versions_in_stage(here, "fraud", "prod"), 3)),
    )
    return [
        f"Beside GTO {_version('gto')}, through the Python API of each, in turn, at {GTO_EVENTS:,} events, which are {2 * GTO_EVENTS:,} tags:\n",
        "| | lockgate, ms | GTO, ms | ratio |",
        "|---|---|---|---|",
        f"| put a version into a stage | {a * 1e3:.1f} | {b * 1e3:.0f} | {b / a:.0f}x |",
        f"| ask what is in a stage | {reads[0] * 1e3:.2f} | {reads[1] * 1e3:.0f} | {reads[1] / reads[0]:,.0f}x |",
        "",
    ]


def _version(name: str) -> str:
    from importlib.metadata import version

    return version(name)


def live(root: Path) -> list[str]:
    """Roll back in the ledger while a server answers; time until the old version does."""
    from tests.serving.running import serving

    ledger = long_ledger(root, 4)
    deployment = Deployment(root / "live")
    for version in ("1.0.0", "1.1.0"):
        if _other(ledger) == version:
            ledger.promote("fraud", "prod", version=version, override=True, reason="x")
        deploy_stage(ledger, deployment, "fraud", "prod")
    row = {f"x{k}": 0.1 for k in range(8)}
    answers: list[tuple[float, int, str]] = []
    stop = threading.Event()
    command = [
        sys.executable,
        "-m",
        "lockgate",
        "deploy",
        "fraud@prod",
        str(deployment.path),
        "--follow",
    ]
    seconds = []
    with serving(deployment.path) as server:
        follower = subprocess.Popen(
            [*command, "-C", str(ledger.repository.top)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def ask() -> None:
            while not stop.is_set():
                status, said, _ = server.ask("POST", "/predict", {"row": row})
                answers.append((time.perf_counter(), status, said.get("version", "")))

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(2)  # the follower is up
        for _ in range(20):
            to = _other(ledger)
            ledger.rollback("fraud", "prod", to=to)
            returned = time.perf_counter()
            while not (
                new := [
                    at for at, _, version in answers[-200:] if version == to and at > returned - 5
                ]
            ):
                time.sleep(0.002)  # leaves the processor to the server
            seconds.append(max(0.0, new[0] - returned))
            time.sleep(0.3)  # steady answers between two rollbacks
            answers[:-1] = [one for one in answers[:-1] if one[1] != 200]
        stop.set()
        asking.join()
        follower.terminate()
        follower.wait()
    failed = sum(status != 200 for _, status, _ in answers)
    return [
        "`lockgate rollback` in the ledger until a running server's first answer of the version gone",
        f"back to, with `lockgate deploy fraud@prod DIR --follow`, 20 times: median {statistics.median(seconds):.2f} s,",
        f"longest {max(seconds):.2f} s (goal: ≤ 1 s); requests failed meanwhile: {failed} (goal: 0).",
        "",
    ]


def report() -> str:
    os.environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    lines = ["## Versions\n"]
    for part in (local, beside_gto, live):
        with tempfile.TemporaryDirectory() as root:
            lines += part(Path(root))
    return "\n".join(lines)


def write(text: str) -> None:
    """Put the section into the page, in place of the one that is there."""
    page = PLACE.read_text(encoding="utf-8")
    page = re.sub(r"\n## Versions\n.*?(?=\n## |\Z)", "", page, flags=re.DOTALL)
    PLACE.write_text(page.rstrip() + "\n\n" + text.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    made = report()
    print(made)
    if parser.parse_args().write:
        write(made)
