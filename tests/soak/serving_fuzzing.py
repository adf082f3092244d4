"""Coverage-guided fuzzing of what the server reads: bodies of every path, and tensors.

``python -m tests.soak.serving_fuzzing SECONDS [CORPUS]``: the first byte picks a
path; the rest is the body. Everything but an answer or a refusal is a finding.
"""

from __future__ import annotations

import asyncio
import logging
import mmap
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["lockgate.serving", "lockgate.data"]):
    from lockgate.serving.application import Application
    from lockgate.serving.http.messages import Request, Response
    from lockgate.serving.prediction.model_store import LoadedModel, ModelStore
    from lockgate.serving.settings import LogSettings, ServeSettings
    from lockgate.serving.telemetry.metrics import PAGE, MetricsRecorder

from lockgate.deployment.directory import Deployment
from lockgate.serving.prediction.recorder import Recorder

FINE = {200, 400, 404, 409, 413, 415, 422, 503}


def application(folder: Path) -> Application:
    """An application that serves a small model, with its log."""
    import lockgate
    from tests.serving.conftest import rows

    from sklearn.compose import make_column_transformer  # isort: skip
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = rows(300).fillna({"calls": 1.0})
    target = (frame["charge"] > 50).astype(int).rename("churned")
    before = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["plan", "abroad"]), remainder="passthrough"
    )
    model = make_pipeline(before, LogisticRegression(max_iter=2000)).fit(frame, target)
    lockgate.pack(model, frame, target, name="churn", path=folder / "churn")
    deployment = Deployment(folder / "live")
    (slot,) = deployment.deploy(folder / "churn", version="1.0").slots
    served = LoadedModel(slot, deployment.bundle(slot.digest), batching="off")
    settings = ServeSettings(log=LogSettings(inputs="all", key="customer"))
    counts = MetricsRecorder(mmap.mmap(-1, PAGE), 0)
    recorder = Recorder(folder / "log", settings.log, counts)
    return Application(ModelStore([served]), settings, counts, recorder=recorder)


def main() -> None:
    from tests.serving.test_generated_requests import originals

    warnings.simplefilter("ignore")
    logging.getLogger("lockgate").addHandler(logging.NullHandler())
    folder = Path(tempfile.mkdtemp())
    app = application(folder)
    loop = asyncio.new_event_loop()
    given = originals()
    corpus = Path(sys.argv[2] if len(sys.argv) > 2 else "build/serving-fuzzing")
    corpus.mkdir(parents=True, exist_ok=True)
    for k, (_, _, body) in enumerate(given):
        (corpus / f"original-{k:02d}").write_bytes(bytes([k]) + body)

    async def asked(request: Request) -> Response:
        done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        app.answer(request, done.set_result)
        return await asyncio.wait_for(done, 10)

    def ask(data: bytes) -> None:
        path, kind, _ = given[(data[0] if data else 0) % len(given)]
        kind, _, more = kind.partition("\r\n")
        headers: dict[bytes, Any] = {b"content-type": kind.encode(), b"host": b"localhost"}
        if more:
            name, _, value = more.partition(": ")
            headers[name.encode()] = value.encode()
        request = Request("POST", path, b"", headers)
        refused = app.admit(request)
        if refused is None:
            request.body = data[1:]
            refused = loop.run_until_complete(asked(request))
        assert refused.status in FINE, refused.body

    arguments = [
        sys.argv[0],
        str(corpus),
        f"-max_total_time={sys.argv[1]}",
        "-timeout=10",
        "-rss_limit_mb=4096",
        "-max_len=6000",
        "-print_final_stats=1",
    ]
    atheris.Setup(arguments, ask)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
