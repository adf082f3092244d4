"""The page that says what is served and how to ask."""

from __future__ import annotations

import html
import json
from typing import Any

from lockgate._version import __version__
from lockgate.serving.http.routing import Route
from lockgate.serving.prediction.model_store import ModelStore

__all__ = ["front_page"]


def front_page(routes: list[Route], store: ModelStore, base_url: str, *, tokens: bool) -> bytes:
    """Return a page that says what is served and how to ask at the address `base_url`."""
    head = "authorization: Bearer TOKEN" if tokens else ""
    parts = [PAGE_HEAD]
    for model in store.all:
        row = json.dumps({"row": model.probes[0] if model.probes else {}}, ensure_ascii=False)
        quoted = row.replace("'", "'\\''")
        url = f"{base_url}/predict/{model.name}@{model.stage}"
        header_option = f"-H {head!r} " if head else ""
        curl = f"curl {url} {header_option}\\\n  -H 'content-type: application/json' \\\n  -d '{quoted}'"
        inputs = "".join(_input_row(i) for i in model.packed.inputs)
        parts.append(
            f"<section><h2>{_e(model.name)} <small>{_e(model.version)} &middot; {_e(model.stage)}</small>"
            f"</h2><p>{_e(model.packed.task)}, bundle <code>{model.digest[:12]}</code></p>"
            f"<pre>{_e(curl)}</pre><details><summary>{len(model.packed.inputs)} inputs</summary>"
            f"<table><tr><th>name<th>kind<th>gaps<th>categories</tr>{inputs}</table></details>"
            "</section>"
        )
    if not store.all:
        parts.append("<p>Nothing is served.</p>")
    rows = "".join(
        f"<tr><td><code>{r.method}</code><td><code>{_e(r.path)}</code><td>{_e(r.summary)}"
        f"<td>{_e(r.role) or 'open'}</tr>"
        for r in routes
    )
    parts.append(
        f"<section><h2>Paths</h2><table><tr><th>method<th>path<th>what<th>role</tr>{rows}</table>"
        f"<p><a href='/openapi.json'>OpenAPI document</a></p></section><footer>lockgate "
        f"{_e(__version__)}</footer></main>"
    )
    return "".join(parts).encode()


def _input_row(column: Any) -> str:
    categories = ", ".join(column.categories[:12]) + (" ..." if len(column.categories) > 12 else "")
    missing = "allowed" if column.missing == "allow" else "refused"
    return f"<tr><td>{_e(column.name)}<td>{_e(column.kind)}<td>{missing}<td>{_e(categories)}</tr>"


def _e(text: str) -> str:
    return html.escape(text)


PAGE_HEAD = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>lockgate</title><style>
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:0}
main{max-width:60rem;margin:2rem auto;padding:0 1rem}h1{font-size:1.4rem}small{font-weight:400;
opacity:.7}section{margin:1.5rem 0}pre{background:#8881;padding:.8rem;white-space:pre-wrap;
word-break:break-word}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .75rem .25rem 0;
border-bottom:1px solid #8883;vertical-align:top}footer{opacity:.6}</style><main>
<h1>What is served here</h1>"""
