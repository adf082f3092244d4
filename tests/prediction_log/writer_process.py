"""Run by tests as a process of its own: writes a log, then dies, waits, or forks."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lockgate.prediction_log.entries import LogEntry, Model
from lockgate.prediction_log.ids import PredictionIds
from lockgate.prediction_log.writer import LogWriter

MODEL = Model("e" * 64, "churn", "2.0.0", "prod", ("age",))


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def main(folder: Path, name: str, action: str) -> None:
    writer = LogWriter(folder, name)
    for count in range(1, 6):
        writer.write([(MODEL, [LogEntry(count, 0, [float(count)], count % 2, 0.25)])])
    if action == "die":
        os._exit(9)  # nothing is closed, nothing is moved out of the write-ahead log
    if action == "wait":
        say("ready")
        sys.stdin.readline()
    if action == "fork":
        receipts = PredictionIds()
        say(receipts.next())
        if not os.fork():
            say(receipts.next())
            os._exit(0)
        os.wait()
        say(receipts.next())
    writer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
