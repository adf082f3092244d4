"""Predicts a whole file part by part; a run that was killed can be resumed."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import operator
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from lockgate.batch.contract_check import ContractChecker
from lockgate.batch.date_order import DateOrderChecker
from lockgate.batch.output_files import OUTPUTS, merge_parts, write_part
from lockgate.batch.parts import describe_job, join_rejected, lock_parts
from lockgate.batch.reasons import Reasons
from lockgate.contract.conversion import Engine
from lockgate.contract.explanation import Against
from lockgate.contract.prediction import value_columns
from lockgate.data.columns.filled import FilledCells, count_filled
from lockgate.data.columns.rejections import RejectedRows
from lockgate.data.data_contract.counts import Violation
from lockgate.data.io.atomic import write_file
from lockgate.data.io.chunks import Chunk
from lockgate.data.io.files import read_chunks
from lockgate.errors import DataError, UsageError
from lockgate.models.bundle.manifest import Manifest
from lockgate.models.bundle.open import Bundle, open_bundle
from lockgate.models.bundle.open_format import Model, servable_model
from lockgate.models.packed.runtime.comparison import NumPyDifference
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.plugins.host.engines import load_engine

__all__ = ["FileResult", "predict_file"]

PART_ROWS = 1 << 16
"""Rows of a part; a run that is killed loses at most one part."""

COMPARED_LATER = 128
"""Rows of each part but the first that an engine's predictions are compared for."""


@dataclasses.dataclass(frozen=True)
class FileResult:
    """Result of `predict_file`.

    Attributes
    ----------
    predicted_rows, rejected_rows : int
        Rows that were predicted, and rows that were rejected.
    resumed : int
        Rows that an earlier run had predicted or rejected.
    rejected : pathlib.Path or None
        The file of rejected rows, if there are any.
    filled : FilledCells
        Missing cells and unknown categories of all rows, those of an earlier run included.
    warnings : tuple of str
        Columns that hardly hold what the model was trained on.
    comparison : NumPyDifference or None
        How far a plugin's engine has been from NumPy.
    violations : tuple of Violation
        What violates the data contract, by column; empty without a contract.

    """

    predicted_rows: int
    rejected_rows: int
    resumed: int
    rejected: Path | None
    filled: FilledCells = FilledCells()
    warnings: tuple[str, ...] = ()
    comparison: NumPyDifference | None = None
    violations: tuple[Violation, ...] = ()


def predict_file(
    bundle: Bundle | str | Path,
    source: str | Path,
    target: str | Path,
    *,
    keep: Sequence[str] = (),
    threads: int = 1,
    engine: str | Engine | None = None,
    contract: str = "enforce",
    explain: int = 0,
    against: Against = "reference",
    part_rows: int = PART_ROWS,
    force: bool = False,
    on_progress: Callable[[int], object] = int,
) -> FileResult:
    """Predict every row of a file.

    Parts are written beside the target, each atomically, and merged at the end.
    Rows that do not fit the model's inputs are written to
    ``TARGET.rejected.ndjson`` with row number and reasons; every row of the
    source is in exactly one of the two files.

    Parameters
    ----------
    bundle : Bundle or path-like
        A bundle whose format predicts rows independently, as `packed` does.
    source, target : path-like
        File to read, and file to write.
    keep : sequence of str
        Columns of the source to copy to the output.
    threads : int
        Number of threads, at least 1.
    engine : str or Engine, optional
        How trees are evaluated: ``rows``, ``columns``, or a plugin's engine; chosen by the number
        of rows by default.
    contract : {"enforce", "report", "ignore"}
        What happens to rows that violate the data contract of the bundle, if it has one:
        they are rejected, or predicted and reported, or not checked. With "enforce" nothing is
        written if more cells of a column are missing than the contract allows.
    explain : int
        Columns of each row that are written as reasons, with what they contribute: see
        `Bundle.explain`.
    against : {"reference", "training"}
        What predictions are compared with where they are explained.
    part_rows : int
        Rows of a part, at least 1.
    force : bool
        Overwrite a target that exists; a run that was interrupted continues without it.
    on_progress : callable
        Called with the number of rows of each part.

    Returns
    -------
    FileResult
        Number of rows predicted and rejected.

    Raises
    ------
    BundleError
        If the bundle's format predicts no files.
    DataError
        If the source cannot be read.
    NotApplicable
        If predictions are to be explained, and the model has no explanations.
    SchemaViolation
        If more cells of a column are missing than the data contract allows, or dates are in
        the other order than the model's.
    UsageError
        If the target exists or cannot be written, or a number is out of its range.
    PluginFailed
        If an engine predicts other values than the model; nothing is written then.

    """
    bundle = bundle if isinstance(bundle, Bundle) else open_bundle(bundle)
    source, target = Path(source), Path(target)
    _check_files(source, target)
    threads, part_rows = _at_least_one("threads", threads), _at_least_one("part_rows", part_rows)
    keep = [keep] if isinstance(keep, str) else list(keep)
    if isinstance(engine, str) and engine not in ("rows", "columns"):
        engine = load_engine(engine)
    model = servable_model(bundle.predictor, str(bundle.path), bundle.manifest.format)
    if isinstance(engine, Engine) and not isinstance(model, PackedModel):
        raise UsageError(
            f"an engine needs a packed model; the format of {bundle.path} is "
            f"{bundle.manifest.format}"
        )
    targets = bundle.targets if bundle.manifest.task == "multioutput" else ()
    _check_kept_columns(keep, model.classes, targets)
    reasons = Reasons.of(bundle, explain, against)
    reasons.check_kept_columns(keep)
    checker = ContractChecker(bundle.input_contract, contract, model.inputs)
    read_file = functools.partial(
        read_chunks, source, model.inputs, keep, part_rows, bundle.manifest.schema.csv
    )
    order_checker = DateOrderChecker(model.inputs, read_file)

    def check(chunk: Chunk, part: Path, rejected: RejectedRows) -> None:
        order_checker.check(chunk, rejected)
        checker.check(chunk, part, rejected)

    chunks = read_file()
    # read before anything is created, so that an invalid file leaves nothing behind
    first_chunk = next(chunks, None)
    if first_chunk is None:
        raise DataError(f"{source} has no rows")
    options: dict[str, Any] = {"threads": threads, "engine": engine}
    compared: list[NumPyDifference] = []
    if isinstance(engine, Engine):
        options["on_compared"] = compared.append
    job = describe_job(bundle, source, keep, part_rows, engine, contract, reasons.description)
    with lock_parts(target, job, force=force) as folder:
        parts, resumed = [], 0
        for index, chunk in enumerate(itertools.chain([first_chunk], chunks)):
            part = folder / f"{index:08d}.arrow"
            if part.exists():
                resumed += chunk.count
            else:
                _write_predictions(
                    model, bundle.manifest, chunk, keep, options, part, check, reasons
                )
                if isinstance(engine, Engine):
                    options["compare_rows"] = COMPARED_LATER
            parts.append(part)
            on_progress(chunk.count)
        violations = checker.judge(parts, folder)
        # rejected rows first: if the output file exists, the run is complete
        rejected, refused = join_rejected(parts, target)
        answered = merge_parts(parts, target)
        filled = sum((_read_filled(part) for part in parts), FilledCells())
        shutil.rmtree(folder)
    warnings = tuple(filled.warnings(model.inputs, bundle.never_missing))
    comparison = functools.reduce(operator.add, compared) if compared else None
    return FileResult(
        answered, refused, resumed, rejected, filled, warnings, comparison, violations
    )


def _at_least_one(label: str, number: int) -> int:
    try:
        whole = operator.index(number)
    except TypeError:
        whole = 0
    if whole < 1:
        raise UsageError(f"{label} is {number!r}, expected a whole number from 1")
    return whole


def _check_files(source: Path, target: Path) -> None:
    if target.suffix.lower() not in OUTPUTS:
        raise UsageError(f"{target} ends in {target.suffix!r}; expected {', '.join(OUTPUTS)}")
    if source.resolve() == target.resolve():
        raise UsageError("the predictions would overwrite the source; choose another output file")


def _check_kept_columns(
    keep: Sequence[str], classes: Sequence[Any], targets: Sequence[str]
) -> None:
    reserved = {"row", "label", "value", "score", "margin", "low", "high", "set"}
    reserved |= {f"score_{name}" for name in classes} | {*value_columns(targets)}
    reserved |= {f"margin_{k}" for k in range(len(classes) ** 2)}
    for name in keep:
        if name in reserved:
            raise UsageError(
                f"column {name} cannot be kept: the output has a column of that name; rename yours"
            )


def _write_predictions(
    model: Model,
    manifest: Manifest,
    chunk: Chunk,
    keep: Sequence[str],
    options: dict[str, Any],
    part: Path,
    check: Callable[[Chunk, Path, RejectedRows], None],
    explain: Reasons,
) -> None:
    """Write a part; its rejected rows first, so that an existing part is complete."""
    rejected = RejectedRows()
    output = model.predict(chunk.columns, rejected=rejected, **options)
    output = output if manifest.region is None else manifest.region.attach(output)
    check(chunk, part, rejected)
    reasons = {
        int(chunk.numbers[row]): [message.replace(f" in row {row}", "") for message in messages]
        for row, messages in rejected.reasons.items()
    }
    reasons |= {
        row: [message.replace(f" in row {row}", "")] for row, message in chunk.malformed.items()
    }
    lines = [json.dumps({"row": row, "reasons": reasons[row]}) for row in sorted(reasons)]
    write_file(part.with_suffix(".rejected"), "".join(line + "\n" for line in lines).encode())
    filled = count_filled(
        model.inputs, chunk.columns, rejected.cells, len(chunk.numbers), rejected.reasons
    )
    write_file(part.with_suffix(".filled"), msgspec.json.encode(filled))
    accepted = np.ones(len(chunk.numbers), bool)
    accepted[list(rejected.reasons)] = False
    kept_columns = {name: _select_column(chunk.columns, name, accepted) for name in keep}
    columns = output.columns(model.classes, manifest.schema.targets)
    predictions = {name: column[accepted] for name, column in columns.items()}
    explained = explain.columns(rejected.cells, np.flatnonzero(accepted), output.label)
    write_part(part, {"row": chunk.numbers[accepted], **kept_columns, **predictions, **explained})


def _read_filled(part: Path) -> FilledCells:
    return msgspec.json.decode(part.with_suffix(".filled").read_bytes(), type=FilledCells)


def _select_column(
    columns: Mapping[str, Any] | list[dict[str, Any]], name: str, accepted: np.ndarray
) -> pa.Array | pa.ChunkedArray:
    """Return a column of the accepted rows; a column of mixed types becomes text."""
    if isinstance(columns, list):
        cells = [record.get(name) for record in columns]
        try:
            values = pa.array(cells)
        except (pa.ArrowInvalid, pa.ArrowTypeError):  # strings and numbers
            values = pa.array([None if cell is None else str(cell) for cell in cells])
    else:
        values = columns[name]
        values = values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values)
    return values.filter(pa.array(accepted))
