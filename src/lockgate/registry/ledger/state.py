"""What a ledger says at one event: versions, stages, verdicts; read file by file."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from lockgate.errors import LedgerTampered
from lockgate.registry.git.trees import Trees
from lockgate.registry.provenance.verdict import Verdict
from lockgate.registry.slots import Slot

__all__ = ["Head", "StageRecord", "State", "VersionRecord", "newest_first"]

T = TypeVar("T")


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last event.

    Attributes
    ----------
    v, seq : int
        Version of this form, and the event's number.
    id : str
        The event's.

    """

    v: int = 1
    seq: int = 0
    id: str = ""


class VersionRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A version, written once.

    Attributes
    ----------
    name, version, digest : str
        Which bundle it is.
    lineage : {"pipeline", "declared", "unknown"}
        Whether the commit's ``dvc.lock`` names it; or its maker says where it is from; or nobody.
    commit : str or None
        Commit of the code, with a clean tree.
    path : str or None
        Where the bundle lay, from the top of the repository.
    tracked : str or None
        DVC's name for its content, an md5 that ends with ``.dir``.
    size : int
        Bytes of all its files.
    why : tuple of str
        What changed since the version before, in words.
    figures : dict
        The estimates that came with it.

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


class StageRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is in a stage.

    Attributes
    ----------
    slot : Slot
        The version, and those before it.
    seq, prev_seq : int
        The event that put it there, and the one before in this stage (0: none).
    id : str
        That event's.
    override : bool
        Whether it was put there against its gates.
    at, actor, reason : str
        When, by whom, why.

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


class State:
    """A ledger's files after one event.

    Parameters
    ----------
    trees : Trees
        Reads them.
    tree : str or None
        Where they begin; None before the first event.

    """

    def __init__(self, trees: Trees, tree: str | None) -> None:
        self.trees, self.tree = trees, tree

    def head(self) -> Head:
        """Read which event was the last."""
        return self._read("HEAD.json", Head) or Head()

    def names(self) -> list[str]:
        """Return the models that have versions."""
        return sorted(self._list_folder("versions"))

    def versions(self, name: str) -> list[str]:
        """Return a model's versions, the newest first."""
        file_names = self._list_folder(f"versions/{name}")
        return newest_first([file_name.removesuffix(".json") for file_name in file_names])

    def version(self, name: str, version: str) -> VersionRecord | None:
        """Read what a version is."""
        return self._read(f"versions/{name}/{version}.json", VersionRecord)

    def manifest(self, name: str, version: str) -> bytes | None:
        """Read the manifest of a version's bundle, byte for byte."""
        return self.trees.file(self.tree, f"manifests/{name}/{version}.json")

    def is_retired(self, name: str, version: str) -> bool:
        """Whether a version was withdrawn."""
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

    def verdicts(self, name: str, version: str) -> list[Verdict]:
        """Read all verdicts on a version, in no order."""
        folder = f"verdicts/{name}/{version}"
        verdicts = [
            self.verdict(name, version, file_name.removesuffix(".json"))
            for file_name in self._list_folder(folder)
        ]
        return [verdict for verdict in verdicts if verdict is not None]

    def attestations(self, name: str, version: str) -> list[dict[str, Any]]:
        """Read what came of building a version again."""
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
            return msgspec.json.decode(raw, type=form)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise LedgerTampered(f"the ledger's {path} cannot be read: {error}") from None


def newest_first(versions: list[str]) -> list[str]:
    """Order versions by their numbers.

    Examples
    --------
    >>> newest_first(["1.9.0", "1.10.0", "0.3.1"])
    ['1.10.0', '1.9.0', '0.3.1']

    """
    return sorted(versions, key=lambda version: tuple(map(int, version.split("."))), reverse=True)
