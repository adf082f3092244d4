"""Writes the golden prediction log: run once for each released version of its schema.

``python -m tests.golden.make_log`` adds the log if it is missing and never changes it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from lockgate.prediction_log.entries import LogEntry, Model
from lockgate.prediction_log.reader import list_models, read_labels, read_predictions
from lockgate.prediction_log.writer import LogWriter

FOLDER = Path(__file__).parent / "log-1"
WRITER = "abandonwhat23456"
START = 1_577_836_800_000_000_000


def main() -> None:
    if FOLDER.exists():
        return
    days = iter(range(100))
    seconds = iter(range(0, 10_000_000, 45_000))  # so that the log has two files

    def clock() -> int:
        return START + next(days) * 86_400 * 1_000_000_000

    writer = LogWriter(FOLDER / "log", WRITER, clock=clock, monotonic=lambda: float(next(seconds)))
    binary = Model("a" * 64, "churn", "1.0.0", "prod", ("age", "plan"))
    later = Model("b" * 64, "churn", "1.1.0", "canary", ("plan",))
    wide = Model("c" * 64, "kinds", "2", "prod", ("age",))
    writer.write(
        [
            (
                binary,
                [
                    LogEntry(1, 0, [30.5, "plus"], 1, 0.1 + 0.2, None, "17", "00-ab-cd-01"),
                    LogEntry(2, 0, [None, "größer"], 0, None, -1.5),
                    LogEntry(
                        3, 2, [[1, 2], ["basic", None]], [0, 1], [1e-300, 1.0], None, ["a", None]
                    ),
                ],
            )
        ]
    )
    writer.write(
        [
            (later, [LogEntry(10, 0, [1 << 70], True, 0.5, None, 1 << 63)]),
            (wide, [LogEntry(12, 1, [[0.25]], ["x"], [[0.25, 0.75]], [[-1.0, 1.0]])]),
        ]
    )
    writer.write([(wide, [LogEntry(0x1F000, 0, [7], "y", [1.0, 0.0])])])
    writer.close()
    second = LogWriter(FOLDER / "log", f"{WRITER}-labels", full=True, clock=clock)
    second.label([(WRITER, 1, 0, None, 1, "ada"), ("", 0, 0, 17.0, 0, "ada")])
    second.label([(WRITER, 3, 1, None, "yes", "bob"), (WRITER, 12, 0, None, 0.1 + 0.2, "bob")])
    second.close()
    (FOLDER / "log.json").write_text(json.dumps(content(FOLDER / "log"), indent=1))
    for name in (".alive", "*-wal", "*-shm"):  # nothing of it is in them once all is closed
        for path in (FOLDER / "log").rglob(name):
            path.unlink()


def content(folder: Path) -> dict[str, Any]:
    """All that a log holds, as JSON holds it; each float in its shortest form, which is exact."""
    answers = [
        {
            "id": answer.id,
            "at": answer.at,
            "version": answer.model.version,
            "stage": answer.model.stage,
            "rows": list(answer.rows()),
            "margin": answer.entry.margin,
            "trace": answer.entry.trace,
        }
        for answer in read_predictions(folder)
    ]
    plain = {
        "models": msgspec.to_builtins(list_models(folder)),
        "answers": answers,
        "labels": msgspec.to_builtins(sorted(read_labels(folder), key=lambda label: label.at)),
    }
    return json.loads(json.dumps(plain))  # type: ignore[no-any-return]


if __name__ == "__main__":
    main()
