"""Identifies the code of a plugin: by a released version, or by a digest of its source."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
from pathlib import Path

from lockgate.plugins.host.catalogue import InstalledPlugin

__all__ = ["identify_provider"]

_CONTRACT_PACKAGES = ("lockgate.contract", "lockgate.errors", "lockgate.plugins.host")


@functools.cache
def identify_provider(entry: InstalledPlugin) -> str:
    """Identify the code of a plugin, so that a change of it changes the parameters.

    Returns
    -------
    str
        ``name==version`` for an installed release. For the plugins of lockgate and
        for editable installs ``name@digest``, with a digest of the plugin's module
        and of the modules that it imports from its own package: an edit of these
        requires retraining, a release of lockgate does not.

    """
    if entry.distribution != "lockgate" and not entry.editable:
        return f"{entry.distribution}=={entry.version}"
    module = entry.target.partition(":")[0]
    digest = hashlib.sha256()
    for name in sorted(_collect_modules(module, set())):
        digest.update(name.encode() + b"\0" + _read_source(name) + b"\0")
    return f"{entry.distribution}@{digest.hexdigest()[:12]}"


def _collect_modules(module: str, seen: set[str]) -> set[str]:
    """Collect a module and all modules that it imports from its top-level package."""
    if module in seen or _find_source(module) is None:
        return seen
    seen.add(module)
    package = module.partition(".")[0]
    for imported in _find_imports(module):
        of_contract = imported.startswith(_CONTRACT_PACKAGES) or imported == "lockgate"
        if imported.partition(".")[0] == package and not of_contract:
            _collect_modules(imported, seen)
    return seen


def _find_imports(module: str) -> set[str]:
    """Parse which modules a source imports, inside functions and relative imports included."""
    modules: set[str] = set()
    try:
        tree = ast.parse(_read_source(module))
    except (SyntaxError, ValueError):
        return modules  # a module with a syntax error cannot be imported
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                depth = len(parts) - node.level + (_is_package(module))
                base = ".".join([*parts[:depth], *([base] if base else [])])
            modules.add(base)
            modules.update(f"{base}.{alias.name}" for alias in node.names)
    return modules


@functools.cache
def _find_source(module: str) -> Path | None:
    """Find the source of a module without importing it or its parent packages."""
    top, *submodules = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not submodules:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    for location in spec.submodule_search_locations or ():
        base_path = Path(location, *submodules)
        for path in (base_path.with_suffix(".py"), base_path / "__init__.py"):
            if path.is_file():
                return path
    return None


def _is_package(module: str) -> bool:
    path = _find_source(module)
    return path is not None and path.name == "__init__.py"


def _read_source(module: str) -> bytes:
    path = _find_source(module)
    return path.read_bytes() if path else b""
