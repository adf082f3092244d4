"""How two bundles differ in what they were made from and what they take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lockgate.contract.tables import Column
from lockgate.models.bundle.manifest import Manifest

__all__ = ["Difference", "manifest_differences"]


@dataclass(frozen=True)
class Difference:
    """Something that two bundles do not have in common.

    Attributes
    ----------
    subject : str
        What it is about, e.g. ``input age``.
    first, second : str
        What it is in each; empty where it is missing.

    """

    subject: str
    first: str
    second: str


def manifest_differences(first: Manifest, second: Manifest) -> tuple[Difference, ...]:
    """Return how the manifests of two bundles differ, the inputs first."""
    old, new = ({c.name: _column(c) for c in m.schema.features} for m in (first, second))
    differences = list(_differ("input", old, new))
    old, new = (_facts(manifest) for manifest in (first, second))
    differences += _differ("", old, new)
    differences += _differ("plugin", first.hashes.code, second.hashes.code)
    differences += _differ("declared", first.hashes.declared, second.hashes.declared)
    old, new = ({**m.environment.training, **m.environment.answers} for m in (first, second))
    return (*differences, *_differ("environment", old, new))


def _differ(
    subject: str, first: Mapping[str, str], second: Mapping[str, str]
) -> Iterator[Difference]:
    for name in dict.fromkeys([*first, *second]):
        if first.get(name) != second.get(name):
            title = f"{subject} {name}".strip()
            yield Difference(title, first.get(name, ""), second.get(name, ""))


def _column(column: Column) -> str:
    """Return what a model takes of a column."""
    categories = f", {len(column.categories)} known values" if column.categories else ""
    return f"{column.kind}{categories}"


def _facts(manifest: Manifest) -> dict[str, str]:
    hashes, region = manifest.hashes, manifest.region
    return {
        "name": manifest.name,
        "format": manifest.format,
        "classes": ", ".join(map(str, manifest.classes)),
        "threshold": "" if manifest.threshold is None else f"{manifest.threshold:.6g}",
        "value of decisions": "" if manifest.value_matrix is None else str(manifest.value_matrix),
        "intervals or sets": "" if region is None else type(region).__name__,
        "training data": (hashes.data or "not recorded")[:12],
        "parameters": (hashes.params or "not recorded")[:12],
    }
