"""What a tree of processes takes of the machine, and what strangers take beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

__all__ = ["cpu_seconds", "freeze", "machine_seconds", "memory_mb", "stop", "thaw", "tree"]


def tree(root: int) -> list[int]:
    """Return a process and all its descendants."""
    try:
        listed = list(Path(f"/proc/{root}/task").glob("*/children"))
        below = [int(pid) for one in listed for pid in one.read_text().split()]
    except OSError:
        return [root]
    return [root, *(pid for child in below for pid in tree(child))]


def memory_mb(root: int) -> float:
    """Return the proportional share of memory (PSS) over the tree, in MB."""
    total = 0
    for pid in tree(root):
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total / 1024


def cpu_seconds(root: int) -> float:
    """Return the processor time of the tree, in seconds."""
    ticks = 0
    for pid in tree(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def machine_seconds() -> float:
    """Return the processor time that the machine has spent on anything, all cores together."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    user, nice, system, _, _, irq, soft, steal = map(int, fields)
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")


def freeze(root: int) -> None:
    """Stop the tree where it stands, so that it takes nothing while others are measured."""
    for pid in tree(root):
        os.kill(pid, signal.SIGSTOP)


def thaw(root: int) -> None:
    """Let it go on."""
    for pid in tree(root):
        os.kill(pid, signal.SIGCONT)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the tree."""
    pids = tree(process.pid)
    thaw(process.pid)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    time.sleep(0.5)
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
