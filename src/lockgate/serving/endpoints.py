"""Every path that is answered, and by what."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lockgate._version import __version__
from lockgate.serving.http.messages import (
    HTML,
    HTTPError,
    Request,
    Response,
    SendResponse,
    json_reply,
)
from lockgate.serving.http.routing import Route
from lockgate.serving.pages.front_page import front_page
from lockgate.serving.pages.openapi import document
from lockgate.serving.prediction.model_store import ModelStore
from lockgate.serving.prediction.requests import PredictionRequest
from lockgate.serving.protocols.mlflow import invocations_question
from lockgate.serving.protocols.native.feedback import record_feedback
from lockgate.serving.protocols.native.predict import predict_question
from lockgate.serving.protocols.tabular import ARROW, CSV, table_question
from lockgate.serving.protocols.v2.inference import infer_question, metadata, model_in_path
from lockgate.serving.telemetry.metrics import exposition

if TYPE_CHECKING:
    from lockgate.serving.application import Application

__all__ = ["all_routes"]

JSON = "application/json"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
Read = Callable[[ModelStore, Request, SendResponse, int], PredictionRequest]


def all_routes(app: Application) -> list[Route]:
    """Return the routes of an application."""
    return [*_own(app), *_protocol(app), *_mlflow(app)]


def _own(app: Application) -> list[Route]:
    key = app.settings.log.key
    ask = _asking(app, predict_question, functools.partial(table_question, key=key))
    kinds = (JSON, CSV, ARROW)
    body = {"body": {"$ref": "#/components/schemas/Predict"}, "example": "row"}
    page = {"produces": ["application/json", "text/html"]}
    return [
        Route("/predict", "POST", "predict", ask, "Answer rows.", kinds, body),
        Route("/predict/{model}", "POST", "predict", ask, "Answer rows with a model.", kinds, body),
        Route(
            "/feedback",
            "POST",
            "feedback",
            lambda request, _: record_feedback(app.recorder, app.shelf, request),
            "Say what turned out to be true.",
            (JSON,),
        ),
        Route(
            "/metrics",
            "GET",
            "read",
            lambda _, __: _metrics(app),
            "Counts for Prometheus.",
            about={"produces": ["text/plain"]},
        ),
        Route("/openapi.json", "GET", "read", lambda _, __: _document(app), "This document."),
        Route(
            "/",
            "GET",
            "read",
            lambda request, _: _front(app, request),
            "What is served.",
            about=page,
        ),
    ]


def _protocol(app: Application) -> list[Route]:
    infer = _asking(app, infer_question)
    kinds = (JSON, "application/octet-stream", "")
    made = [
        Route("/v2", "GET", "read", lambda _, __: json_reply(SERVER), "The server."),
        Route(
            "/v2/health/live",
            "GET",
            "",
            lambda _, __: json_reply({"live": True}),
            "Whether the process lives.",
        ),
        Route(
            "/v2/health/ready",
            "GET",
            "",
            lambda _, __: _ready(app),
            "Whether requests are answered.",
        ),
    ]
    for path in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        made += [
            Route(path, "GET", "read", lambda request, _: _model(app, request), "A model."),
            Route(
                f"{path}/ready",
                "GET",
                "read",
                lambda request, _: _model(app, request, ready=True),
                "Whether a model answers.",
            ),
            Route(
                f"{path}/infer",
                "POST",
                "predict",
                infer,
                "Answer tensors.",
                kinds,
                {"body": INFER, "produces": [JSON, "application/octet-stream"]},
            ),
        ]
    return made


def _mlflow(app: Application) -> list[Route]:
    ask = _asking(app, invocations_question, functools.partial(table_question, mlflow=True))
    version = {"version": __version__}
    return [
        Route("/invocations", "POST", "predict", ask, "Answer rows as MLflow does.", (JSON, CSV)),
        Route(
            "/invocations/{model}", "POST", "predict", ask, "The same, with a model.", (JSON, CSV)
        ),
        Route("/ping", "GET", "", lambda _, __: _ready(app), "Whether requests are answered."),
        Route("/health", "GET", "", lambda _, __: _ready(app), "Whether requests are answered."),
        Route("/version", "GET", "read", lambda _, __: json_reply(version), "Of lockgate."),
    ]


SERVER = {
    "name": "lockgate",
    "version": __version__,
    "extensions": ["binary_tensor_data", "binary_data"],
}

INFER = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "parameters": {"type": "object"},
        "inputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "shape", "datatype"],
                "properties": {
                    "name": {"type": "string"},
                    "shape": {"type": "array", "items": {"type": "integer"}},
                    "datatype": {"type": "string"},
                    "data": {"type": "array"},
                    "parameters": {"type": "object"},
                },
            },
        },
        "outputs": {"type": "array", "items": {"type": "object"}},
    },
}


def _asking(app: Application, read: Read, table: Read | None = None) -> Any:
    """Make the answer of a route that reads a question out of a body, by its content type."""

    def answer(request: Request, send: SendResponse) -> None:
        how = read
        if table is not None:
            kind = request.headers.get(b"content-type", b"").lower()
            if kind != b"application/json" and kind.startswith((CSV.encode(), ARROW.encode())):
                how = table
        app.desk.ask(how(app.shelf, request, send, app.settings.limits.rows))

    return answer


def _metrics(app: Application) -> Response:
    app.refresh()
    text = exposition(app.counts.all(), app.shelf.all, app.began)
    return Response(200, text, PROMETHEUS.encode())


def _document(app: Application) -> Response:
    return json_reply(document(app.routes.all, app.shelf, tokens=app.tokens is not None))


def _front(app: Application, request: Request) -> Response:
    if b"text/html" in request.headers.get(b"accept", b""):
        scheme = "https" if app.settings.certificate else "http"
        host = request.headers.get(b"host", b"localhost").decode("latin-1")
        where = f"{scheme}://{host}"
        page = front_page(app.routes.all, app.shelf, where, tokens=app.tokens is not None)
        policy = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'")
        return Response(200, page, HTML, (policy,))
    said = [
        {
            "model": one.name,
            "version": one.version,
            "stage": one.stage,
            "bundle": one.digest,
            "task": one.model.task,
            "inputs": one.names,
        }
        for one in app.shelf.all
    ]
    return json_reply({"served": said, "lockgate": __version__})


def _ready(app: Application) -> Response:
    if not app.ready:
        raise HTTPError(503, "the server is stopping", headers={b"retry-after": b"1"})
    return json_reply({"ready": True})


def _model(app: Application, request: Request, *, ready: bool = False) -> Response:
    served = app.shelf.find(model_in_path(request))
    if ready:
        return json_reply({"name": served.name, "ready": app.ready})
    versions = [one.version for one in app.shelf.all if one.name == served.name]
    return json_reply(metadata(served, versions))
