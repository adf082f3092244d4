"""The OpenAPI 3.1 document of what is served."""

from __future__ import annotations

from typing import Any

from lockgate.serving.http.routing import Route
from lockgate.serving.prediction.model_store import LoadedModel, ModelStore

__all__ = ["openapi_document"]

JSON = "application/json"
PARAMETER_FIELDS = {"model": "name", "version": "version"}
"""Words of paths, and what they are called elsewhere."""
TYPES = {"number": "number", "integer": "integer", "boolean": "boolean"}


def openapi_document(routes: list[Route], store: ModelStore, *, tokens: bool) -> dict[str, Any]:
    """Return the document, with the inputs of the models as they are now."""
    paths: dict[str, Any] = {}
    for route in routes:
        operation: dict[str, Any] = {
            "summary": route.summary,
            "operationId": f"{route.method.lower()}{route.path}".replace("/", "_"),
            "responses": _responses(route, tokens=tokens),
        }
        parameters = [part[1:-1] for part in route.path.split("/") if part[:1] == "{"]
        if parameters:
            operation["parameters"] = [
                {
                    "name": parameter,
                    "in": "path",
                    "required": True,
                    "schema": {"type": "string"},
                    **(
                        {"example": getattr(store.all[0], PARAMETER_FIELDS[parameter])}
                        if store.all
                        else {}
                    ),
                }
                for parameter in parameters
            ]
        if route.bodies:
            operation["requestBody"] = {"required": True, "content": _content(route, store)}
        if tokens and route.role:
            operation["security"] = [{"bearer": []}]
            operation["description"] = f"Needs a token with the role {route.role}."
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    openapi: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": ", ".join(sorted({model.name for model in store.all})) or "lockgate",
            "version": ", ".join(sorted({model.version for model in store.all})) or "none",
            "description": "Answers of packed models, each with the id that leads to its origin.",
        },
        "paths": paths,
        "components": {"schemas": _schemas(store)},
    }
    if tokens:
        openapi["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    return openapi


def _responses(route: Route, *, tokens: bool) -> dict[str, Any]:
    content = {JSON: {"schema": route.about.get("response", {"type": "object"})}}
    if "produces" in route.about:
        content = {kind: {"schema": {}} for kind in route.about["produces"]}
    error = {"content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}}
    responses: dict[str, Any] = {"200": {"description": "Done.", "content": content}}
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


CODES = {
    400: "The request cannot be read.",
    401: "A token is needed.",
    403: "The token lacks the role.",
    404: "There is no such path or model.",
    405: "The path takes another method.",
    409: "The server is not set up for it.",
    413: "The body is too large.",
    415: "The content type is not taken here.",
    421: "The host is not served.",
    422: "Rows do not fit the model's inputs; problems says where.",
    503: "Too much to do; Retry-After says when to come again.",
}
"""Replies besides 200, and what they mean."""


def _content(route: Route, store: ModelStore) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for kind in filter(None, route.bodies):  # that of a client which names none is not listed
        if kind == JSON:
            content[kind] = {"schema": route.about.get("body", {"type": "object"})}
            if route.about.get("example") == "row" and store.default and store.default.probes:
                content[kind]["example"] = {"row": store.default.probes[0]}
        else:
            content[kind] = {"schema": {"type": "string", "format": "binary"}}
    return content


def _schemas(store: ModelStore) -> dict[str, Any]:
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
                "error": {"type": "string", "description": "What was expected, what came."},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "problems": {"type": "array", "items": {"type": "string"}},
            },
        },
        "Predict": {
            "type": "object",
            "description": "One of row, rows and columns.",
            "additionalProperties": False,
            "properties": {
                "row": row,
                "rows": {"type": "array", "items": row},
                "columns": {"type": "object", "additionalProperties": {"type": "array"}},
                "model": {"type": "string", "description": "name, name@version or name@stage"},
                "partial": {"type": "boolean", "description": "Answer the rows that fit."},
                "key": {"description": "Your own key of the row, for labels that come later."},
                "keys": {"type": "array"},
            },
        },
    }
    for model in store.all:
        schemas[f"row.{model.name}"] = _row_schema(model)
    return schemas


def _row_schema(model: LoadedModel) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    bounds = {column.name: column.bounds for column in model.manifest.inputs.columns}
    for column in model.packed.inputs:
        types = [TYPES.get(column.kind, "string")]
        if column.missing == "allow":
            types.append("null")
        about: dict[str, Any] = {"type": types}
        if column.kind == "category" and column.unknown == "refuse":
            about["enum"] = [*column.categories, *([None] if column.missing == "allow" else [])]
        elif column.kind == "category":
            about["examples"] = list(column.categories[:20])
        if column.kind == "date":
            about["format"] = "date-time"
        if value_range := bounds.get(column.name):
            about["description"] = f"In training from {value_range[0]:g} to {value_range[1]:g}."
        properties[column.name] = about
    return {"type": "object", "required": list(properties), "properties": properties}
