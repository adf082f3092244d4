"""The exceptions of lockgate, as one tree.

::

    LockgateError
    ├── UsageError             invalid arguments of a command, or an invalid configuration
    │   ├── SettingError       a value that a setting does not allow
    │   ├── UnknownKey         an unknown key of a configuration
    │   └── UnknownPlugin      a plugin name that is not installed
    ├── PluginError            an invalid plugin package, or a plugin that failed
    │   ├── PluginDefinitionError
    │   ├── BrokenPlugin       cannot be imported, or is not a plugin
    │   ├── PluginConflict     provided by two distributions
    │   ├── ContractMismatch   written for an unsupported version of the contract
    │   ├── PluginChanged      not the code that the parameters record
    │   └── PluginFailed       raised an error, or returned an invalid value
    ├── StageFailed            a stage of the pipeline failed
    ├── NotApplicable          raised by a plugin that does not apply
    ├── NotMeasured            raised by a gate that lacks evaluation rows
    ├── DataError              data that cannot be read or used
    │   ├── DigestMismatch     a file whose digest is not the pinned one
    │   └── SchemaViolation    columns that violate the schema
    ├── BundleError            a bundle that cannot be read or verified
    │   ├── PackedFormatError  a damaged or invalid packed model
    │   └── EnvironmentMismatch  other versions are installed than required
    ├── DeploymentError        a damaged deployment directory, or an invalid operation on it
    │   └── DeploymentChanged  another command has changed the directory meanwhile
    ├── ServingError           a server that cannot start or be reached
    │   └── ServerNotRunning   no server runs on a deployment directory
    ├── NotServed              a running server does not serve a change
    ├── LedgerError            an operation on versions or stages that cannot be done
    │   ├── LedgerConflict     a stage has another version than expected
    │   ├── GateRefused        a version has no passing verdict for a stage
    │   ├── LedgerTampered     the ledger failed verification
    │   └── RemoteUnavailable  the shared ledger cannot be reached
    ├── LogError               a prediction log that cannot be read or written
    ├── NotCovered             a fitted model that has no packed form
    ├── BackendUnavailable     the device or library of a backend is missing
    └── MissingExtra           an optional part of lockgate is not installed

Messages state what was expected, what was found, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable

from lockgate.suggestions import nearest

__all__ = [
    "PIPELINE_LIBRARIES",
    "BackendUnavailable",
    "BrokenPlugin",
    "BundleError",
    "ContractMismatch",
    "DataError",
    "DeploymentChanged",
    "DeploymentError",
    "DigestMismatch",
    "EnvironmentMismatch",
    "GateRefused",
    "LedgerConflict",
    "LedgerError",
    "LedgerTampered",
    "LockgateError",
    "LogError",
    "MissingExtra",
    "NotApplicable",
    "NotCovered",
    "NotMeasured",
    "NotServed",
    "PackedFormatError",
    "PluginChanged",
    "PluginConflict",
    "PluginDefinitionError",
    "PluginError",
    "PluginFailed",
    "RemoteUnavailable",
    "SchemaViolation",
    "ServerNotRunning",
    "ServingError",
    "SettingError",
    "StageFailed",
    "UnknownKey",
    "UnknownPlugin",
    "UsageError",
]


class LockgateError(Exception):
    """Base class of all exceptions of lockgate."""

    exit_code = 2


class UsageError(LockgateError):
    """The arguments of a command, or a configuration, are invalid."""


class SettingError(UsageError):
    """A value that a setting does not allow.

    Attributes
    ----------
    key : str
        Dotted path of the setting, e.g. ``compressor.round.digits``.
    value : object
        Invalid value.
    allowed : str
        Description of the allowed values.

    """

    def __init__(self, key: str, value: object, allowed: str) -> None:
        self.key, self.value, self.allowed = key, value, allowed
        super().__init__(f"{key} is {value!r}; allowed: {allowed}")


class UnknownKey(UsageError):
    """An unknown key of a configuration, most often a misspelt one.

    Attributes
    ----------
    key : str
        Dotted path of the key.
    known : tuple of str
        Names of the known keys.

    """

    def __init__(self, key: str, known: Iterable[str]) -> None:
        self.key, self.known = key, tuple(known)
        parent, _, leaf = key.rpartition(".")
        available = ", ".join(self.known) or "none"
        of_parent = f" in {parent}" if parent else ""
        super().__init__(
            f"unknown key {key!r}{nearest(leaf, self.known)}; available{of_parent}: {available}"
        )


class UnknownPlugin(UsageError):
    """A plugin name that no installed distribution provides."""

    def __init__(self, kind: str, name: str, installed: Iterable[str]) -> None:
        self.kind, self.name, self.installed = kind, name, tuple(sorted(installed))
        available = ", ".join(self.installed) or "none"
        super().__init__(
            f"no {kind} named {name!r}{nearest(name, self.installed)}; installed: {available}"
        )


class PluginError(LockgateError):
    """A plugin package is invalid, or a plugin failed."""

    exit_code = 3


class PluginDefinitionError(PluginError, TypeError):
    """A class decorated with ``@lockgate.plugin`` breaks the contract."""


class BrokenPlugin(PluginError):
    """A plugin that cannot be imported, or whose entry point is not a plugin."""


class PluginConflict(PluginError):
    """Two distributions provide a plugin of the same kind and name."""


class ContractMismatch(PluginError):
    """A plugin written for a contract version that this lockgate does not support."""


class PluginChanged(PluginError):
    """The installed code of a plugin is not the code that the parameters record."""


class PluginFailed(PluginError):
    """A plugin raised an error, which is the cause, or returned an invalid value."""


class StageFailed(LockgateError):
    """A stage of the pipeline failed; what it printed says why."""


class NotApplicable(LockgateError):
    """Raised by a plugin that does not apply, e.g. to a model without trees."""


class NotMeasured(LockgateError):
    """Raised by a gate that needs evaluation rows where there are none: nothing is recorded."""


class DataError(LockgateError):
    """Data cannot be read or used."""


class DigestMismatch(DataError):
    """The digest of a file is not the pinned one."""

    def __init__(self, path: str, expected: str, actual: str, remedy: str) -> None:
        self.path, self.expected, self.actual = path, expected, actual
        super().__init__(f"{path}: expected sha256 {expected}, got {actual}; {remedy}")


class SchemaViolation(DataError):
    """Columns violate the schema; all problems are listed.

    Attributes
    ----------
    problems : tuple of str
        One sentence per problem, each naming its column.

    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class BundleError(LockgateError):
    """A bundle is incomplete or changed, or its predictions are not the recorded ones."""


class PackedFormatError(BundleError):
    """A packed model is truncated, changed, invalid, or of a newer version.

    Reading a packed model raises no other error.
    """


class EnvironmentMismatch(BundleError):
    """A bundle requires other versions than those installed."""


class DeploymentError(LockgateError):
    """A deployment directory is damaged, or an operation on it is invalid."""


class DeploymentChanged(DeploymentError):
    """A deployment directory was changed by another command since it was read."""


class ServingError(LockgateError):
    """A server cannot start, or cannot be reached."""


class ServerNotRunning(ServingError):
    """No server is running on a deployment directory."""


class NotServed(LockgateError):
    """A change of a deployment directory is recorded, and not served by every worker."""

    exit_code = 5


class LedgerError(LockgateError):
    """An operation on a version or a stage cannot be done; nothing was changed."""


class LedgerConflict(LedgerError):
    """A stage was changed by others, or has another version than expected; nothing was changed."""

    exit_code = 6


class GateRefused(LedgerError):
    """A version has no passing verdict for this bundle, stage and incumbent."""

    exit_code = 1


class LedgerTampered(LedgerError):
    """The ledger was rewritten, shortened, or contains events without a valid signature."""


class RemoteUnavailable(LedgerError):
    """The shared ledger cannot be reached.

    Attributes
    ----------
    problem : str
        Why; the message goes on with the advice for those who wanted to write.

    """

    def __init__(self, problem: str, advice: str = "") -> None:
        self.problem = problem
        super().__init__(f"{problem}; {advice}" if advice else problem)


class LogError(LockgateError):
    """A prediction log cannot be read or written."""


class NotCovered(LockgateError):
    """A fitted model, or an option of it, has no packed form; the message says what to do."""


class BackendUnavailable(LockgateError):
    """The library or the device of an array backend is missing."""


class MissingExtra(LockgateError):
    """A command needs an optional part of lockgate that is not installed."""

    def __init__(self, extra: str, needed_for: str) -> None:
        self.extra = extra
        super().__init__(
            f"{needed_for} needs an optional dependency: pip install 'lockgate[{extra}]'"
        )


PIPELINE_LIBRARIES = frozenset(
    {"dvc", "hydra", "jinja2", "matplotlib", "omegaconf", "pandas", "pyarrow", "scipy", "skops"}
    | {"sklearn", "threadpoolctl"}
)
"""Packages that the extra ``pipeline`` installs."""
