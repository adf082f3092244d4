"""HTML pages in one file, with nothing to fetch, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from lockgate.data.io.visible import visible

__all__ = ["Markup", "facts_table", "html_page", "section", "table"]


class Markup(NamedTuple):
    """HTML that is put into a page as it is.

    Attributes
    ----------
    html : str
        The HTML; whoever builds it escapes every text.

    """

    html: str


def html_page(title: str, body: str) -> str:
    """Return a page of sections below its title."""
    return f"{HEAD.replace('TITLE', escape(title))}<h1>{escape(title)}</h1>{body}</main></html>"


def section(title: str, inside: str) -> str:
    """Return a section of HTML below its title."""
    return f"<section><h2>{escape(title)}</h2>{inside}</section>"


def facts_table(facts: dict[str, object]) -> str:
    """Return a table of names and values."""
    return table((), list(facts.items()))


def table(titles: Iterable[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; cells that are numbers stand to the right.

    Examples
    --------
    >>> table(("name",), [("<b>",)])
    '<div><table><tr><th>name<tr><td>&lt;b&gt;</table></div>'

    """
    header_row = "".join(f"<th>{escape(title)}" for title in titles)
    body = "".join("<tr>" + "".join(map(_cell, row)) for row in rows)
    return f"<div><table>{f'<tr>{header_row}' if header_row else ''}{body}</table></div>"


def _cell(cell: object) -> str:
    """Return a cell as HTML that shows each of its characters."""
    if isinstance(cell, Markup):
        return f"<td>{cell.html}"
    text = escape(visible(str(cell), limit=None))
    name = f' class="{text}"' if cell in ("pass", "fail") else ""
    return f"<td{name}>{text}"


HEAD = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>TITLE</title><style>
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:0}
main{max-width:64rem;margin:2rem auto;padding:0 1rem}h1{font-size:1.6rem}h2{font-size:1.15rem}
h3{font-size:1rem;margin:.8rem 0 .2rem}section{margin:2rem 0}div{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem}pre{background:#8881;padding:.8rem}
td,th{text-align:left;padding:.25rem .9rem .25rem 0;border-bottom:1px solid #8883;
vertical-align:top;overflow-wrap:anywhere}td:first-child{white-space:nowrap}
.pass{color:#187a3c;font-weight:600}.fail{color:#c02626;font-weight:600}
.lead{font-size:1.15rem}.note{border-left:3px solid #c98a00;padding-left:.7rem}
@media(prefers-color-scheme:dark){.pass{color:#5fd38a}.fail{color:#ff8080}}
@media(max-width:600px){table{min-width:38rem}}
@media print{main{max-width:none;margin:0}section{break-inside:avoid}}</style><main>"""
