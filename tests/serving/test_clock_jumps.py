"""The wall clock jumps by 400 days, for real processes: nothing of the log is lost."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from lockgate.deployment.directory import Deployment
from lockgate.prediction_log.clock import ClockRecord
from tests.conftest import Run
from tests.serving.running import serving
from tests.serving.test_predictions import ROW

DAY = 86_400
LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))

pytestmark = pytest.mark.skipif(
    not LIBRARIES, reason="libfaketime is not installed; test_clock.py passes the clock in"
)


def seen_by_the_server(deployed: Deployment) -> float:
    """Return the wall clock that the server noted when it last looked for old files."""
    path = deployed.path / "log" / ".clock.json"
    return msgspec.json.decode(path.read_bytes(), type=ClockRecord).wall if path.exists() else 0.0


@pytest.mark.parametrize("days", [400, -400])
def test_a_jump_deletes_no_prediction(
    days: int, deployed: Deployment, call: Run, tmp_path: Path
) -> None:
    offset = tmp_path / "offset"
    offset.write_text("+0")
    clock = {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    ids = []
    with serving(deployed.path, "--log-days", "30", **clock) as server:
        ids += [server.predict(ROW)["id"] for _ in range(5)]
        offset.write_text(f"{days * DAY:+d}")
        ids += [server.predict(ROW)["id"] for _ in range(5)]
    jumped = time.time() + days * DAY
    with serving(deployed.path, "--log-days", "30", **clock) as server:
        server.wait(lambda: abs(seen_by_the_server(deployed) - jumped) < DAY)
        ids += [server.predict(ROW)["id"] for _ in range(5)]
        offset.write_text("+0")
        ids += [server.predict(ROW)["id"] for _ in range(5)]
    for prediction_id in ids[::4]:
        call("lockgate", "trace", prediction_id, "--here", str(deployed.path), cwd=tmp_path)
    done = call("lockgate", "log", "export", str(deployed.path), "out.parquet", cwd=tmp_path)
    assert f"{len(ids)} rows" in done.stdout
