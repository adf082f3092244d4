"""Tables for comments on pull requests."""

from __future__ import annotations

from lockgate.registry.provenance.verdict import Verdict

__all__ = ["verdict_table"]

MARKS = {True: "✅ pass", False: "❌ **fail**", None: "n/a"}


def verdict_table(verdict: Verdict, version: str) -> str:
    """Write what the gates said as Markdown."""
    against = "nothing" if verdict.incumbent is None else f"`{verdict.incumbent.version}`"
    said = "passes" if verdict.passed else "does **not** pass"
    lines = [
        f"### `{verdict.name}@{version}` {said} the gates of `{verdict.stage}`",
        "",
        f"Compared with {against}; bundle `{verdict.bundle[:12]}`, verdict "
        f"`{verdict.digest[:12]}`, gates `{verdict.policy[:12]}`.",
        "",
        "| gate | | why |",
        "|---|---|---|",
    ]
    for one in verdict.judged:
        why = " ".join(one.sentence.split()).replace("|", "\\|").replace("<", "&lt;")
        lines.append(f"| {one.gate} | {MARKS[one.passed]} | {why} |")
    return "\n".join(lines) + "\n"
