"""The front page: the models that are served, with an example request for each."""

from __future__ import annotations

import html
import json

from lockgate._version import __version__
from lockgate.data.columns.inputs import ColumnInput
from lockgate.serving.http.routing import Route
from lockgate.serving.pages.example_rows import example_row, list_shown
from lockgate.serving.prediction.model_store import LoadedModel, ModelStore
from lockgate.serving.settings import LogSettings

__all__ = ["front_page"]


def front_page(
    routes: list[Route], store: ModelStore, base_url: str, log: LogSettings, *, tokens: bool
) -> bytes:
    """Return the page as HTML.

    Parameters
    ----------
    routes : list of Route
        Paths of the server.
    store : ModelStore
        Models that are served.
    base_url : str
        Address of the server, for the examples.
    log : LogSettings
        Settings of the prediction log: values of columns that it omits are not shown.
    tokens : bool
        Whether requests need a token.

    """
    parts = [PAGE_HEAD]
    parts += [_model_section(model, base_url, log, tokens=tokens) for model in store.all]
    if not store.all:
        parts.append("<p>No models are served.</p>")
    rows = "".join(
        f"<tr><td><code>{route.method}</code><td><code>{_e(route.path)}</code>"
        f"<td>{_e(route.summary)}<td>{_e(route.role) or 'open'}</tr>"
        for route in routes
    )
    parts.append(
        "<section><h2>Endpoints</h2><table><tr><th>method<th>path<th>description<th>role</tr>"
        f"{rows}</table><p><a href='/openapi.json'>OpenAPI document</a></p></section>"
        f"<footer>lockgate {_e(__version__)}</footer></main>"
    )
    return "".join(parts).encode()


def _model_section(model: LoadedModel, base_url: str, log: LogSettings, *, tokens: bool) -> str:
    shown = list_shown(model, log)
    inputs = "".join(
        _input_row(column, shown=column.name in shown) for column in model.predictor.inputs
    )
    return (
        f"<section><h2>{_e(model.name)} "
        f"<small>{_e(model.version)} &middot; {_e(model.stage)}</small></h2>"
        f"<p>{_e(_describe(model))}, bundle <code>{model.digest[:12]}</code></p>"
        f"<pre>{_e(_curl_example(model, base_url, log, tokens=tokens))}</pre>"
        f"<details><summary>{len(model.predictor.inputs)} inputs</summary>"
        "<table><tr><th>name<th>kind<th>missing values<th>categories</tr>"
        f"{inputs}</table></details></section>"
    )


def _describe(model: LoadedModel) -> str:
    """Return what the model predicts."""
    targets = ", ".join(model.manifest.schema.targets)
    text = model.predictor.task + (f" of {targets}" if targets else "")
    for name in ("quantile", "coverage"):
        if (share := model.prediction_facts.get(name)) is not None:
            text += f", {name} {share:g}"
    return text


def _curl_example(model: LoadedModel, base_url: str, log: LogSettings, *, tokens: bool) -> str:
    row = json.dumps({"row": example_row(model, log)}, ensure_ascii=False)
    quoted = row.replace("'", "'\\''")
    token_option = "-H 'authorization: Bearer TOKEN' " if tokens else ""
    return (
        f"curl {base_url}/predict/{model.name}@{model.stage} {token_option}\\\n"
        f"  -H 'content-type: application/json' \\\n  -d '{quoted}'"
    )


def _input_row(column: ColumnInput, *, shown: bool) -> str:
    categories = ", ".join(column.categories[:12]) + (" ..." if len(column.categories) > 12 else "")
    categories = categories if shown else "not shown"
    missing = "allowed" if column.missing == "allow" else "not allowed"
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
<h1>Models</h1>"""
