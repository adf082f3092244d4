"""The manifest of a bundle: content only; no time, host or verdict."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from lockgate.contract.evaluation import ValueMatrix
from lockgate.contract.regions import PredictionRegion
from lockgate.contract.tables import Schema
from lockgate.data.io.digests import sha256_file
from lockgate.errors import BundleError
from lockgate.models.bundle.reference_row import ReferenceRow

__all__ = [
    "CONTRACT",
    "MANIFEST",
    "SCHEMA_VERSION",
    "Environment",
    "Hashes",
    "Manifest",
    "read_document",
    "read_manifest",
    "verify_files",
]

T = TypeVar("T")

UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What reading JSON raises that is not of its form, or too deeply nested."""

MANIFEST = "manifest.json"
CONTRACT = "contract.json"
"""The data contract that the rows held, in bundles that have one."""

SCHEMA_VERSION = 1
LARGEST = 16 << 20

NEEDED = ("probes.json", "reference.json", "metrics.json")
"""Files that every bundle has besides the model."""


class Hashes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """sha256 of what the model was made from.

    Attributes
    ----------
    params : str or None
        All parameters that can change the model; None where they were not recorded.
    data : str or None
        Training rows and schema; None where they were not recorded.
    code : dict of str to str
        Provider of each plugin that was used, by ``kind.instance``.
    declared : dict of str to str
        Origin of a model fitted elsewhere, as stated when it was packed; not checked.

    """

    params: str | None
    data: str | None
    code: dict[str, str]
    declared: dict[str, str] = {}


class Environment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Versions of what a model was made with.

    Attributes
    ----------
    answers : dict of str to str
        Versions that predictions depend on; compared with those installed on opening.
    training : dict of str to str
        Versions used in training; for information.

    """

    answers: dict[str, str]
    training: dict[str, str]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A bundle's table of contents; a function of the bundle's inputs alone.

    Attributes
    ----------
    schema_version : int
        Version of the manifest's format.
    name, task : str
        Which model, and what it predicts.
    schema : Schema
        Columns of the rows that it was fitted on, with their roles.
    array_columns : list of str
        Columns of arrays to predict, in their order, as the packed estimator was fitted on them,
        those that it does not read among them. Empty where arrays have its inputs alone.
    classes : list
        Labels in the order of the scores.
    threshold : float or None
        Score from which the second of two classes is predicted.
    value_matrix : ValueMatrix or None
        Value of each outcome of a decision.
    region : PredictionRegion or None
        Prediction interval or set.
    quantile : float or None
        Quantile that a regression predicts; None for a mean.
    format : str
        Plugin that opens the model.
    model : list of str
        Files that the format opens.
    reference_row : dict
        Cells that predictions are compared with when they are explained, by column: medians and
        modes of the training rows, as JSON has them.
    files : dict of str to str
        sha256 of every file but this one.
    hashes : Hashes
        What it was made from.
    environment : Environment
        Versions that predictions depend on, and those of training.

    """

    schema_version: int
    name: str
    task: str
    schema: Schema
    array_columns: list[str]
    classes: list[Any]
    threshold: float | None
    value_matrix: ValueMatrix | None
    region: PredictionRegion | None
    quantile: float | None
    format: str
    model: list[str]
    reference_row: ReferenceRow
    files: dict[str, str]
    hashes: Hashes
    environment: Environment

    @property
    def inputs(self) -> Schema:
        """Columns that the model takes: those without a role."""
        return Schema(self.schema.features, csv=self.schema.csv)


def read_manifest(folder: Path) -> Manifest:
    """Read and check a manifest.

    Raises
    ------
    BundleError
        If it is missing, of another version, or damaged.

    """
    path = folder / MANIFEST
    _must_be_file(path)
    try:
        if path.stat().st_size > LARGEST:
            raise BundleError(f"{path} is not a manifest: it is larger than {LARGEST} bytes")
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise BundleError(f"{folder} is not a bundle: it has no {MANIFEST}") from None
    try:
        version = msgspec.json.decode(raw, type=dict[str, Any]).get("schema_version")
        if version != SCHEMA_VERSION:
            newer = isinstance(version, int) and version > SCHEMA_VERSION
            remedy = "upgrade lockgate" if newer else "build the bundle again: lockgate run"
            raise BundleError(
                f"{folder} has bundle schema {version}, expected {SCHEMA_VERSION}: {remedy}"
            )
        manifest = msgspec.json.decode(raw, type=Manifest)
    except UNREADABLE as error:
        raise BundleError(f"{path} is damaged: {error}") from None
    if manifest.region is not None and not manifest.region.is_valid(manifest.task):
        raise BundleError(
            f"{path} is damaged: {manifest.region} is not a region of a {manifest.task} model"
        )
    targets = manifest.schema.targets
    if (manifest.task == "multioutput") != (len(targets) > 1):
        raise BundleError(
            f"{path} is damaged: a {manifest.task} model of {len(targets)} targets, {targets}"
        )
    quantile = manifest.quantile
    if quantile is not None and not (manifest.task == "regression" and 0 < quantile < 1):
        raise BundleError(f"{path} is damaged: a {manifest.task} model of the quantile {quantile}")
    return manifest


def read_document(path: Path, form: type[T]) -> T:
    """Read a JSON file of a bundle.

    Raises
    ------
    BundleError
        If it has another form; its digest may be right all the same, as its author chose it.

    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=form)
    except (*UNREADABLE, OSError) as error:
        raise BundleError(f"{path} is damaged: {error}") from None


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Check every file against its digest; none may be missing, extra, or a link.

    Raises
    ------
    BundleError
        Naming the first file that is not what the manifest says.

    """
    present = {str(path.relative_to(folder)) for path in folder.rglob("*")} - {MANIFEST}
    for name in sorted(present ^ set(manifest.files)):
        problem = "is not in the manifest" if name in present else "is missing"
        raise BundleError(f"{folder}: {name} {problem}")
    for name, expected in sorted(manifest.files.items()):
        path = folder / name
        _must_be_file(path)
        if (actual_digest := sha256_file(path)) != expected:
            raise BundleError(f"{folder}: {name} has sha256 {actual_digest}, expected {expected}")
    for name in (*manifest.model, *NEEDED):
        if name not in manifest.files:
            raise BundleError(f"{folder}: the file {name} is not in the manifest")


def _must_be_file(path: Path) -> None:
    """Reject links, folders and pipes."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISREG(mode):
        file_type = "a link" if stat.S_ISLNK(mode) else "not a regular file"
        raise BundleError(
            f"{path.parent}: {path.name} is {file_type}; a bundle contains regular files only"
        )
