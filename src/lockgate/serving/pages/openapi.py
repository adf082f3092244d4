"""The OpenAPI 3.1 document of a server."""

from __future__ import annotations

from typing import Any

from lockgate.serving.http.routing import Route
from lockgate.serving.pages.example_rows import example_row, list_shown
from lockgate.serving.prediction.model_store import LoadedModel, ModelStore
from lockgate.serving.settings import LogSettings

__all__ = ["openapi_document"]

JSON = "application/json"
PARAMETER_FIELDS = {"model": "name", "version": "version"}
"""Parameters of paths, and the attributes of a model with an example for them."""

TYPES = {"number": "number", "integer": "integer", "boolean": "boolean"}
"""JSON types of kinds of columns; other kinds are strings."""


def openapi_document(
    routes: list[Route], store: ModelStore, log: LogSettings, *, tokens: bool
) -> dict[str, Any]:
    """Return the document, with the inputs of the models that are served now.

    Parameters
    ----------
    routes : list of Route
        Paths of the server.
    store : ModelStore
        Models that are served.
    log : LogSettings
        Settings of the prediction log: values of columns that it omits are not shown.
    tokens : bool
        Whether requests need a token.

    """
    paths: dict[str, Any] = {}
    for route in routes:
        operation = _operation(route, store, log, tokens=tokens)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    openapi: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": ", ".join(sorted({model.name for model in store.all})) or "lockgate",
            "version": ", ".join(sorted({model.version for model in store.all})) or "none",
            "description": _describe(store),
        },
        "paths": paths,
        "components": {"schemas": _schemas(store, log)},
    }
    if tokens:
        openapi["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    return openapi


def _describe(store: ModelStore) -> str:
    """Return what the document is of, and what callers must know of predictions."""
    sentences = ["Predictions of packed models; each has an id for tracing its origin."]
    for model in store.all:
        if (quantile := model.prediction_facts.get("quantile")) is not None:
            sentences.append(
                f"Values of {model.address} are the {quantile:g} quantile: of like rows, "
                f"{100 * quantile:.4g} % have a true value at or below it."
            )
        if (coverage := model.prediction_facts.get("coverage")) is not None:
            sentences.append(
                f"Intervals or sets of {model.address} hold the truth for {100 * coverage:.4g} % "
                "of like rows."
            )
        if model.value_names:
            names = ", ".join(model.value_names)
            sentences.append(f"A value of {model.address} has a number for each of {names}.")
    return " ".join(sentences)


def _operation(
    route: Route, store: ModelStore, log: LogSettings, *, tokens: bool
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": f"{route.method.lower()}{route.path}".replace("/", "_"),
        "responses": _responses(route, tokens=tokens),
    }
    parameters = [part[1:-1] for part in route.path.split("/") if part[:1] == "{"]
    described = [_parameter(name, store) for name in parameters]
    if route.role == "predict" and any(model.contract for model in store.all):
        described.append(CONTRACT_HEADER)
    if described:
        operation["parameters"] = described
    if route.bodies:
        operation["requestBody"] = {"required": True, "content": _content(route, store, log)}
    if tokens and route.role:
        operation["security"] = [{"bearer": []}]
        operation["description"] = f"Requires a token with the role {route.role}."
    return operation


def _parameter(name: str, store: ModelStore) -> dict[str, Any]:
    parameter: dict[str, Any] = {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
    }
    if store.all:
        parameter["example"] = getattr(store.all[0], PARAMETER_FIELDS[name])
    return parameter


def _responses(route: Route, *, tokens: bool) -> dict[str, Any]:
    content = {JSON: {"schema": route.about.get("response", {"type": "object"})}}
    if "produces" in route.about:
        content = {kind: {"schema": {}} for kind in route.about["produces"]}
    error = {"content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}}
    responses: dict[str, Any] = {"200": {"description": "Success.", "content": content}}
    responses |= {
        str(code): {"description": description, **error} for code, description in CODES.items()
    }
    if not route.bodies:
        for code in ("400", "409", "413", "415", "422", "503"):
            del responses[code]
    if not tokens or not route.role:
        for code in ("401", "403"):
            del responses[code]
    return responses


CONTRACT_HEADER = {
    "name": "lockgate-contract",
    "in": "header",
    "required": False,
    "description": "Check the rows against the model's data contract: refuse those that violate "
    "it, or predict and report them.",
    "schema": {"type": "string", "enum": ["enforce", "report"]},
}

CODES = {
    400: "The request is malformed.",
    401: "A token is required.",
    403: "The token lacks the required role.",
    404: "The path or the model is unknown.",
    405: "The path does not support this method.",
    409: "The server is not configured for this operation.",
    413: "The body is too large.",
    415: "The content type is not supported.",
    421: "The host name is not served here.",
    422: "Rows do not fit the model's inputs; see problems.",
    503: "The server is overloaded; retry after the time in Retry-After.",
}
"""Status codes of errors, and their descriptions."""


def _content(route: Route, store: ModelStore, log: LogSettings) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for kind in filter(None, route.bodies):  # "" stands for a request without content type
        if kind == JSON:
            content[kind] = {"schema": route.about.get("body", {"type": "object"})}
            if route.about.get("example") == "row" and store.default:
                content[kind]["example"] = {"row": example_row(store.default, log)}
        else:
            content[kind] = {"schema": {"type": "string", "format": "binary"}}
    return content


def _schemas(store: ModelStore, log: LogSettings) -> dict[str, Any]:
    rows = [
        {"$ref": f"#/components/schemas/row.{name}"} for name in sorted({s.name for s in store.all})
    ]
    row = {"anyOf": [*rows, {"type": "array"}]} if rows else {}
    schemas: dict[str, Any] = {
        "Error": {
            "type": "object",
            "required": ["id", "error", "title", "status"],
            "properties": {
                "id": {"type": "string"},
                "error": {"type": "string", "description": "What was expected, and what came."},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "problems": {"type": "array", "items": {"type": "string"}},
            },
        },
        "Predict": {
            "type": "object",
            "description": "Exactly one of row, rows and columns.",
            "additionalProperties": False,
            "properties": {
                "row": row,
                "rows": {"type": "array", "items": row},
                "columns": {"type": "object", "additionalProperties": {"type": "array"}},
                "model": {"type": "string", "description": "name, name@version or name@stage"},
                "partial": {"type": "boolean", "description": "Predict the valid rows only."},
                "explain": {
                    "type": "integer",
                    "minimum": 0,
                    "description": "Number of columns that explain each prediction.",
                },
                "key": {"description": "Your key of the row, for sending its label later."},
                "keys": {"type": "array"},
            },
        },
    }
    for model in store.all:
        schemas[f"row.{model.name}"] = _row_schema(model, log)
    return schemas


def _row_schema(model: LoadedModel, log: LogSettings) -> dict[str, Any]:
    shown = list_shown(model, log)
    properties: dict[str, Any] = {}
    bounds = {column.name: column.bounds for column in model.manifest.schema.columns}
    for column in model.predictor.inputs:
        types = [TYPES.get(column.kind, "string")]
        if column.missing == "allow":
            types.append("null")
        about: dict[str, Any] = {"type": types}
        if column.kind == "category" and column.name not in shown:
            about["description"] = "Categories of this column are not shown."
        elif column.kind == "category" and column.unknown == "refuse":
            about["enum"] = [*column.categories, *([None] if column.missing == "allow" else [])]
        elif column.kind == "category":
            about["examples"] = list(column.categories[:20])
        if column.kind == "date":
            about["format"] = "date-time"
        if column.name in shown and (value_range := bounds.get(column.name)):
            about["description"] = (
                f"From {value_range[0]:g} to {value_range[1]:g} in the training data."
            )
        properties[column.name] = about
    return {"type": "object", "required": list(properties), "properties": properties}
