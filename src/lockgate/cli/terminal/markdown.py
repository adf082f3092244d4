"""Verdicts as Markdown tables, for comments on pull requests."""

from __future__ import annotations

from lockgate.data.io.visible import visible
from lockgate.registry.provenance.verdict import Verdict

__all__ = ["verdict_table"]

MARKS = {True: "✅ pass", False: "❌ **fail**", None: "n/a"}


def verdict_table(verdict: Verdict, version: str) -> str:
    """Return a verdict as Markdown."""
    incumbent = "no incumbent" if verdict.incumbent is None else f"`{verdict.incumbent.version}`"
    outcome = "passes" if verdict.passed else "does **not** pass"
    lines = [
        f"### `{verdict.name}@{version}` {outcome} the gates of `{verdict.stage}`",
        "",
        f"Compared with {incumbent}; bundle `{verdict.bundle[:12]}`, verdict "
        f"`{verdict.digest[:12]}`, gates `{verdict.policy[:12]}`.",
        "",
        "| gate | result | reason |",
        "|---|---|---|",
    ]
    for record in verdict.judged:
        reason = " ".join(visible(record.sentence).split()).replace("|", "\\|").replace("<", "&lt;")
        lines.append(f"| {visible(record.gate)} | {MARKS[record.passed]} | {reason} |")
    return "\n".join(lines) + "\n"
