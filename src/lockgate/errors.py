"""Everything lockgate raises on purpose, as one tree.

::

    LockgateError
    ├── UsageError             the words of a command or a configuration
    │   ├── SettingError       a value that a setting does not allow
    │   ├── UnknownKey         a key that nothing reads
    │   └── UnknownPlugin      a name that nobody installed
    ├── PluginError            a plugin package, or what a plugin did
    │   ├── PluginDefinitionError
    │   ├── BrokenPlugin       cannot be imported or is no plugin
    │   ├── PluginConflict     two distributions, one name
    │   ├── ContractMismatch   written for a contract that is not served
    │   ├── PluginChanged      not the code that the parameters record
    │   └── PluginFailed       raised while it worked
    ├── NotApplicable          a plugin says: there is nothing here for me to do
    ├── DataError              the data, not the code
    │   ├── DigestMismatch     a file is not the one that was pinned
    │   └── SchemaViolation    columns are not what was promised
    ├── BundleError            a bundle that cannot be trusted or read
    │   ├── PackedFormatError  a model file that is not as it was written
    │   └── EnvironmentMismatch  made for versions that are not here
    ├── DeploymentError        a deployment directory, or what is asked of it
    ├── ServingError           a server that cannot start or be reached
    ├── LedgerError            versions and stages: what is asked of them cannot be done
    │   ├── LedgerConflict     something else is there than was expected
    │   ├── GateRefused        a version did not pass what its stage demands
    │   ├── LedgerTampered     the ledger is not what it was
    │   └── RemoteUnavailable  the shared ledger cannot be reached
    ├── LogError               a prediction log that cannot be read or written
    ├── NotCovered             a fitted model that has no packed form
    ├── BackendUnavailable     no such device or library here
    └── MissingExtra           a part of lockgate that is not installed

Messages say what was expected, what came, and what to do.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable

__all__ = [
    "PIPELINE_LIBRARIES",
    "BackendUnavailable",
    "BrokenPlugin",
    "BundleError",
    "ContractMismatch",
    "DataError",
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
    "PackedFormatError",
    "PluginChanged",
    "PluginConflict",
    "PluginDefinitionError",
    "PluginError",
    "PluginFailed",
    "RemoteUnavailable",
    "SchemaViolation",
    "ServingError",
    "SettingError",
    "UnknownKey",
    "UnknownPlugin",
    "UsageError",
]


class LockgateError(Exception):
    """Base of every error that lockgate raises on purpose."""

    exit_code = 2


class UsageError(LockgateError):
    """A command or a configuration says something that cannot be done."""


class SettingError(UsageError):
    """A value that a setting does not allow.

    Attributes
    ----------
    key : str
        Dotted path of the setting, e.g. ``compressor.round.digits``.
    value : object
        What came.
    allowed : str
        What is allowed, in words.

    """

    def __init__(self, key: str, value: object, allowed: str) -> None:
        self.key, self.value, self.allowed = key, value, allowed
        super().__init__(f"{key} is {value!r}; allowed: {allowed}")


class UnknownKey(UsageError):
    """A key of a configuration that nothing reads, most often misspelt.

    Attributes
    ----------
    key : str
        Dotted path of the key.
    known : tuple of str
        What could stand there instead.

    """

    def __init__(self, key: str, known: Iterable[str]) -> None:
        self.key, self.known = key, tuple(known)
        parent, _, leaf = key.rpartition(".")
        available = ", ".join(self.known) or "nothing"
        prefix = f"{parent} knows" if parent else "known are"
        super().__init__(f"no key {key!r}{nearest(leaf, self.known)}; {prefix} {available}")


class UnknownPlugin(UsageError):
    """A plugin name that no installed distribution provides."""

    def __init__(self, kind: str, name: str, installed: Iterable[str]) -> None:
        self.kind, self.name, self.installed = kind, name, tuple(sorted(installed))
        available = ", ".join(self.installed) or "none"
        super().__init__(
            f"no {kind} named {name!r}{nearest(name, self.installed)}; installed: {available}"
        )


class PluginError(LockgateError):
    """A plugin package is at fault."""

    exit_code = 3


class PluginDefinitionError(PluginError, TypeError):
    """A class decorated with ``@lockgate.plugin`` breaks the contract."""


class BrokenPlugin(PluginError):
    """A plugin that cannot be imported, or whose entry point names no plugin."""


class PluginConflict(PluginError):
    """Two distributions provide a plugin of the same kind and name."""


class ContractMismatch(PluginError):
    """A plugin written for a contract version that this lockgate does not serve."""


class PluginChanged(PluginError):
    """The installed plugin is not the one that the parameters record."""


class PluginFailed(PluginError):
    """A plugin raised while it worked; the original error is the cause."""


class NotApplicable(LockgateError):
    """Raised by a plugin that has nothing to do here, e.g. no trees to prune."""


class DataError(LockgateError):
    """The data cannot be used as they are."""


class DigestMismatch(DataError):
    """A file's content is not the one that was pinned."""

    def __init__(self, path: str, expected: str, actual: str, remedy: str) -> None:
        self.path, self.expected, self.actual = path, expected, actual
        super().__init__(f"{path}: expected sha256 {expected}, found {actual}; {remedy}")


class SchemaViolation(DataError):
    """Columns are not what the schema promises; all problems are listed.

    Attributes
    ----------
    problems : tuple of str
        One sentence per problem, each naming its column.

    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class BundleError(LockgateError):
    """A bundle is incomplete, changed, or gives other answers than it promises."""


class PackedFormatError(BundleError):
    """A packed model is truncated, changed, newer, or makes no sense; the only error of reading."""


class EnvironmentMismatch(BundleError):
    """A bundle needs other versions than those installed here."""


class DeploymentError(LockgateError):
    """A deployment directory is damaged, or cannot do what is asked of it."""


class ServingError(LockgateError):
    """A server cannot start, or cannot be reached."""


class LedgerError(LockgateError):
    """A version or a stage is not there, or cannot be had as asked; nothing was changed."""


class LedgerConflict(LedgerError):
    """Something else stands in a stage than whoever asked expected; nothing was changed."""

    exit_code = 1


class GateRefused(LedgerError):
    """A version has no passing verdict for exactly this bundle, stage and incumbent."""

    exit_code = 1


class LedgerTampered(LedgerError):
    """The ledger was rewritten, shortened, or holds what nobody was allowed to write."""


class RemoteUnavailable(LedgerError):
    """The shared ledger cannot be reached."""


class LogError(LockgateError):
    """A prediction log cannot be read or written."""


class NotCovered(LockgateError):
    """A fitted model, or an option of it, has no packed form; the message says what to do."""


class BackendUnavailable(LockgateError):
    """An array backend's library or device is missing."""


class MissingExtra(LockgateError):
    """A command needs an optional part of lockgate that is not installed."""

    def __init__(self, extra: str, needed_for: str) -> None:
        self.extra = extra
        super().__init__(f"{needed_for} needs more: pip install 'lockgate[{extra}]'")


PIPELINE_LIBRARIES = frozenset(
    {"dvc", "hydra", "jinja2", "matplotlib", "omegaconf", "pandas", "pyarrow", "scipy", "skops"}
    | {"sklearn", "threadpoolctl"}
)
"""What the extra ``pipeline`` brings."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known word is probably meant, or nothing.

    Examples
    --------
    >>> nearest("laso", ["lasso", "prune"])
    ", did you mean 'lasso'?"
    >>> nearest("zap", ["lasso", "prune"])
    ''

    """
    # names may come from a stranger, thousands of them
    candidates = [candidate[:100] for candidate in itertools.islice(known, 1000)]
    close = difflib.get_close_matches(str(name)[:100], candidates, n=1)
    return f", did you mean {close[0]!r}?" if close else ""
