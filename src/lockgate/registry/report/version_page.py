"""The report of a version as one HTML page, with nothing to fetch and every text escaped."""

from __future__ import annotations

from html import escape
from typing import Any

from lockgate.models.bundle.html_page import facts_table, html_page, section, table
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
    parts = [facts_table(facts)]
    if prediction is not None:
        parts.append(section("Prediction", facts_table(_plain_fields(prediction))))
    parts.append(section("History", _events(report["events"])))
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
            section("Rebuilds", table(("time", "", "threads", "by", "differing files"), rows))
        )
    environment = {**build["environment"]["training"], **build["environment"]["answers"]}
    parts.append(section("Environment", facts_table(environment)))
    parts.append(section("Files", facts_table(build["files"])))
    return html_page(title, "".join(parts))


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
    return table(("", "time (UTC)", "operation", "version", "actor", "reason", "signed by"), rows)


def _gates(verdict: dict[str, Any]) -> str:
    incumbent = (verdict["incumbent"] or {}).get("version", "none")
    rows = [
        (MARKS[record["passed"]], record["gate"], record["sentence"])
        for record in verdict["judged"]
    ]
    outcome = "passed" if verdict["passed"] else "failed"
    title = f"Gates of {verdict['stage']}: {outcome} (incumbent: {incumbent})"
    return section(
        title, f"<p>{escape(verdict['at'][:19])}</p>" + table(("", "gate", "message"), rows)
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
            parts.append(f"<h3>{title}</h3>" + table(("", changes["since"], "now"), rows))
    for key in ("data", "data contract"):
        if changes[key]:
            before, after = (escape(str(digest or "none")) for digest in changes[key])
            parts.append(f"<h3>{key}</h3><p>{before} → {after}</p>")
    if changes.get("code"):
        parts.append("<h3>code</h3><pre>" + escape("\n".join(changes["code"])) + "</pre>")
    return section(f"Changes since {changes['since']}", "".join(parts) or "<p>none</p>")


def _number(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _plain_fields(prediction: dict[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in prediction.items() if not isinstance(value, (dict, list))}
    return plain | {
        f"input {key}": value for key, value in (prediction.get("inputs") or {}).items()
    }
