"""Model files of unknown origin: opened and packed in a process of their own.

Opening a joblib or pickle file runs any code in it. That happens, if at all, in
a child process of this module; its result is a packed model, which is data and
is checked like any other.

Run as ``python -m lockgate.models.packing.pack_file FOLDER``; FOLDER contains
``job.json`` and receives ``model.packed`` and ``result.json``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lockgate.contract.tables import CSVFormat
from lockgate.errors import BundleError, LockgateError, NotCovered, UsageError

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator

    from lockgate.models.bundle.open import Bundle
    from lockgate.models.converters.parity import Parity

__all__ = ["PackJob", "PackResult", "is_skops", "pack_file", "pack_model_file"]


class PackJob(msgspec.Struct, frozen=True):
    """The task of the child process.

    Attributes
    ----------
    model, data : str
        Paths of the model and of rows that it was fitted on.
    targets : tuple of str
        Columns that it predicts, none for clusters and anomalies.
    trusted : bool
        Whether the user trusts the origin of the model file.
    prove : bool
        Whether to compare predictions; off for a dry run.
    csv : CSVFormat or None
        How the CSV files are written; None where the data are a Parquet file.
    kinds : dict of str to str
        Kinds of columns that the model was fitted on, where pandas would read others.
    positive : str
        Text of the positive class of two; empty for the estimator's second.

    """

    model: str
    data: str
    targets: tuple[str, ...]
    trusted: bool
    prove: bool
    csv: CSVFormat | None = None
    kinds: dict[str, str] = {}
    positive: str = ""


class PackResult(msgspec.Struct, frozen=True):
    """The result of the child process.

    Attributes
    ----------
    steps : list of str
        Steps that are covered, or all steps where one is not.
    features : list of str
        Columns that the model was fitted on.
    notes : list of str
        Warnings of the libraries, and the comparison as text.
    error : str or None
        Why the model was not packed.
    packed : bool
        Whether there is a packed model.
    warnings : list of str
        What the comparison leaves open.

    """

    steps: list[str]
    features: list[str]
    notes: list[str]
    error: str | None
    packed: bool
    warnings: list[str] = []


def is_skops(path: Path) -> bool:
    """Return whether a file is a skops file: a zip with a schema."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "schema.json" in archive.namelist()


def pack_file(job: PackJob) -> tuple[PackResult, bytes | None]:
    """Open and pack a model file in another process.

    Raises
    ------
    UsageError
        If the file is missing, or may run code and is not trusted.
    BundleError
        If the process ended without a result.

    """
    path = Path(job.model)
    if not path.is_file():
        raise UsageError(f"{path} does not exist or is not a file")
    if not is_skops(path) and not job.trusted:
        raise UsageError(
            f"{path} is a joblib or pickle file, and opening it runs any code in it: if you trust "
            "its origin, add --trust-code; skops files do not need it"
        )
    with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
        directory = Path(folder)
        (directory / "job.json").write_bytes(msgspec.json.encode(job))
        completed = subprocess.run(
            [sys.executable, "-P", "-m", "lockgate.models.packing.pack_file", folder],
            capture_output=True,
            text=True,
            check=False,
        )
        result = directory / "result.json"
        if not result.is_file():
            last = (completed.stderr.strip().splitlines() or ["no output"])[-1]
            raise BundleError(f"opening {path} ended with exit code {completed.returncode}: {last}")
        pack_result = msgspec.json.decode(result.read_bytes(), type=PackResult)
        raw = (directory / "model.packed").read_bytes() if pack_result.packed else None
    return pack_result, raw


def pack_model_file(
    job: PackJob,
    *,
    name: str | None = None,
    path: Path | None = None,
    tune: Path | None = None,
    test: Path | None = None,
    threshold: float | str | None = None,
    coverage: float | None = None,
    lineage: Mapping[str, str] | None = None,
    contract: Path | None = None,
    on_packed: Callable[[PackResult], None] = lambda _: None,
) -> Bundle:
    """Make a bundle of a model file; `lockgate.pack` does it for a model in memory.

    Parameters
    ----------
    job : PackJob
        The model file and the rows that it was fitted on.
    name : str, optional
        Name of the model; by default the file's.
    path : pathlib.Path, optional
        Directory to write; by default `name` in the current directory.
    tune, test : pathlib.Path, optional
        Files with rows that the model was not fitted on.
    threshold, coverage, lineage, contract
        As for `lockgate.pack`.
    on_packed : callable
        Called with the steps and notes before the bundle is written.

    Raises
    ------
    NotCovered
        If a step has no packed form, or predictions would differ from the original's.

    """
    from lockgate.data.data_contract.file import read_contract
    from lockgate.models.packed.runtime.model import PackedModel
    from lockgate.models.packing.pack import write_packed
    from lockgate.models.packing.row_files import read_table_of

    rules = None if contract is None else read_contract(contract)
    result, raw = pack_file(job)
    on_packed(result)
    if raw is None:
        raise NotCovered(str(result.error))
    name = name or Path(job.model).stem
    inputs = PackedModel(raw).inputs
    tables = {
        key: read_table_of(file, result.features, job.targets, inputs, job.csv)
        for key, file in (("tune", tune), ("test", test))
        if file is not None
    }
    return write_packed(
        raw,
        read_table_of(Path(job.data), result.features, job.targets, inputs, job.csv),
        path=path or Path(name),
        name=name,
        threshold=threshold,
        coverage=coverage,
        lineage=lineage,
        contract=rules,
        warnings=result.warnings,
        tune=tables.get("tune"),
        test=tables.get("test"),
        array_columns=tuple(result.features),
    )


def main(folder: Path) -> None:
    """Run the job in `folder`."""
    job = msgspec.json.decode((folder / "job.json").read_bytes(), type=PackJob)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = _pack(job, folder)
        except LockgateError as error:
            result = PackResult([], [], [], str(error), False)
    result = msgspec.structs.replace(result, notes=[*_notes(caught), *result.notes])
    (folder / "result.json").write_bytes(msgspec.json.encode(result))


def _notes(caught: list[warnings.WarningMessage]) -> list[str]:
    """Return the warnings of the libraries as notes; differing versions are one note."""
    notes: dict[str, None] = {}
    for warning in caught:
        fitted_version = getattr(warning.message, "original_sklearn_version", None)
        current_version = getattr(warning.message, "current_sklearn_version", "")
        notes[
            f"fitted with scikit-learn {fitted_version}, opened with {current_version}"
            if fitted_version
            else " ".join(str(warning.message).split())
        ] = None
    return list(notes)[:5]


def _pack(job: PackJob, folder: Path) -> PackResult:
    from lockgate.models.converters.coverage import coverage_report
    from lockgate.models.converters.fitted_columns import (
        check_count,
        columns_by_fitted_name,
        names_for,
    )
    from lockgate.models.packing.row_files import read_as_fitted, read_as_written

    frame = read_as_fitted(Path(job.data), job.csv, job.kinds)
    if unknown := [name for name in job.targets if name not in frame]:
        raise UsageError(f"unknown column {unknown[0]}: {job.data} does not have it")
    try:
        estimator = _open_estimator(job)
    except LockgateError:
        raise
    except Exception as error:
        raise BundleError(_cannot_be_opened(job.model, error)) from error
    features = [str(name) for name in frame if name not in job.targets]
    if names_for(estimator, features):
        features = list(columns_by_fitted_name(estimator, features, job.data).values())
    else:
        check_count(estimator, len(features), job.data)
    steps, reasons = coverage_report(estimator), []
    for rows in (frame, read_as_written(Path(job.data), job.csv)):
        try:
            raw, covered, parity = _prove(job, estimator, rows[features])
        except NotCovered as error:
            reasons.append(str(error))
            continue
        (folder / "model.packed").write_bytes(raw)
        notes, warnings = ([], []) if parity is None else ([str(parity)], parity.warnings())
        return PackResult(list(covered), features, notes, None, True, warnings)
    return PackResult(steps, features, [], reasons[0], False)


def _prove(
    job: PackJob, estimator: BaseEstimator, frame: pd.DataFrame
) -> tuple[bytes, tuple[str, ...], Parity | None]:
    """Pack the model, and compare it with the original on these rows."""
    from lockgate.modeling.training.estimators import order_classes
    from lockgate.models.converters.parity import check_parity
    from lockgate.models.packed.runtime.model import PackedModel
    from lockgate.models.packing.model_files import task_of
    from lockgate.models.packing.pack import packed_bytes
    from lockgate.models.packing.rows import table_from

    table, rows = table_from(frame)
    raw, covered = packed_bytes(
        estimator, table.schema, order_classes(task_of(estimator)[1], job.positive), rows
    )
    parity = check_parity(estimator, PackedModel(raw), rows) if job.prove else None
    return raw, covered, parity


def _cannot_be_opened(path: str, error: Exception) -> str:
    from importlib.metadata import version

    message = " ".join(str(error).split())
    return (
        f"{path} cannot be opened: {type(error).__name__}: {message}; it may need another version "
        f"of scikit-learn (installed: {version('scikit-learn')}) or a library that is not "
        "installed; pack it where it was fitted: pip install 'lockgate[pack]'"
    )


def _open_estimator(job: PackJob) -> Any:
    path = Path(job.model)
    if not is_skops(path):
        import joblib

        return joblib.load(path)
    if not job.trusted:
        from lockgate.models.skops_file import read_estimator

        return read_estimator(path)
    from skops import io as skops_io

    return skops_io.load(path, trusted=skops_io.get_untrusted_types(file=path))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
