"""How two bundles differ in what they were made from and what they take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

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
    old, new = ({c.name: c for c in m.schema.features} for m in (first, second))
    kinds = ({name: column.kind for name, column in columns.items()} for columns in (old, new))
    differences = list(_differ("input", *kinds))
    for name in old.keys() & new.keys():
        differences += _differ_in_values(old[name], new[name])
    differences.sort(key=lambda difference: difference.subject)
    differences += _differ("", *(_facts(manifest) for manifest in (first, second)))
    differences += _differ("plugin", first.hashes.code, second.hashes.code)
    differences += _differ("declared", first.hashes.declared, second.hashes.declared)
    versions = ({**m.environment.training, **m.environment.answers} for m in (first, second))
    return (*differences, *_differ("environment", *versions))


def _differ(
    subject: str, first: Mapping[str, str], second: Mapping[str, str]
) -> Iterator[Difference]:
    for name in dict.fromkeys([*first, *second]):
        if first.get(name) != second.get(name):
            title = f"{subject} {name}".strip()
            yield Difference(title, first.get(name, ""), second.get(name, ""))


def _differ_in_values(first: Column, second: Column) -> Iterator[Difference]:
    """Yield how the known values of a column differ."""
    old, new = set(first.categories), set(second.categories)
    if old != new:
        alone = (_list_values(sorted(old - new)), _list_values(sorted(new - old)))
        yield Difference(f"input {first.name}, values known to one alone", *alone)


def _list_values(values: Sequence[str]) -> str:
    """Return the first values, and how many others there are."""
    shown = ", ".join(values[:5])
    return f"{shown} and {len(values) - 5} more" if len(values) > 5 else shown


def _facts(manifest: Manifest) -> dict[str, str]:
    hashes, region, values = manifest.hashes, manifest.region, manifest.value_matrix
    outcomes = {} if values is None else {f.name: getattr(values, f.name) for f in fields(values)}
    return {
        "name": manifest.name,
        "format": manifest.format,
        "classes": ", ".join(map(str, manifest.classes)),
        "threshold": "" if manifest.threshold is None else f"{manifest.threshold:.6g}",
        **{
            f"value of a {name.replace('_', ' ')}": f"{value:g}" for name, value in outcomes.items()
        },
        "coverage of intervals or sets": "" if region is None else f"{region.coverage:g}",
        "training data": (hashes.data or "not recorded")[:12],
        "parameters": (hashes.params or "not recorded")[:12],
    }
