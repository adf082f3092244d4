"""What the pipeline costs besides the work: stages against the same functions in a warm
process, and a `dvc repro` with nothing to do against plain DVC with trivial stages.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
REPEATS = 5
SCRIPTS = sysconfig.get_path("scripts")
ENVIRONMENT = {**os.environ, "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"}


def report() -> str:
    with tempfile.TemporaryDirectory(prefix="lockgate-bench-") as folder:
        project = _clone(Path(folder))
        plain = _plain(Path(folder))
        whole = [_timed(["lockgate", "run", "--force"], project) for _ in range(3)]
        cold = [_timed(["dvc", "repro", "--force"], project) for _ in range(3)]
        idle, bare = [], []
        for _ in range(REPEATS):
            idle.append(_timed(["dvc", "repro"], project))
            bare.append(_timed(["dvc", "repro"], plain))
        stages = _stages(project)
    ours, theirs = statistics.median(idle), statistics.median(bare)
    rows = [
        "## The pipeline on `purchases` (47,140 rows, six stages)\n",
        "| | seconds | goal |",
        "|---|---|---|",
        f"| `lockgate run --force`, everything | {statistics.median(whole):.1f} | ≤ 60 |",
        f"| `dvc repro --force`, no stage server | {statistics.median(cold):.1f} | |",
        f"| `dvc repro` with nothing to do | {ours:.2f} | |",
        f"| the same in plain DVC, six trivial stages | {theirs:.2f} | |",
        f"| ratio | {ours / theirs:.2f} | ≤ 1.3 |",
        "",
        "Each stage as a process of its own, beyond the same function in a process that has",
        "everything imported (goal: ≤ 1.0 s; optimize and compress, which fit, ≤ 1.8 s):\n",
        "| stage | function | `lockgate stage`, through the stage server | beyond | on its own | beyond |",
        "|---|---|---|---|---|---|",
    ]
    for name, (function, warm, alone) in stages.items():
        rows.append(
            f"| {name} | {function:.2f} | {warm:.2f} | {warm - function:.2f} | {alone:.2f} | {alone - function:.2f} |"
        )
    return "\n".join(rows) + "\n"


def _clone(folder: Path) -> Path:
    """A project like this repository's own, with its data set."""
    project = folder / "project"
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    for name in ("conf", "dvc.yaml", "params.yaml"):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, project / name)
    (project / "data" / "raw").mkdir(parents=True)
    (project / "data" / "raw" / ".gitkeep").touch()
    subprocess.run(["dvc", "init", "-q"], cwd=project, env=ENVIRONMENT, check=True)
    _timed(["lockgate", "run"], project)
    return project


def _plain(folder: Path) -> Path:
    """As many stages that do nothing, with a parameter, a dependency and an output each."""
    project = folder / "plain"
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    subprocess.run(["dvc", "init", "-q"], cwd=project, env=ENVIRONMENT, check=True)
    lines, before = ["stages:"], "start.txt"
    (project / before).write_text("x")
    for k in range(6):
        lines += [
            f"  s{k}:",
            f"    cmd: cp {before} out{k}.txt",
            f"    deps: [{before}]",
            f"    params: [p{k}]",
            f"    outs: [out{k}.txt]",
        ]
        before = f"out{k}.txt"
    (project / "dvc.yaml").write_text("\n".join(lines) + "\n")
    (project / "params.yaml").write_text("".join(f"p{k}: {k}\n" for k in range(6)))
    _timed(["dvc", "repro"], project)
    return project


def _stages(project: Path) -> dict[str, tuple[float, float, float]]:
    """Median seconds of each stage: as a function, in the stage server, on its own."""
    from lockgate.pipeline.stage import STAGES, run_stage
    from lockgate.pipeline.stage_server import stage_server

    logging.getLogger("lockgate").setLevel(logging.ERROR)
    found = {}
    with stage_server("lockgate.cli.stage_server") as variables:
        for name in STAGES:
            times: list[list[float]] = [[], [], []]
            for turn in range(REPEATS + 1):
                with contextlib.redirect_stderr(io.StringIO()):
                    started = time.perf_counter()
                    run_stage(name, project)
                    function = time.perf_counter() - started
                warm = _timed(["lockgate", "stage", name], project, **variables)
                alone = _timed(["lockgate", "stage", name], project)
                if turn:  # the first turn warms this process and the disk up
                    for series, seconds in zip(times, (function, warm, alone), strict=True):
                        series.append(seconds)
            found[name] = tuple(statistics.median(series) for series in times)
    return found  # type: ignore[return-value]  # three series each


def _timed(words: list[str], cwd: Path, **variables: str) -> float:
    started = time.perf_counter()
    done = subprocess.run(
        words,
        cwd=cwd,
        env={**ENVIRONMENT, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{words}: {re.sub(chr(27) + '.*?m', '', done.stderr)}")
    return time.perf_counter() - started


if __name__ == "__main__":
    print(report())
