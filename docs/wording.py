"""Checks names and messages: ``python -m docs.wording`` lists what to reword, and how.

A name says what its value is, in terms that an engineer of the field would search for; a message
is a plain sentence. Each finding names file, line, the reason and a suggestion. The glossary
(docs/glossary.md) defines the terms.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
CHECKED = ("src", "plugins", "examples")

NAMES = {
    "one": "what it is one of: column, gate, slot, row, request",
    "made": "what was made: table, response, frame, path",
    "found": "what was found: result, match, manifest, row",
    "said": "stdout, options, message, on_status",
    "told": "event, message, report",
    "saying": "message",
    "words": "message, argv, tokens, path_params",
    "place": "index (a number), path (a file), folder",
    "given": "inputs, params, rows, settings",
    "what": "subject, operation, description",
    "some": "block, sample, batch",
    "most": "maximum, limit",
    "own": "local, or what it belongs to",
    "who": "actor, principal",
    "whose": "owner",
    "odd": "invalid, unknown",
    "strange": "invalid, unknown",
}
"""Names that say nothing of their value, and what to write instead."""

PHRASES = {
    r"\b(is|are) no\b(?! longer| more)": "X is not a Y",
    r"\bis none of\b": "is not one of",
    r"\bstands? twice\b": "is duplicated",
    r"\bgaps?\b": "missing values",
    r"\bnobody\b|\bsomebody\b|\beverybody\b": "name the role, or use the passive",
    r"\bmend\b": "fix",
    r"\bso it is\b": "leave it out",
    r"\bin words\b": "as text",
    r"\bthe (house|door|room)s?\b": "the package, entry point or interface",
}
"""Phrases that are not the field's, as regular expressions, and what to write instead."""

GERUNDS = {
    "parsing",
    "fitting",
    "routing",
    "versioning",
    "modeling",
    "monitoring",
    "signing",
    "boosting",
    "gradient_boosting",
}
"""Module names in -ing that are terms of the field."""


class Finding(NamedTuple):
    """One name or message to reword."""

    path: Path
    line: int
    text: str
    reason: str


def check_module(path: Path, source: str) -> Iterator[Finding]:
    """Yield the names, docstrings and messages of a module that need other words."""
    tree = ast.parse(source)
    if path.stem.endswith("ing") and path.stem not in GERUNDS:
        yield Finding(
            path, 1, path.stem, "name a module after what it holds, not after an activity"
        )
    for node in ast.walk(tree):
        for name in _bound(node):
            if name.strip("_") in NAMES:
                line = getattr(node, "lineno", 1)
                yield Finding(path, line, name, f"say what it is: {NAMES[name.strip('_')]}")
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield from check_text(path, node.lineno, node.value)


def check_text(path: Path, line: int, text: str) -> Iterator[Finding]:
    """Yield the phrases of a text that need other words."""
    for pattern, instead in PHRASES.items():
        for match in re.finditer(pattern, text, re.IGNORECASE):
            start = text.count("\n", 0, match.start())
            yield Finding(path, line + start, match[0], f"write: {instead}")


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield node.attr


def check(root: Path = ROOT) -> list[Finding]:
    """Check all sources below `root`."""
    findings: list[Finding] = []
    for folder in CHECKED:
        for path in sorted((root / folder).rglob("*.py")):
            if "tests" not in path.relative_to(root).parts:
                findings += check_module(path, path.read_text(encoding="utf-8"))
        for path in sorted((root / folder).rglob("*.html")):
            findings += check_text(path, 1, path.read_text(encoding="utf-8"))
    return findings


def main() -> int:
    """Print the findings; return 1 if there are any."""
    findings = check()
    for finding in findings:
        path = finding.path.relative_to(ROOT)
        print(f"{path}:{finding.line}: {finding.text!r}: {finding.reason}")
    if findings:
        print(f"{len(findings)} names or messages to reword; terms: docs/glossary.md")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
