"""The state of a ledger after one event: versions, stages, verdicts; read file by file."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from lockgate.errors import LedgerTampered
from lockgate.registry.git.trees import Trees
from lockgate.registry.provenance.formats import UnreadableRecord, decode_record
from lockgate.registry.provenance.policy import StagePolicy
from lockgate.registry.provenance.verdict import Verdict
from lockgate.registry.slots import Slot

__all__ = [
    "Head",
    "LatestVerdict",
    "StageRecord",
    "State",
    "VersionRecord",
    "judged_path",
    "newest_first",
]

T = TypeVar("T")


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last event.

    Attributes
    ----------
    v, seq : int
        Version of this format, and number of the event.
    id : str
        Id of the event.

    """

    v: int = 1
    seq: int = 0
    id: str = ""


class VersionRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A registered version; never changed.

    Attributes
    ----------
    v : int
        Version of this format.
    name, version, digest : str
        Name of the model, the version, and the digest of its bundle.
    lineage : {"pipeline", "declared", "unknown"}
        Named by the ``dvc.lock`` of the commit, declared by the author of the bundle, or
        not recorded.
    commit : str or None
        Commit of the code, with a clean work tree.
    path : str or None
        Path of the bundle from the top of the repository.
    tracked : str or None
        DVC's digest of the bundle, an MD5 that ends with ``.dir``.
    params_edited : bool
        Whether ``params.yaml`` of the commit holds other values than lockgate composed from
        ``conf/``: edited, or composed by DVC for an experiment.
    size : int
        Bytes of all files of the bundle.
    why : tuple of str
        Reasons for this version number: what changed since the version before.
    figures : dict
        Estimates of the metrics that the bundle reports, by evaluator.

    """

    v: int = 1
    name: str
    version: str
    digest: str
    lineage: str
    commit: str | None
    path: str | None
    tracked: str | None
    size: int
    why: tuple[str, ...]
    figures: dict[str, dict[str, float]]
    params_edited: bool = False


class StageRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is in a stage.

    Attributes
    ----------
    v : int
        Version of this format.
    slot : Slot
        The version, and the versions before it.
    seq, prev_seq : int
        Numbers of the event that put it there, and of the stage's event before (0: none).
    id : str
        Id of that event.
    override : bool
        Whether its gates were overridden.
    at, actor, reason : str
        When it was put there, by whom, and why.

    """

    v: int = 1
    slot: Slot
    seq: int
    prev_seq: int
    id: str
    override: bool
    at: str
    actor: str
    reason: str


class LatestVerdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The verdict that counts for a version in a stage: the one that was recorded last.

    Attributes
    ----------
    v : int
        Version of this format.
    verdict : str
        sha256 of the verdict.

    """

    v: int = 1
    verdict: str


def judged_path(name: str, version: str, stage: str) -> str:
    """Return the path of the latest verdict on a version for a stage."""
    return f"judged/{name}/{version}/{stage}.json"


class State:
    """A ledger's files after one event.

    Parameters
    ----------
    trees : Trees
        Reads the files.
    tree : str or None
        Id of the top tree; None before the first event.

    """

    def __init__(self, trees: Trees, tree: str | None) -> None:
        self.trees, self.tree = trees, tree

    def head(self) -> Head:
        """Read the last event."""
        return self._read("HEAD.json", Head) or Head()

    def names(self) -> list[str]:
        """Return the models that have versions."""
        return sorted(self._list_folder("versions"))

    def versions(self, name: str) -> list[str]:
        """Return a model's versions, newest first."""
        file_names = self._list_folder(f"versions/{name}")
        return newest_first([file_name.removesuffix(".json") for file_name in file_names])

    def version(self, name: str, version: str) -> VersionRecord | None:
        """Read the record of a version."""
        return self._read(f"versions/{name}/{version}.json", VersionRecord)

    def manifest(self, name: str, version: str) -> bytes | None:
        """Read the manifest of a version's bundle, byte for byte."""
        return self.trees.file(self.tree, f"manifests/{name}/{version}.json")

    def is_retired(self, name: str, version: str) -> bool:
        """Whether a version was retired."""
        return self.trees.file(self.tree, f"retired/{name}/{version}.json") is not None

    def stages(self, name: str) -> list[str]:
        """Return the stages in which a model has a version."""
        return sorted(
            file_name.removesuffix(".json") for file_name in self._list_folder(f"stages/{name}")
        )

    def stage(self, name: str, stage: str) -> StageRecord | None:
        """Read what is in a stage."""
        return self._read(f"stages/{name}/{stage}.json", StageRecord)

    def verdict(self, name: str, version: str, digest: str) -> Verdict | None:
        """Read a verdict."""
        raw = self.trees.file(self.tree, f"verdicts/{name}/{version}/{digest}.json")
        return None if raw is None else Verdict.decode(raw)

    def latest_verdict(self, name: str, version: str, stage: str) -> str | None:
        """Read the sha256 of the verdict on a version that was recorded last for a stage."""
        latest = self._read(judged_path(name, version, stage), LatestVerdict)
        return None if latest is None else latest.verdict

    def policy(self, name: str, version: str, verdict: str) -> StagePolicy | None:
        """Read the policy that a verdict was made by."""
        path = f"verdicts/{name}/{version}/{verdict}.policy.json"
        raw = self.trees.file(self.tree, path)
        return None if raw is None else StagePolicy.decode(raw)

    def verdicts(self, name: str, version: str) -> list[Verdict]:
        """Read all verdicts on a version, in no particular order."""
        folder = f"verdicts/{name}/{version}"
        verdicts = [
            self.verdict(name, version, file_name.removesuffix(".json"))
            for file_name in self._list_folder(folder)
            if not file_name.endswith(".policy.json")
        ]
        return [verdict for verdict in verdicts if verdict is not None]

    def attestations(self, name: str, version: str) -> list[dict[str, Any]]:
        """Read the attestations of a version, oldest first."""
        folder = f"attestations/{name}/{version}"
        attestations = (
            self._read(f"{folder}/{file_name}", dict[str, Any])
            for file_name in self._list_folder(folder)
        )
        return sorted(
            (attestation for attestation in attestations if attestation),
            key=lambda attestation: str(attestation.get("at", "")),
        )

    def _list_folder(self, path: str) -> list[str]:
        return list(self.trees.entries(self.trees.folder(self.tree, path)))

    def _read(self, path: str, form: type[T]) -> T | None:
        raw = self.trees.file(self.tree, path)
        if raw is None:
            return None
        try:
            return decode_record(raw, form)
        except UnreadableRecord as error:
            raise LedgerTampered(f"the ledger's {path} {error}") from None


def newest_first(versions: list[str]) -> list[str]:
    """Order versions by their numbers.

    Examples
    --------
    >>> newest_first(["1.9.0", "1.10.0", "0.3.1"])
    ['1.10.0', '1.9.0', '0.3.1']

    """
    return sorted(versions, key=lambda version: tuple(map(int, version.split("."))), reverse=True)
