"""What was acknowledged can be traced: after kills, on a full disk, for ever after a swap."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import lockgate
from lockgate.deployment.directory import Deployment
from lockgate.prediction_log.reader import read_predictions
from lockgate.prediction_log.segments import delete_old_segments, list_segments
from lockgate.prediction_log.trace import trace
from tests.conftest import Run
from tests.serving.load import Load
from tests.serving.running import serving
from tests.serving.test_predictions import ROW
from tests.serving.test_reload import records, scores

KILLS = 200 if os.environ.get("LOCKGATE_SOAK") else 4


@pytest.mark.parametrize("durability", ["normal", "full"])
def test_killed_servers_lose_and_double_nothing_that_was_acknowledged(
    durability: str, deployed: Deployment, bundles: dict[str, Path]
) -> None:
    given = records(10)
    expected = {"1.0.0": scores(bundles["logistic"], given)}
    luck = random.Random(5)
    acknowledged: list[str] = []
    for _ in range(KILLS // 2):
        with serving(deployed.path, "--log", durability, "--workers", "2", code=-9) as server:

            async def kill(server: Any = server) -> Any:
                load = Load(server.port, given, expected, clients=8, crash=True)
                running = asyncio.create_task(load.run())
                await asyncio.sleep(luck.random() * 0.5)
                pids = [one["pid"] for one in server.status["workers"]]
                for pid in [server.process.pid, *pids]:
                    os.kill(pid, signal.SIGKILL)
                load.stopped = True
                return await running

            account = asyncio.run(kill())
            server.process.wait(10)
        assert not account.failed
        acknowledged += account.ids
    kept = [one.id for one in read_predictions(deployed.path / "log")]
    assert len(kept) == len(set(kept))
    assert set(acknowledged) <= set(kept)
    assert len(set(acknowledged)) == len(acknowledged) > 0


def limited(folder: Path, way: str) -> contextlib.AbstractContextManager[Any]:
    """Leave little room for the log."""

    @contextlib.contextmanager
    def tmpfs() -> Any:
        folder.mkdir(parents=True)
        words = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
        if subprocess.run(words, check=False, capture_output=True).returncode:
            pytest.skip(
                "a tmpfs cannot be mounted here; the other case limits the file size instead"
            )
        try:
            yield {}
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)

    return tmpfs() if way == "tmpfs" else contextlib.nullcontext({"LIMIT": "1"})


@pytest.mark.parametrize(
    "trace_parent",
    [
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" + "-x" * 2000,
        "personal data",
    ],
)
def test_what_is_not_a_trace_context_is_not_logged(trace_parent: str, deployed: Deployment) -> None:
    with serving(deployed.path) as server:
        answer = server.ask("POST", "/predict", {"row": ROW}, traceparent=trace_parent)[1]
        record = trace(deployed, answer["id"])
    assert record is not None
    assert "traceparent" not in record


@pytest.mark.parametrize("durability", ["normal", "full"])
@pytest.mark.parametrize("policy", ["keep", "refuse"])
@pytest.mark.parametrize("way", ["tmpfs", "file-size"])
def test_a_full_disk_is_met_as_declared_and_what_is_in_the_log_stays(
    way: str, policy: str, durability: str, deployed: Deployment
) -> None:
    log = deployed.path / "log"
    with limited(log, way):
        options = ["--log", durability, "--log-full", policy, "--log-inputs", "all"]
        with serving(deployed.path, *options) as server:
            if way == "file-size":
                pid = server.status["workers"][0]["pid"]
                subprocess.run(["prlimit", f"--pid={pid}", "--fsize=600000"], check=True)
            good, refused = [], 0
            body = {"rows": [ROW] * 200}
            for _ in range(120):
                status, said, head = server.ask("POST", "/predict", body)
                if status == 200:
                    good.append(said["id"])
                else:
                    assert (status, policy) == (503, "refuse"), said
                    assert head["retry-after"]
                    refused += 1
            text = server.ask("GET", "/metrics")[1].decode()
            lost = float(text.split("\nlockgate_log_lost_total ")[1].split()[0])
            assert lost > 0
            kept = {one.id for one in read_predictions(log)}
            assert len(kept) > 5
            if policy == "refuse":
                assert refused > 5
                assert set(good) <= kept
            else:
                assert refused == 0
                assert lost == 200 * len(set(good) - kept)
            assert any("cannot be written" in one["message"] for one in server.records())
        assert trace(deployed, f"{good[0]}.0") is not None


def test_an_answer_is_traced_to_its_bundle_also_when_that_is_gone(
    deployed: Deployment, bundles: dict[str, Path], call: Run, tmp_path: Path
) -> None:
    context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with serving(deployed.path) as server:
        said = server.ask("POST", "/predict", {"row": ROW}, traceparent=context)[1]
        many = server.ask("POST", "/predict", {"rows": [ROW, {**ROW, "plan": "basic"}]})[1]
    for k in range(8):  # more than are kept
        key = ("boosting", "logistic")[k % 2]
        deployed.deploy(bundles[key], version=f"9.{k}", stage="prod")
    digest = deployed.history()[0].after
    assert digest is not None
    deployed.deploy(bundles["boosting"], version="10")
    out = call("lockgate", "trace", said["id"], "--here", str(deployed.path), cwd=tmp_path).stdout
    found = json.loads(out)
    assert found["version"] == "1.0.0"
    assert found["inputs"] == ROW
    assert (found["label"], found["score"]) == (said["label"], said["score"])
    assert found["traceparent"] == context
    assert found["bundle"] == digest.digest
    opened = lockgate.open(bundles["logistic"])
    assert found["bundle"] == opened.digest
    assert found["origin"]["hashes"]["data"] == opened.manifest.hashes.data
    second = trace(deployed, many["id"] + ".1")
    assert second is not None
    assert (second["inputs"]["plan"], second["score"]) == ("basic", many["scores"][1])
    for wrong, words in (
        (many["id"] + ".7", "had 2"),
        ("x", "not a prediction id"),
        (said["id"] + "ff", "no prediction with id"),
    ):
        done = call("lockgate", "trace", wrong, "--here", str(deployed.path), cwd=tmp_path, code=2)
        assert words in done.stderr


def test_labels_come_later_by_id_by_key_and_in_bulk(
    deployed: Deployment, call: Run, tmp_path: Path
) -> None:
    with serving(deployed.path, "--key", "customer") as server:
        first = server.predict({**ROW, "customer": 17})
        second = server.predict(ROW, key="c-2")
        many = server.ask("POST", "/predict", {"rows": [ROW, ROW, ROW], "keys": [1, 2, 3]})[1]
        last = server.ask(
            "POST",
            "/predict",
            b"customer,months,charge,calls,plan,abroad\n0099,3,4,5,plus,no\n",
            content_type="text/csv",
        )[1]

        def tell(body: Any) -> tuple[int, Any]:
            return server.ask("POST", "/feedback", body)[:2]

        address = f"{first['model']}@{first['version']}"
        recorded = {"id": first["id"], "label": 1, "model": address}
        assert tell({"id": first["id"], "label": 1.0}) == (200, {"taken": 1, "labels": [recorded]})
        assert tell({"key": 17.0, "label": 0})[1]["labels"] == [{"key": "17", "label": 0}]
        assert (
            tell({"labels": [{"key": "c-2", "label": 0}, {"id": many["id"] + ".1", "label": 1}]})[0]
            == 200
        )
        for body, status, words in (
            ({"id": "abandonwhat23456-1", "label": 1}, 422, "no prediction with id"),
            ({"id": many["id"] + ".9", "label": 1}, 422, "no prediction with id"),
            ({"id": "nonsense", "label": 1}, 422, "not a prediction id"),
            ({"label": 1}, 422, "expected an id or a key"),
            ({"id": first["id"]}, 400, "label"),
            ({"id": first["id"], "label": [1]}, 400, "label"),
            ({"labels": []}, 422, "0 labels"),
        ):
            found, said = tell(body)
            assert found == status
            assert words in json.dumps(said)
    (tmp_path / "late.csv").write_text("transaction,churned\n17,0\n3,1\n0099,1\nnone,1\n,1\n5,\n")
    done = call(
        "lockgate",
        "log",
        "label",
        "late.csv",
        "--here",
        str(deployed.path),
        "--key",
        "transaction",
        "--label",
        "churned",
        cwd=tmp_path,
    )
    assert "4 labels recorded; 3 of 4 keys match logged predictions" in done.stdout
    assert "2 rows without a key or label" in done.stdout
    unknown = first["id"].partition("-")[0] + "-fff"
    (tmp_path / "by_id.csv").write_text(
        f"id,label\n{many['id']}.2,1\n{unknown},1\n{many['id']}.3,0\n"
    )
    done = call(
        "lockgate",
        "log",
        "label",
        "by_id.csv",
        "--here",
        str(deployed.path),
        "--id",
        "id",
        cwd=tmp_path,
    )
    assert "1 label recorded" in done.stdout
    assert f"2 ids are not in the log, e.g. {unknown}" in done.stdout
    call("lockgate", "log", "export", str(deployed.path), "log.parquet", cwd=tmp_path)
    table = pq.read_table(tmp_path / "log.parquet").to_pylist()
    truth = {one["prediction.id"]: one["churned"] for one in table}
    assert truth == {
        first["id"]: 1,  # by id before by key
        second["id"]: 0,
        f"{many['id']}.0": None,
        f"{many['id']}.1": 1,
        f"{many['id']}.2": 1,
        f"{last['id']}.0": 1,
    }
    scores_ = {one["prediction.id"]: one["prediction.score"] for one in table}
    assert scores_[first["id"]] == first["score"]
    assert [one["prediction.key"] for one in table] == ["17", "c-2", "1", "2", "3", "0099"]
    bundle = str(deployed.bundle(deployed.pointer().slots[0].digest))
    done = call("lockgate", "evaluate", bundle, "log.parquet", "--json", cwd=tmp_path)
    labelled = [one for one in table if one["churned"] is not None]
    right = sum(one["prediction.label"] == one["churned"] for one in labelled)
    accuracy = json.loads(done.stdout)["figures"]["classification"]["accuracy"]["estimate"]
    assert accuracy == right / len(labelled)
    for words, status in (
        (("--model", "chrun"), "did you mean"),
        ((), "pass --force to overwrite"),
    ):
        done = call(
            "lockgate",
            "log",
            "export",
            str(deployed.path),
            "log.parquet",
            *words,
            *(("--force",) if words else ()),
            cwd=tmp_path,
            code=2,
        )
        assert status in done.stderr


def test_what_is_not_to_be_kept_is_not_kept(deployed: Deployment, tmp_path: Path) -> None:
    for options, kept in (
        (("--redact", "plan", "--redact", "calls"), {"months", "charge", "abroad"}),
        (("--log-inputs", "none"), set()),
    ):
        with serving(deployed.path, *options) as server:
            said = server.predict({**ROW, "plan": "plus", "charge": 123456.75})
        found = trace(deployed, said["id"])
        assert found is not None
        assert set(found["inputs"]) == kept
    with serving(deployed.path, "--log", "off") as server:
        said = server.predict(ROW)
        assert server.ask("POST", "/feedback", {"id": said["id"], "label": 1})[0] == 409
    assert trace(deployed, said["id"]) is None
    with serving(deployed.path, "--log", "sampled", "--log-share", "0.5") as server:
        ids = [server.predict(ROW)["id"] for _ in range(60)]
    kept_ids = {one.id for one in read_predictions(deployed.path / "log")}
    assert 5 < len(kept_ids & set(ids)) < 55
    for path in (deployed.path / "log").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_long_log_is_cut_into_files_and_the_oldest_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lockgate.prediction_log import writer as writer_module
    from lockgate.prediction_log.entries import LogEntry, Model
    from lockgate.prediction_log.writer import LogWriter

    monkeypatch.setattr(writer_module, "SEGMENT", 100_000)
    model = Model("d" * 64, "m", "1", "prod", ("a",))
    writer = LogWriter(tmp_path, "abandonwhat23456")
    for count in range(1, 401):
        writer.write([(model, [LogEntry(count, 0, ["x" * 1000], 1, 0.5)])])
    writer.write_labels([("abandonwhat23456", 7, 0, None, 1, "me")])
    writer.checkpoint()
    found = list(list_segments(tmp_path))
    assert 4 <= len(found) <= 5
    assert [one.entry.count for one in read_predictions(tmp_path)] == list(range(1, 401))
    assert delete_old_segments(tmp_path, days=30, megabytes=10) == 0
    assert (
        delete_old_segments(tmp_path, days=30, megabytes=0) == len(found) - 1
    )  # the last one is in use
    left = [one.entry.count for one in read_predictions(tmp_path)]
    assert left == list(range(left[0], 401))
    assert delete_old_segments(tmp_path, days=0, megabytes=10, now=time.time() + 9) == 0
    writer.close()
    assert delete_old_segments(tmp_path, days=0, megabytes=10, now=time.time() + 9) == 1
