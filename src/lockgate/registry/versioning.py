"""The version number of a bundle, from what changed since the version before."""

from __future__ import annotations

from lockgate.data.compatibility import find_breaking_changes, have_same_columns
from lockgate.errors import UsageError
from lockgate.models.bundle.manifest import CONTRACT, Manifest

__all__ = ["FIRST", "next_version", "parse_reference"]

FIRST = "1.0.0"
PARTS = ("major", "minor", "patch")


def next_version(
    before: str | None, old: Manifest | None, new: Manifest, *, bump: str | None = None
) -> tuple[str, list[str]]:
    """Return the version that follows, and the reasons.

    Requests remain valid with a minor or patch version: *major*, when inputs or
    outputs changed so that requests may fail; *minor*, when parameters, code or
    (compatibly) the columns changed, or the change is unknown; *patch*, when the
    same was trained on other data.

    Parameters
    ----------
    before : str or None
        The newest version; None for the first.
    old : Manifest or None
        The manifest of the newest version.
    new : Manifest
        The manifest of the bundle.
    bump : {"major", "minor", "patch"}, optional
        The smallest part to increase.

    Returns
    -------
    tuple of str and list of str
        The version, and the reasons for it.

    Raises
    ------
    UsageError
        If `bump` is unknown, or less than the changes require.

    """
    if before is None or old is None:
        return FIRST, ["the first version"]
    reasons = _reasons(old, new)
    part = min((PARTS.index(level) for level, _ in reasons), default=2)
    if bump is not None:
        if bump not in PARTS:
            raise UsageError(f"unknown part of a version {bump!r}; available: {', '.join(PARTS)}")
        if PARTS.index(bump) > part:
            explanation = "; ".join(reason for _, reason in reasons)
            raise UsageError(f"{bump} is not enough; expected {PARTS[part]}, as {explanation}")
        part = PARTS.index(bump)
    numbers = [int(number) for number in before.split(".")]
    numbers = [*numbers[:part], numbers[part] + 1, *[0] * (2 - part)]
    return ".".join(map(str, numbers)), [reason for _, reason in reasons]


def _reasons(old: Manifest, new: Manifest) -> list[tuple[str, str]]:
    reasons = [("major", reason) for reason in find_breaking_changes(old, new)]
    if not reasons and not have_same_columns(old, new):
        reasons.append(("minor", "the columns changed, and earlier requests remain valid"))
    for key, label in (("params", "parameters"), ("code", "plugins")):
        old_hash, new_hash = getattr(old.hashes, key), getattr(new.hashes, key)
        if old_hash is None and new_hash is None:
            reasons.append(("minor", f"its {label} are not recorded"))
        elif old_hash != new_hash:
            reasons.append(("minor", f"{label} changed"))
    if old.hashes.data != new.hashes.data:
        reasons.append(("patch", "the training data changed"))
    elif new.hashes.data is None:
        reasons.append(("patch", "its training data are not recorded"))
    if old.files.get(CONTRACT) != new.files.get(CONTRACT):
        reasons.append(("patch", "the data contract changed"))
    if old.environment.training != new.environment.training:
        reasons.append(("patch", "the environment changed"))
    return reasons or [("patch", "the bundle differs, from the same inputs")]


def parse_reference(text: str) -> tuple[str, str | None]:
    """Split ``name@version``.

    Examples
    --------
    >>> parse_reference("fraud@1.4.0"), parse_reference("fraud")
    (('fraud', '1.4.0'), ('fraud', None))

    """
    name, at, version = text.partition("@")
    if not name or (at and not version):
        raise UsageError(f"{text[:80]!r} is not an address; expected e.g. fraud@1.4.0, or fraud")
    return name, version or None
