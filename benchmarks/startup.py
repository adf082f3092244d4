"""How long `import lockgate` and `lockgate --help` take."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

REPEATS = 15


def report() -> str:
    lockgate = str(Path(sys.executable).with_name("lockgate"))
    commands = {
        "bare Python": [sys.executable, "-c", "pass"],
        "`import lockgate`": [sys.executable, "-c", "import lockgate"],
        "`lockgate --help`": [lockgate, "--help"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(REPEATS):
        for name, words in commands.items():
            started = time.perf_counter()
            subprocess.run(words, capture_output=True, check=True)
            times[name].append(time.perf_counter() - started)
    median = {name: statistics.median(seconds) for name, seconds in times.items()}
    bare = median["bare Python"]
    goals = {"bare Python": "", "`import lockgate`": "< 0.1", "`lockgate --help`": "< 0.3"}
    rows = [
        "## Start-up\n",
        "| | seconds, whole process | beyond bare Python | goal |",
        "|---|---|---|---|",
    ]
    for name, seconds in median.items():
        rows.append(f"| {name} | {seconds:.3f} | {seconds - bare:.3f} | {goals[name]} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(report())
