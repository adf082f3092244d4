"""The OpenAPI 3.1 document of what is served."""

from __future__ import annotations

from typing import Any

from lockgate.serving.http.routing import Route
from lockgate.serving.prediction.model_store import LoadedModel, ModelStore

__all__ = ["document"]

JSON = "application/json"
NAMED = {"model": "name", "version": "version"}
"""Words of paths, and what they are called elsewhere."""
TYPES = {"number": "number", "integer": "integer", "boolean": "boolean"}


def document(routes: list[Route], shelf: ModelStore, *, tokens: bool) -> dict[str, Any]:
    """Return the document, with the inputs of the models as they are now."""
    paths: dict[str, Any] = {}
    for route in routes:
        operation: dict[str, Any] = {
            "summary": route.summary,
            "operationId": f"{route.method.lower()}{route.path}".replace("/", "_"),
            "responses": _responses(route, tokens=tokens),
        }
        words = [part[1:-1] for part in route.path.split("/") if part[:1] == "{"]
        if words:
            operation["parameters"] = [
                {
                    "name": word,
                    "in": "path",
                    "required": True,
                    "schema": {"type": "string"},
                    **({"example": getattr(shelf.all[0], NAMED[word])} if shelf.all else {}),
                }
                for word in words
            ]
        if route.kinds:
            operation["requestBody"] = {"required": True, "content": _content(route, shelf)}
        if tokens and route.role:
            operation["security"] = [{"bearer": []}]
            operation["description"] = f"Needs a token with the role {route.role}."
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    made: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": ", ".join(sorted({one.name for one in shelf.all})) or "lockgate",
            "version": ", ".join(sorted({one.version for one in shelf.all})) or "none",
            "description": "Answers of packed models, each with the id that leads to its origin.",
        },
        "paths": paths,
        "components": {"schemas": _schemas(shelf)},
    }
    if tokens:
        made["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    return made


def _responses(route: Route, *, tokens: bool) -> dict[str, Any]:
    said = {JSON: {"schema": route.about.get("response", {"type": "object"})}}
    if "produces" in route.about:
        said = {kind: {"schema": {}} for kind in route.about["produces"]}
    error = {"content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}}
    made: dict[str, Any] = {"200": {"description": "Done.", "content": said}}
    made |= {str(code): {"description": words, **error} for code, words in CODES.items()}
    if not route.kinds:
        for code in ("400", "409", "413", "415", "422", "503"):
            del made[code]
    if not tokens or not route.role:
        for code in ("401", "403"):
            del made[code]
    return made


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


def _content(route: Route, shelf: ModelStore) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for kind in filter(None, route.kinds):  # that of a client which names none is not listed
        if kind == JSON:
            made[kind] = {"schema": route.about.get("body", {"type": "object"})}
            if route.about.get("example") == "row" and shelf.default and shelf.default.probes:
                made[kind]["example"] = {"row": shelf.default.probes[0]}
        else:
            made[kind] = {"schema": {"type": "string", "format": "binary"}}
    return made


def _schemas(shelf: ModelStore) -> dict[str, Any]:
    rows = [
        {"$ref": f"#/components/schemas/row.{name}"} for name in sorted({s.name for s in shelf.all})
    ]
    row = {"anyOf": [*rows, {"type": "array"}]} if rows else {}
    made: dict[str, Any] = {
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
    for one in shelf.all:
        made[f"row.{one.name}"] = _row_schema(one)
    return made


def _row_schema(served: LoadedModel) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    bounds = {column.name: column.bounds for column in served.manifest.inputs.columns}
    for one in served.model.inputs:
        types = [TYPES.get(one.kind, "string")]
        if one.missing == "allow":
            types.append("null")
        about: dict[str, Any] = {"type": types}
        if one.kind == "category" and one.unknown == "refuse":
            about["enum"] = [*one.categories, *([None] if one.missing == "allow" else [])]
        elif one.kind == "category":
            about["examples"] = list(one.categories[:20])
        if one.kind == "date":
            about["format"] = "date-time"
        if found := bounds.get(one.name):
            about["description"] = f"In training from {found[0]:g} to {found[1]:g}."
        properties[one.name] = about
    return {"type": "object", "required": list(properties), "properties": properties}
