"""Everything after ``model.fit()``: what a plugin's author needs, and lockgate's errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lockgate._version import __version__
from lockgate.contract.conversion import Engine, Fitted, Outcome
from lockgate.contract.evaluation import Exam, Metric, Plot, Report, Series, Worth
from lockgate.contract.events import Alarm, Promotion, Registration, Rollback, StageEvent
from lockgate.contract.gates import Case, Contestant, Origin, Ruling
from lockgate.contract.hooks import hookimpl
from lockgate.contract.kinds import CONTRACT, KINDS, Kind
from lockgate.contract.modeling import (
    Brief,
    Budget,
    Candidate,
    Needs,
    Problem,
    Recipe,
    Search,
    Shrink,
    Span,
    Trial,
)
from lockgate.contract.monitoring import Counts, Finding, Findings, Reference, Watch, Window
from lockgate.contract.plugin import plugin
from lockgate.contract.prediction import ModelFiles, Output, Predictor
from lockgate.contract.requests import Backend, Resources
from lockgate.contract.settings import setting
from lockgate.contract.tables import Column, Fold, LoadRequest, Parts, Schema, Table
from lockgate.errors import (
    BackendUnavailable,
    BrokenPlugin,
    BundleError,
    ContractMismatch,
    DataError,
    DeploymentError,
    DigestMismatch,
    EnvironmentMismatch,
    GateRefused,
    LedgerConflict,
    LedgerError,
    LedgerTampered,
    LockgateError,
    LogError,
    MissingExtra,
    NotApplicable,
    NotCovered,
    PackedFormatError,
    PluginChanged,
    PluginConflict,
    PluginDefinitionError,
    PluginError,
    PluginFailed,
    RemoteUnavailable,
    SchemaViolation,
    ServingError,
    SettingError,
    UnknownKey,
    UnknownPlugin,
    UsageError,
)

if TYPE_CHECKING:
    from lockgate.data.io.installed import installed_file
    from lockgate.data.schema import table
    from lockgate.models.bundle.open import open_bundle as open
    from lockgate.models.packing.pack import pack
    from lockgate.registry.api import Ledger

_LAZY = {
    "Ledger": ("lockgate.registry.api", "Ledger"),
    "installed_file": ("lockgate.data.io.installed", "installed_file"),
    "open": ("lockgate.models.bundle.open", "open_bundle"),
    "pack": ("lockgate.models.packing.pack", "pack"),
    "table": ("lockgate.data.schema", "table"),
}

__all__ = [
    "CONTRACT",
    "KINDS",
    "Alarm",
    "Backend",
    "BackendUnavailable",
    "Brief",
    "BrokenPlugin",
    "Budget",
    "BundleError",
    "Candidate",
    "Case",
    "Column",
    "Contestant",
    "ContractMismatch",
    "Counts",
    "DataError",
    "DeploymentError",
    "DigestMismatch",
    "Engine",
    "EnvironmentMismatch",
    "Exam",
    "Finding",
    "Findings",
    "Fitted",
    "Fold",
    "GateRefused",
    "Kind",
    "Ledger",
    "LedgerConflict",
    "LedgerError",
    "LedgerTampered",
    "LoadRequest",
    "LockgateError",
    "LogError",
    "Metric",
    "MissingExtra",
    "ModelFiles",
    "Needs",
    "NotApplicable",
    "NotCovered",
    "Origin",
    "Outcome",
    "Output",
    "PackedFormatError",
    "Parts",
    "Plot",
    "PluginChanged",
    "PluginConflict",
    "PluginDefinitionError",
    "PluginError",
    "PluginFailed",
    "Predictor",
    "Problem",
    "Promotion",
    "Recipe",
    "Reference",
    "Registration",
    "RemoteUnavailable",
    "Report",
    "Resources",
    "Rollback",
    "Ruling",
    "Schema",
    "SchemaViolation",
    "Search",
    "Series",
    "ServingError",
    "SettingError",
    "Shrink",
    "Span",
    "StageEvent",
    "Table",
    "Trial",
    "UnknownKey",
    "UnknownPlugin",
    "UsageError",
    "Watch",
    "Window",
    "Worth",
    "__version__",
    "hookimpl",
    "installed_file",
    "open",
    "pack",
    "plugin",
    "setting",
    "table",
]


def __getattr__(name: str) -> Any:
    """Import what is heavy only when it is asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module 'lockgate' has no attribute {name!r}")
    import importlib

    module, attribute = _LAZY[name]
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value
