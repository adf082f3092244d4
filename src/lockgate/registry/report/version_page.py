"""The report of a version as one HTML page, with nothing to fetch and every text escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from lockgate.data.io.visible import visible
from lockgate.models.bundle.manifest import CONTRACT

__all__ = ["version_page"]

MARKS = {True: "pass", False: "fail", None: "n/a"}


def version_page(report: dict[str, Any], prediction: dict[str, Any] | None = None) -> str:
    """Return the HTML of the page.

    Parameters
    ----------
    report : dict
        The result of `version_report`.
    prediction : dict, optional
        A logged prediction of the version.

    """
    version, commit, build = report["version"], report["commit"], report["made_with"]
    title = f"{version['name']}@{version['version']}"
    status = ", ".join(report["stages"]) or ("retired" if version["retired"] else "in no stage")
    facts = {
        "bundle": version["digest"],
        "lineage": version["lineage"],
        "status": status,
        "reasons": "; ".join(version["why"]),
        "commit": "unknown" if commit is None else "  ".join(commit.values()),
        "data": build["hashes"]["data"] or "not recorded",
        "data contract": build["files"].get(CONTRACT, "none"),
        "parameters": (build["hashes"]["params"] or "not recorded")
        + (", params.yaml edited" if version["params_edited"] else ""),
    }
    parts = [HEAD.replace("TITLE", escape(title)), f"<h1>{escape(title)}</h1>", _facts(facts)]
    if prediction is not None:
        parts.append(_section("Prediction", _facts(_plain_fields(prediction))))
    parts.append(_section("History", _events(report["events"])))
    parts += [_gates(verdict) for verdict in reversed(report["gates"])]
    if report["changes"]:
        parts.append(_changes(report["changes"]))
    if report["attestations"]:
        rows = [
            (
                attestation.get("at"),
                MARKS.get(attestation.get("passed")),
                f"{attestation.get('threads')} threads",
                attestation.get("by"),
                ", ".join(attestation.get("differing", {})) or "none",
            )
            for attestation in report["attestations"]
        ]
        parts.append(
            _section("Rebuilds", _table(("time", "", "threads", "by", "differing files"), rows))
        )
    environment = {**build["environment"]["training"], **build["environment"]["answers"]}
    parts.append(_section("Environment", _facts(environment)))
    parts.append(_section("Files", _facts(build["files"])))
    return "".join(parts) + "</main></html>"


def _events(events: list[dict[str, Any]]) -> str:
    rows = []
    for event in reversed(events):
        operation = f"{event['op']} {event['stage'] or ''}"
        if event["override"]:
            operation += " (GATES OVERRIDDEN)"
        versions = f"{event['from'] or '-'} → {event['to'] or '-'}"
        signed = event.get("signed_by", "")
        rows.append(
            (
                event["seq"],
                event["at"][:19],
                operation,
                versions,
                event["actor"],
                event["reason"],
                signed,
            )
        )
    return _table(("", "time (UTC)", "operation", "version", "actor", "reason", "signed by"), rows)


def _gates(verdict: dict[str, Any]) -> str:
    incumbent = (verdict["incumbent"] or {}).get("version", "none")
    rows = [
        (MARKS[record["passed"]], record["gate"], record["sentence"])
        for record in verdict["judged"]
    ]
    outcome = "passed" if verdict["passed"] else "failed"
    title = f"Gates of {verdict['stage']}: {outcome} (incumbent: {incumbent})"
    return _section(
        title, f"<p>{escape(verdict['at'][:19])}</p>" + _table(("", "gate", "message"), rows)
    )


def _changes(changes: dict[str, Any]) -> str:
    parts = []
    for key in ("figures", "parameters", "environment"):
        rows = [
            (name, _number(old), _number(new))
            for name, (old, new) in (changes.get(key) or {}).items()
        ]
        if rows:
            title = "metrics" if key == "figures" else key
            parts.append(f"<h3>{title}</h3>" + _table(("", changes["since"], "now"), rows))
    for key in ("data", "data contract"):
        if changes[key]:
            before, after = (escape(str(digest or "none")) for digest in changes[key])
            parts.append(f"<h3>{key}</h3><p>{before} → {after}</p>")
    if changes.get("code"):
        parts.append("<h3>code</h3><pre>" + escape("\n".join(changes["code"])) + "</pre>")
    return _section(f"Changes since {changes['since']}", "".join(parts) or "<p>none</p>")


def _number(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _plain_fields(prediction: dict[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in prediction.items() if not isinstance(value, (dict, list))}
    return plain | {
        f"input {key}": value for key, value in (prediction.get("inputs") or {}).items()
    }


def _section(title: str, inside: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{inside}</section>"


def _facts(facts: dict[str, Any]) -> str:
    return _table((), list(facts.items()))


def _table(titles: Iterable[str], rows: Iterable[tuple[object, ...]]) -> str:
    header_row = "".join(f"<th>{escape(title)}" for title in titles)
    body = "".join(
        "<tr>" + "".join(f'<td class="{_class(cell)}">{_text(cell)}' for cell in row)
        for row in rows
    )
    return f"<div><table>{f'<tr>{header_row}' if header_row else ''}{body}</table></div>"


def _text(cell: object) -> str:
    """Return a cell as HTML that shows each of its characters."""
    return escape(visible(str(cell), limit=None))


def _class(cell: object) -> str:
    return str(cell) if cell in ("pass", "fail") else ""


HEAD = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>TITLE</title><style>
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:0}
main{max-width:64rem;margin:2rem auto;padding:0 1rem}h1{font-size:1.6rem}h2{font-size:1.15rem}
h3{font-size:1rem;margin:.8rem 0 .2rem}section{margin:2rem 0}div{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem}pre{background:#8881;padding:.8rem}
td,th{text-align:left;padding:.25rem .9rem .25rem 0;border-bottom:1px solid #8883;
vertical-align:top;overflow-wrap:anywhere}td:first-child{white-space:nowrap}
.pass{color:#187a3c;font-weight:600}.fail{color:#c02626;font-weight:600}
@media(prefers-color-scheme:dark){.pass{color:#5fd38a}.fail{color:#ff8080}}</style><main>"""
