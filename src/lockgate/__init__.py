"""Everything after ``model.fit()``: the API for plugins, the main functions, the errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate._version import __version__
from lockgate.contract.compression import CompressRequest
from lockgate.contract.conversion import ConvertedModel, ConvertRequest, Engine
from lockgate.contract.evaluation import EvaluateRequest, Metric, Plot, Report, Series, ValueMatrix
from lockgate.contract.events import Alarm, Promotion, Registration, Rollback, StageEvent
from lockgate.contract.explanation import Explanation
from lockgate.contract.gates import BundleOrigin, EvaluatedBundle, GateResult, JudgeRequest
from lockgate.contract.hooks import hookimpl
from lockgate.contract.kinds import CONTRACT, KINDS, Kind
from lockgate.contract.monitoring import (
    BinCounts,
    Finding,
    Findings,
    MonitoringWindow,
    MonitorRequest,
    ReferenceCounts,
)
from lockgate.contract.plugin import plugin
from lockgate.contract.prediction import (
    FunctionPredictor,
    ModelFiles,
    OpenRequest,
    Output,
    Predictor,
    WriteRequest,
)
from lockgate.contract.recipes import (
    BuildRequest,
    Candidate,
    Fidelity,
    Recipe,
    Requirements,
    SearchRange,
)
from lockgate.contract.requests import Backend, Resources
from lockgate.contract.search import Budget, OptimizeRequest, PartialFit, SearchResult, Trial
from lockgate.contract.secrets import Secret
from lockgate.contract.settings import setting
from lockgate.contract.tables import Column, CSVFormat, Fold, LoadRequest, Schema, Splits, Table
from lockgate.errors import (
    BackendUnavailable,
    BrokenPlugin,
    BundleError,
    ContractMismatch,
    DataError,
    DeploymentChanged,
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
    NotMeasured,
    NotServed,
    PackedFormatError,
    PluginChanged,
    PluginConflict,
    PluginDefinitionError,
    PluginError,
    PluginFailed,
    RemoteUnavailable,
    SchemaViolation,
    ServerNotRunning,
    ServingError,
    SettingError,
    StageFailed,
    UnknownKey,
    UnknownPlugin,
    UsageError,
)

if TYPE_CHECKING:
    from lockgate.batch.predict_file import predict_file
    from lockgate.data.data_contract.checked_table import check_contract
    from lockgate.data.data_contract.counts import Violation
    from lockgate.data.data_contract.file import read_contract, write_contract
    from lockgate.data.data_contract.inference import infer_contract, widen_contract
    from lockgate.data.data_contract.rules import ColumnRule, DataContract
    from lockgate.data.io.installed import installed_file
    from lockgate.data.schema import table
    from lockgate.data.tables import read_table
    from lockgate.deployment.deploy import deploy
    from lockgate.deployment.deploy import follow_ledger as follow
    from lockgate.deployment.deploy import roll_back as rollback
    from lockgate.deployment.synchronize import sync
    from lockgate.models.bundle.evaluation import evaluate_bundle as evaluate
    from lockgate.models.bundle.open import open_bundle as open
    from lockgate.models.comparison.comparison import Comparison
    from lockgate.models.packed.content import PackedContent
    from lockgate.models.packing.pack import pack
    from lockgate.pipeline.run import run_pipeline as run
    from lockgate.pipeline.scaffold import create_project as init
    from lockgate.prediction_log.export import export as export_log
    from lockgate.prediction_log.feedback import import_labels
    from lockgate.prediction_log.lineage import trace_lineage as trace
    from lockgate.registry.api import Ledger
    from lockgate.registry.attest.attest import Attestation, attest
    from lockgate.registry.compare import compare
    from lockgate.serving.server import serve
    from lockgate.serving.settings import Limits, LogSettings, ServeSettings

_LAZY = {
    "Attestation": ("lockgate.registry.attest.attest", "Attestation"),
    "Bundle": ("lockgate.models.bundle.open", "Bundle"),
    "Comparison": ("lockgate.models.comparison.comparison", "Comparison"),
    "ColumnRule": ("lockgate.data.data_contract.rules", "ColumnRule"),
    "DataContract": ("lockgate.data.data_contract.rules", "DataContract"),
    "DeployResult": ("lockgate.deployment.deploy", "DeployResult"),
    "Evaluation": ("lockgate.models.bundle.evaluation", "Evaluation"),
    "FileResult": ("lockgate.batch.predict_file", "FileResult"),
    "ImportedLabels": ("lockgate.prediction_log.feedback", "ImportedLabels"),
    "Ledger": ("lockgate.registry.api", "Ledger"),
    "Limits": ("lockgate.serving.settings", "Limits"),
    "Lineage": ("lockgate.prediction_log.lineage", "Lineage"),
    "LogSettings": ("lockgate.serving.settings", "LogSettings"),
    "NewProject": ("lockgate.pipeline.scaffold", "NewProject"),
    "PackedContent": ("lockgate.models.packed.content", "PackedContent"),
    "ServeSettings": ("lockgate.serving.settings", "ServeSettings"),
    "StageRecord": ("lockgate.registry.ledger.state", "StageRecord"),
    "SyncResult": ("lockgate.deployment.synchronize", "SyncResult"),
    "Verdict": ("lockgate.registry.provenance.verdict", "Verdict"),
    "VersionRecord": ("lockgate.registry.ledger.state", "VersionRecord"),
    "Violation": ("lockgate.data.data_contract.counts", "Violation"),
    "attest": ("lockgate.registry.attest.attest", "attest"),
    "compare": ("lockgate.registry.compare", "compare"),
    "check_contract": ("lockgate.data.data_contract.checked_table", "check_contract"),
    "deploy": ("lockgate.deployment.deploy", "deploy"),
    "evaluate": ("lockgate.models.bundle.evaluation", "evaluate_bundle"),
    "export_log": ("lockgate.prediction_log.export", "export"),
    "follow": ("lockgate.deployment.deploy", "follow_ledger"),
    "import_labels": ("lockgate.prediction_log.feedback", "import_labels"),
    "infer_contract": ("lockgate.data.data_contract.inference", "infer_contract"),
    "init": ("lockgate.pipeline.scaffold", "create_project"),
    "installed_file": ("lockgate.data.io.installed", "installed_file"),
    "open": ("lockgate.models.bundle.open", "open_bundle"),
    "pack": ("lockgate.models.packing.pack", "pack"),
    "predict_file": ("lockgate.batch.predict_file", "predict_file"),
    "read_contract": ("lockgate.data.data_contract.file", "read_contract"),
    "read_table": ("lockgate.data.tables", "read_table"),
    "rollback": ("lockgate.deployment.deploy", "roll_back"),
    "run": ("lockgate.pipeline.run", "run_pipeline"),
    "serve": ("lockgate.serving.server", "serve"),
    "sync": ("lockgate.deployment.synchronize", "sync"),
    "table": ("lockgate.data.schema", "table"),
    "trace": ("lockgate.prediction_log.lineage", "trace_lineage"),
    "widen_contract": ("lockgate.data.data_contract.inference", "widen_contract"),
    "write_contract": ("lockgate.data.data_contract.file", "write_contract"),
}

__all__ = [
    "CONTRACT",
    "KINDS",
    "Alarm",
    "Attestation",
    "Backend",
    "BackendUnavailable",
    "BinCounts",
    "BrokenPlugin",
    "Budget",
    "BuildRequest",
    "Bundle",
    "BundleError",
    "BundleOrigin",
    "CSVFormat",
    "Candidate",
    "Column",
    "ColumnRule",
    "Comparison",
    "CompressRequest",
    "ContractMismatch",
    "ConvertRequest",
    "ConvertedModel",
    "DataContract",
    "DataError",
    "DeployResult",
    "DeploymentChanged",
    "DeploymentError",
    "DigestMismatch",
    "Engine",
    "EnvironmentMismatch",
    "EvaluateRequest",
    "EvaluatedBundle",
    "Evaluation",
    "Explanation",
    "Fidelity",
    "FileResult",
    "Finding",
    "Findings",
    "Fold",
    "FunctionPredictor",
    "GateRefused",
    "GateResult",
    "ImportedLabels",
    "JudgeRequest",
    "Kind",
    "Ledger",
    "LedgerConflict",
    "LedgerError",
    "LedgerTampered",
    "Limits",
    "Lineage",
    "LoadRequest",
    "LockgateError",
    "LogError",
    "LogSettings",
    "Metric",
    "MissingExtra",
    "ModelFiles",
    "MonitorRequest",
    "MonitoringWindow",
    "NewProject",
    "NotApplicable",
    "NotCovered",
    "NotMeasured",
    "NotServed",
    "OpenRequest",
    "OptimizeRequest",
    "Output",
    "PackedContent",
    "PackedFormatError",
    "PartialFit",
    "Plot",
    "PluginChanged",
    "PluginConflict",
    "PluginDefinitionError",
    "PluginError",
    "PluginFailed",
    "Predictor",
    "Promotion",
    "Recipe",
    "ReferenceCounts",
    "Registration",
    "RemoteUnavailable",
    "Report",
    "Requirements",
    "Resources",
    "Rollback",
    "Schema",
    "SchemaViolation",
    "SearchRange",
    "SearchResult",
    "Secret",
    "Series",
    "ServeSettings",
    "ServerNotRunning",
    "ServingError",
    "SettingError",
    "Splits",
    "StageEvent",
    "StageFailed",
    "StageRecord",
    "SyncResult",
    "Table",
    "Trial",
    "UnknownKey",
    "UnknownPlugin",
    "UsageError",
    "ValueMatrix",
    "Verdict",
    "VersionRecord",
    "Violation",
    "WriteRequest",
    "__version__",
    "attest",
    "check_contract",
    "compare",
    "deploy",
    "evaluate",
    "export_log",
    "follow",
    "hookimpl",
    "import_labels",
    "infer_contract",
    "init",
    "installed_file",
    "open",
    "pack",
    "plugin",
    "predict_file",
    "read_contract",
    "read_table",
    "rollback",
    "run",
    "serve",
    "setting",
    "sync",
    "table",
    "trace",
    "widen_contract",
    "write_contract",
]


def __getattr__(name: str) -> object:
    """Import the functions that need heavy libraries on first use."""
    if name not in _LAZY:
        raise AttributeError(f"module 'lockgate' has no attribute {name!r}")
    import importlib  # here, so that it is not a name of this package

    module, attribute = _LAZY[name]
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value
