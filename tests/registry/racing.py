"""A process that puts versions into a stage, one after the other, as fast as it can.

``python -m tests.registry.racing FOLDER WORKER EVENTS`` writes each acknowledged
event's id to ``FOLDER/../acknowledged-WORKER``, one line each, before the next.
It prints ``ready`` before the first.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from lockgate.errors import LedgerConflict, LedgerError
from lockgate.registry.api import Ledger


def main(folder: Path, worker: str, events: int) -> None:
    rng = random.Random(worker)  # no secret
    ledger = Ledger(folder)
    done = 0
    place = folder.parent / f"acknowledged-{worker}"
    if place.exists():
        done = len(place.read_text().splitlines())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    with place.open("a") as file:
        while done < events:
            version = rng.choice(["1.0.0", "1.1.0", "1.2.0"])
            try:
                made = ledger.promote(
                    "fraud", "prod", version=version, override=True, reason=worker
                )
            except LedgerConflict:
                continue  # another writer was first
            except LedgerError as error:
                if "is already in prod" in str(error):
                    continue
                raise
            file.write(f"{made.seq} {made.slot.version}\n")
            file.flush()
            os.fsync(file.fileno())
            done += 1


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    except LedgerError as error:
        sys.exit(f"{type(error).__name__}: {error}")
