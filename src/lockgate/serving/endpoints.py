"""The routes of a server: native, Open Inference Protocol v2 and MLflow."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

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
from lockgate.serving.prediction.model_store import LoadedModel, ModelStore
from lockgate.serving.prediction.requests import PredictionRequest
from lockgate.serving.protocols.mlflow import read_invocations_request
from lockgate.serving.protocols.native.feedback import record_feedback
from lockgate.serving.protocols.native.predict import read_predict_request
from lockgate.serving.protocols.tabular import ARROW, CSV, TSV, read_table_request
from lockgate.serving.protocols.v2.description import configuration, metadata, statistics
from lockgate.serving.protocols.v2.inference import model_in_path, read_infer_request
from lockgate.serving.telemetry.metrics import exposition

if TYPE_CHECKING:
    from lockgate.serving.application import Application

__all__ = ["all_routes"]

JSON = "application/json"
BINARY = "application/octet-stream"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
ReadRequest = Callable[[ModelStore, Request, SendResponse, int], PredictionRequest]


def all_routes(app: Application) -> list[Route]:
    """Return the routes of an application."""
    return [*_native_routes(app), *_v2_routes(app), *_mlflow_routes(app)]


def _get(
    path: str, role: str, summary: str, answer: Callable[[Request], Response], *produces: str
) -> Route:
    """Return a route that answers at once."""
    about = {"produces": list(produces)} if produces else {}
    return Route(path, "GET", role, summary, lambda request, _: answer(request), about=about)


def _native_routes(app: Application) -> list[Route]:
    read_table = functools.partial(read_table_request, key_column=app.settings.log.key)
    bodies: dict[str, ReadRequest] = {
        JSON: functools.partial(read_predict_request, key_column=app.settings.log.key),
        CSV: read_table,
        TSV: read_table,
        ARROW: read_table,
    }
    about = {"body": {"$ref": "#/components/schemas/Predict"}, "example": "row"}
    return [
        Route("/predict", "POST", "predict", "Predict rows.", bodies=bodies, about=about),
        Route(
            "/predict/{model}",
            "POST",
            "predict",
            "Predict rows with a model.",
            bodies=bodies,
            about=about,
        ),
        Route(
            "/feedback",
            "POST",
            "feedback",
            "Record true outcomes.",
            lambda request, send: app.answer_in_thread(
                functools.partial(record_feedback, app.recorder, app.store), request, send
            ),
            {JSON: None},
        ),
        _get(
            "/metrics",
            "read",
            "Metrics for Prometheus.",
            lambda _: _metrics_response(app),
            "text/plain",
        ),
        _get(
            "/openapi.json",
            "read",
            "OpenAPI document of this server.",
            lambda _: _openapi_response(app),
        ),
        _get(
            "/",
            "read",
            "Models that are served.",
            lambda request: _front_page_response(app, request),
            JSON,
            "text/html",
        ),
    ]


def _v2_routes(app: Application) -> list[Route]:
    read = functools.partial(read_infer_request, key_column=app.settings.log.key)
    bodies = dict.fromkeys((JSON, BINARY, ""), read)
    about = {"body": INFER, "produces": [JSON, BINARY]}
    routes = [
        _get("/v2", "read", "The server.", lambda _: json_response(SERVER)),
        _get("/v2/health/live", "", "Liveness.", lambda _: json_response({"live": True})),
        _get("/v2/health/ready", "", "Readiness.", lambda _: _ready_response(app)),
    ]
    routes.append(
        Route(
            "/v2/repository/index",
            "POST",
            "read",
            "Models that are served.",
            lambda _request, _send: _repository_response(app),
            {JSON: None, "": None},
            {"response": {"type": "array", "items": {"type": "object"}}},
        )
    )
    routes.append(
        _get(
            "/v2/models/stats",
            "read",
            "Rows and batches that each model predicted.",
            lambda _: _statistics_response(app, app.store.all),
        )
    )
    for path in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        routes += [
            _get(
                f"{path}/config",
                "read",
                "Configuration of a model.",
                lambda request: json_response(
                    configuration(app.store.find(model_in_path(request)), app.settings.limits.rows)
                ),
            ),
            _get(
                f"{path}/stats",
                "read",
                "Rows and batches that a model predicted.",
                lambda request: _statistics_response(app, [app.store.find(model_in_path(request))]),
            ),
            _get(path, "read", "A model.", lambda request: _model_response(app, request)),
            _get(
                f"{path}/ready",
                "read",
                "Readiness of a model.",
                lambda request: _model_response(app, request, ready=True),
            ),
            Route(
                f"{path}/infer", "POST", "predict", "Predict tensors.", bodies=bodies, about=about
            ),
        ]
    return routes


def _mlflow_routes(app: Application) -> list[Route]:
    read_table = functools.partial(read_table_request, key_column=app.settings.log.key, mlflow=True)
    bodies: dict[str, ReadRequest] = {
        JSON: functools.partial(read_invocations_request, key_column=app.settings.log.key),
        CSV: read_table,
        TSV: read_table,
    }
    version = {"version": __version__}
    return [
        Route("/invocations", "POST", "predict", "Predict rows as MLflow does.", bodies=bodies),
        Route(
            "/invocations/{model}",
            "POST",
            "predict",
            "Predict rows as MLflow does, with a model.",
            bodies=bodies,
        ),
        _get("/ping", "", "Readiness.", lambda _: _ready_response(app)),
        _get("/health", "", "Readiness.", lambda _: _ready_response(app)),
        _get("/version", "read", "Version of lockgate.", lambda _: json_response(version)),
    ]


SERVER = {
    "name": "lockgate",
    "version": __version__,
    "extensions": [
        "binary_tensor_data",
        "binary_data",
        "model_configuration",
        "model_repository",
        "statistics",
    ],
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


def _metrics_response(app: Application) -> Response:
    app.refresh()
    text = exposition(app.metrics.all(), app.store.all, app.started_at)
    return Response(200, text, PROMETHEUS.encode())


def _openapi_response(app: Application) -> Response:
    return json_response(
        openapi_document(app.routes.all, app.store, app.settings.log, tokens=app.tokens is not None)
    )


def _front_page_response(app: Application, request: Request) -> Response:
    if b"text/html" in request.headers.get(b"accept", b""):
        scheme = "https" if app.settings.certificate else "http"
        host = request.headers.get(b"host", b"localhost").decode("latin-1")
        base_url = f"{scheme}://{host}"
        page = front_page(
            app.routes.all, app.store, base_url, app.settings.log, tokens=app.tokens is not None
        )
        policy = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'")
        return Response(200, page, HTML, (policy,))
    models = [
        {
            "model": model.name,
            "version": model.version,
            "stage": model.stage,
            "bundle": model.digest,
            "task": model.predictor.task,
            "inputs": model.names,
            **model.prediction_facts,
        }
        for model in app.store.all
    ]
    return json_response({"served": models, "lockgate": __version__})


def _ready_response(app: Application) -> Response:
    if not app.ready:
        raise HTTPError(503, "the server is stopping", headers={b"retry-after": b"1"})
    return json_response({"ready": True})


def _repository_response(app: Application) -> Response:
    """List the models as the model repository extension of the protocol does."""
    state = "READY" if app.ready else "UNAVAILABLE"
    models = [
        {"name": model.name, "version": model.version, "state": state, "reason": ""}
        for model in app.store.all
    ]
    return json_response(models)


def _statistics_response(app: Application, models: Iterable[LoadedModel]) -> Response:
    return json_response(statistics(models, app.metrics.all().values()))


def _model_response(app: Application, request: Request, *, ready: bool = False) -> Response:
    model = app.store.find(model_in_path(request))
    if ready:
        return json_response({"name": model.name, "ready": app.ready})
    versions = [other.version for other in app.store.all if other.name == model.name]
    return json_response(metadata(model, versions))
