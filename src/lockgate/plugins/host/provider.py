"""Says which code a plugin is: a released version, or a digest of its source."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
from pathlib import Path

from lockgate.plugins.host.catalogue import InstalledPlugin

__all__ = ["provider_of"]

_CONTRACT_PACKAGES = ("lockgate.contract", "lockgate.errors", "lockgate.plugins.host")


@functools.cache
def provider_of(entry: InstalledPlugin) -> str:
    """Say who provides a plugin, so that a change of its code changes the parameters.

    Returns
    -------
    str
        ``name==version`` for an installed release. For lockgate's own plugins
        and for editable installs ``name@digest`` of the plugin's module and of
        what it imports from its own package, so that a release of lockgate
        retrains nothing by itself, and an edit does.

    """
    if entry.distribution != "lockgate" and not entry.editable:
        return f"{entry.distribution}=={entry.version}"
    module = entry.target.partition(":")[0]
    digest = hashlib.sha256()
    for name in sorted(_own_modules(module, set())):
        digest.update(name.encode() + b"\0" + _source(name) + b"\0")
    return f"{entry.distribution}@{digest.hexdigest()[:12]}"


def _own_modules(module: str, seen: set[str]) -> set[str]:
    """Collect a module and all that it imports from its own top-level package."""
    if module in seen or _path(module) is None:
        return seen
    seen.add(module)
    package = module.partition(".")[0]
    for imported in _imports(module):
        of_contract = imported.startswith(_CONTRACT_PACKAGES) or imported == "lockgate"
        if imported.partition(".")[0] == package and not of_contract:
            _own_modules(imported, seen)
    return seen


def _imports(module: str) -> set[str]:
    """Read which modules a source names, also inside functions; ``from . import`` too."""
    found: set[str] = set()
    try:
        tree = ast.parse(_source(module))
    except (SyntaxError, ValueError):
        return found  # a module that nobody can import imports nothing
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                kept = len(parts) - node.level + (_is_package(module))
                base = ".".join([*parts[:kept], *([base] if base else [])])
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return found


@functools.cache
def _path(module: str) -> Path | None:
    """Find a module's source without importing it, nor the packages above it."""
    top, *below = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not below:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    for location in spec.submodule_search_locations or ():
        place = Path(location, *below)
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.is_file():
                return path
    return None


def _is_package(module: str) -> bool:
    path = _path(module)
    return path is not None and path.name == "__init__.py"


def _source(module: str) -> bytes:
    path = _path(module)
    return path.read_bytes() if path else b""
