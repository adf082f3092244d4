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
    json_response,
)
from lockgate.serving.http.routing import Route
from lockgate.serving.pages.front_page import front_page
from lockgate.serving.pages.openapi import openapi_document
from lockgate.serving.prediction.model_store import ModelStore
from lockgate.serving.prediction.requests import PredictionRequest
from lockgate.serving.protocols.mlflow import read_invocations_request
from lockgate.serving.protocols.native.feedback import record_feedback
from lockgate.serving.protocols.native.predict import read_predict_request
from lockgate.serving.protocols.tabular import ARROW, CSV, read_table_request
from lockgate.serving.protocols.v2.inference import metadata, model_in_path, read_infer_request
from lockgate.serving.telemetry.metrics import exposition

if TYPE_CHECKING:
    from lockgate.serving.application import Application

__all__ = ["all_routes"]

JSON = "application/json"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
ReadRequest = Callable[[ModelStore, Request, SendResponse, int], PredictionRequest]


def all_routes(app: Application) -> list[Route]:
    """Return the routes of an application."""
    return [*_native_routes(app), *_v2_routes(app), *_mlflow_routes(app)]


def _native_routes(app: Application) -> list[Route]:
    key = app.settings.log.key
    predict = _predict_handler(
        app, read_predict_request, functools.partial(read_table_request, key=key)
    )
    kinds = (JSON, CSV, ARROW)
    body = {"body": {"$ref": "#/components/schemas/Predict"}, "example": "row"}
    page = {"produces": ["application/json", "text/html"]}
    return [
        Route("/predict", "POST", "predict", predict, "Answer rows.", kinds, body),
        Route(
            "/predict/{model}", "POST", "predict", predict, "Answer rows with a model.", kinds, body
        ),
        Route(
            "/feedback",
            "POST",
            "feedback",
            lambda request, _: record_feedback(app.recorder, app.store, request),
            "Say what turned out to be true.",
            (JSON,),
        ),
        Route(
            "/metrics",
            "GET",
            "read",
            lambda _, __: _metrics_response(app),
            "Counts for Prometheus.",
            about={"produces": ["text/plain"]},
        ),
        Route(
            "/openapi.json", "GET", "read", lambda _, __: _openapi_response(app), "This document."
        ),
        Route(
            "/",
            "GET",
            "read",
            lambda request, _: _front_page_response(app, request),
            "What is served.",
            about=page,
        ),
    ]


def _v2_routes(app: Application) -> list[Route]:
    infer = _predict_handler(app, read_infer_request)
    kinds = (JSON, "application/octet-stream", "")
    routes = [
        Route("/v2", "GET", "read", lambda _, __: json_response(SERVER), "The server."),
        Route(
            "/v2/health/live",
            "GET",
            "",
            lambda _, __: json_response({"live": True}),
            "Whether the process lives.",
        ),
        Route(
            "/v2/health/ready",
            "GET",
            "",
            lambda _, __: _ready_response(app),
            "Whether requests are answered.",
        ),
    ]
    for path in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        routes += [
            Route(
                path, "GET", "read", lambda request, _: _model_response(app, request), "A model."
            ),
            Route(
                f"{path}/ready",
                "GET",
                "read",
                lambda request, _: _model_response(app, request, ready=True),
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
    return routes


def _mlflow_routes(app: Application) -> list[Route]:
    predict = _predict_handler(
        app, read_invocations_request, functools.partial(read_table_request, mlflow=True)
    )
    version = {"version": __version__}
    return [
        Route(
            "/invocations", "POST", "predict", predict, "Answer rows as MLflow does.", (JSON, CSV)
        ),
        Route(
            "/invocations/{model}",
            "POST",
            "predict",
            predict,
            "The same, with a model.",
            (JSON, CSV),
        ),
        Route(
            "/ping", "GET", "", lambda _, __: _ready_response(app), "Whether requests are answered."
        ),
        Route(
            "/health",
            "GET",
            "",
            lambda _, __: _ready_response(app),
            "Whether requests are answered.",
        ),
        Route("/version", "GET", "read", lambda _, __: json_response(version), "Of lockgate."),
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


def _predict_handler(
    app: Application, read_request: ReadRequest, read_table: ReadRequest | None = None
) -> Any:
    """Make the answer of a route that reads a question out of a body, by its content type."""

    def answer(request: Request, send: SendResponse) -> None:
        reader = read_request
        if read_table is not None:
            content_type = request.headers.get(b"content-type", b"").lower()
            if content_type != b"application/json" and content_type.startswith(
                (CSV.encode(), ARROW.encode())
            ):
                reader = read_table
        app.batcher.submit(reader(app.store, request, send, app.settings.limits.rows))

    return answer


def _metrics_response(app: Application) -> Response:
    app.refresh()
    text = exposition(app.metrics.all(), app.store.all, app.started_at)
    return Response(200, text, PROMETHEUS.encode())


def _openapi_response(app: Application) -> Response:
    return json_response(openapi_document(app.routes.all, app.store, tokens=app.tokens is not None))


def _front_page_response(app: Application, request: Request) -> Response:
    if b"text/html" in request.headers.get(b"accept", b""):
        scheme = "https" if app.settings.certificate else "http"
        host = request.headers.get(b"host", b"localhost").decode("latin-1")
        base_url = f"{scheme}://{host}"
        page = front_page(app.routes.all, app.store, base_url, tokens=app.tokens is not None)
        policy = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'")
        return Response(200, page, HTML, (policy,))
    models = [
        {
            "model": model.name,
            "version": model.version,
            "stage": model.stage,
            "bundle": model.digest,
            "task": model.packed.task,
            "inputs": model.names,
        }
        for model in app.store.all
    ]
    return json_response({"served": models, "lockgate": __version__})


def _ready_response(app: Application) -> Response:
    if not app.ready:
        raise HTTPError(503, "the server is stopping", headers={b"retry-after": b"1"})
    return json_response({"ready": True})


def _model_response(app: Application, request: Request, *, ready: bool = False) -> Response:
    model = app.store.find(model_in_path(request))
    if ready:
        return json_response({"name": model.name, "ready": app.ready})
    versions = [other.version for other in app.store.all if other.name == model.name]
    return json_response(metadata(model, versions))
