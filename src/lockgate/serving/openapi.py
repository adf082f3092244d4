"""The OpenAPI 3.1 document of what is served, and a page that shows it."""

from __future__ import annotations

import html
import json
from typing import Any

import lockgate
from lockgate.serving.routes import Route
from lockgate.serving.shelf import Served, Shelf

__all__ = ["document", "front_page"]

JSON = "application/json"
NAMED = {"model": "name", "version": "version"}
"""Words of paths, and what they are called elsewhere."""
TYPES = {"number": "number", "integer": "integer", "boolean": "boolean"}


def document(routes: list[Route], shelf: Shelf, *, tokens: bool) -> dict[str, Any]:
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
                {"name": word, "in": "path", "required": True, "schema": {"type": "string"},
                 **({"example": getattr(shelf.all[0], NAMED[word])} if shelf.all else {})}
                for word in words
            ]  # fmt: skip
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


def _content(route: Route, shelf: Shelf) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for kind in filter(None, route.kinds):  # that of a client which names none is not listed
        if kind == JSON:
            made[kind] = {"schema": route.about.get("body", {"type": "object"})}
            if route.about.get("example") == "row" and shelf.default and shelf.default.probes:
                made[kind]["example"] = {"row": shelf.default.probes[0]}
        else:
            made[kind] = {"schema": {"type": "string", "format": "binary"}}
    return made


def _schemas(shelf: Shelf) -> dict[str, Any]:
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


def _row_schema(served: Served) -> dict[str, Any]:
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


def front_page(routes: list[Route], shelf: Shelf, *, tokens: bool) -> bytes:
    """Return a page that says what is served and how to ask."""
    head = "authorization: Bearer TOKEN" if tokens else ""
    parts = [PAGE_HEAD]
    for one in shelf.all:
        row = json.dumps({"row": one.probes[0] if one.probes else {}}, ensure_ascii=False)
        where = f"/predict/{one.name}@{one.stage}"
        curl = f"curl -H 'content-type: application/json' {f'-H {head!r} ' if head else ''}\\\n"
        curl += f"  -d '{row}' \\\n  $SERVER{where}"
        inputs = "".join(_input_line(i) for i in one.model.inputs)
        parts.append(
            f"<section><h2>{_e(one.name)} <small>{_e(one.version)} &middot; {_e(one.stage)}</small>"
            f"</h2><p>{_e(one.model.task)}, bundle <code>{one.digest[:12]}</code></p>"
            f"<pre>{_e(curl)}</pre><details><summary>{len(one.model.inputs)} inputs</summary>"
            f"<table><tr><th>name<th>kind<th>gaps<th>categories</tr>{inputs}</table></details>"
            "</section>"
        )
    if not shelf.all:
        parts.append("<p>Nothing is served.</p>")
    rows = "".join(
        f"<tr><td><code>{r.method}</code><td><code>{_e(r.path)}</code><td>{_e(r.summary)}"
        f"<td>{_e(r.role) or 'open'}</tr>"
        for r in routes
    )
    parts.append(
        f"<section><h2>Paths</h2><table><tr><th>method<th>path<th>what<th>role</tr>{rows}</table>"
        f"<p><a href='/openapi.json'>OpenAPI document</a></p></section><footer>lockgate "
        f"{_e(lockgate.__version__)}</footer></main>"
    )
    return "".join(parts).encode()


def _input_line(one: Any) -> str:
    known = ", ".join(one.categories[:12]) + (" ..." if len(one.categories) > 12 else "")
    gaps = "allowed" if one.missing == "allow" else "refused"
    return f"<tr><td>{_e(one.name)}<td>{_e(one.kind)}<td>{gaps}<td>{_e(known)}</tr>"


def _e(text: str) -> str:
    return html.escape(text)


PAGE_HEAD = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>lockgate</title><style>
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:0}
main{max-width:60rem;margin:2rem auto;padding:0 1rem}h1{font-size:1.4rem}small{font-weight:400;
opacity:.7}section{margin:1.5rem 0}pre{background:#8881;padding:.8rem;overflow:auto}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .75rem .25rem 0;
border-bottom:1px solid #8883;vertical-align:top}footer{opacity:.6}</style><main>
<h1>What is served here</h1>"""
