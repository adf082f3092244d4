"""Answers a whole file part by part; a run that was killed goes on where it stopped."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from lockgate.batch.output_files import OUTPUTS, answer_columns, merge_parts, write_part
from lockgate.data.columns.rejections import RejectedRows
from lockgate.data.io.atomic import write_file
from lockgate.data.io.chunks import Chunk
from lockgate.data.io.files import chunks_of
from lockgate.errors import BundleError, DataError, UsageError

__all__ = ["FileResult", "predict_file"]

PART_ROWS = 1 << 16
"""Rows of a part: what is lost at most when a run is killed."""


class _Job(msgspec.Struct, frozen=True):
    """What has to be the same for parts of an earlier run to be used."""

    bundle: str
    source: str
    size: int
    modified: int
    ends: str
    keep: list[str]
    rows: int


@dataclasses.dataclass(frozen=True)
class FileResult:
    """What came of a file.

    Attributes
    ----------
    answered, refused : int
        Rows with an answer, and rows in the side file.
    resumed : int
        Rows that an earlier run had answered or refused.
    rejected : pathlib.Path or None
        The side file, where there is one.

    """

    answered: int
    refused: int
    resumed: int
    rejected: Path | None


def predict_file(
    bundle: Any,
    source: Path,
    target: Path,
    *,
    keep: Sequence[str] = (),
    threads: int = 1,
    engine: Any = None,
    part_rows: int = PART_ROWS,
    done: Callable[[int], object] = int,
) -> FileResult:
    """Answer for every row of a file.

    Parts are written beside the target and renamed when they are whole; at the
    end they become one file. Rows that the model's inputs refuse go to
    ``TARGET.rejected.ndjson`` with row number and reasons; every row of the
    source is in one of the two files, once.

    Parameters
    ----------
    bundle : Bundle
        Of the format packed.
    source, target : pathlib.Path
        What to read and to write.
    keep : sequence of str
        Columns to copy beside the answers.
    threads : int
        Threads to compute with.
    engine : Engine, optional
        Another way of walking trees.
    part_rows : int
        Rows of a part.
    done : callable
        Told how many rows each part covered.

    Raises
    ------
    DataError, UsageError
        If files cannot be read or written as asked.

    """
    model = getattr(bundle.predictor, "model", None)
    if model is None:
        raise BundleError("offline prediction needs a bundle of the format packed")
    if target.suffix.lower() not in OUTPUTS:
        raise UsageError(f"{target} ends in {target.suffix!r}; expected {', '.join(OUTPUTS)}")
    if source.resolve() == target.resolve():
        raise UsageError("the answers would overwrite the rows; choose another file")
    _check_kept(keep, model.classes)
    chunks = chunks_of(source, model.inputs, keep, part_rows)
    first = next(chunks, None)  # whatever is wrong with the file is said before anything is made
    if first is None:
        raise DataError(f"{source} has no rows")
    folder = target.with_name(f"{target.name}.parts")
    with _prepared(folder, _job(bundle, source, keep, part_rows)):
        names, resumed = [], 0
        for place, chunk in enumerate(itertools.chain([first], chunks)):
            part = folder / f"{place:08d}.arrow"
            if part.exists():
                resumed += chunk.count
            else:
                _answer(model, chunk, keep, {"threads": threads, "engine": engine}, part)
            names.append(part)
            done(chunk.count)
        # the side file first: an answers' file that is there means that all is done
        rejected, refused = _join_rejected(names, target)
        answered = merge_parts(names, target)
        shutil.rmtree(folder)
    return FileResult(answered, refused, resumed, rejected)


def _check_kept(keep: Sequence[str], classes: Sequence[Any]) -> None:
    taken = {"row", "label", "score", *(f"score_{name}" for name in classes)}
    for name in keep:
        if name in taken:
            raise UsageError(f"--keep {name}: the answers have a column of that name; rename yours")


def _job(bundle: Any, source: Path, keep: Sequence[str], part_rows: int) -> _Job:
    if not source.is_file():
        raise DataError(f"{source} is not there, or is no file")
    state = source.stat()
    digest = hashlib.sha256()
    with source.open("rb") as file:
        digest.update(file.read(1 << 20))
        file.seek(max(0, state.st_size - (1 << 20)))
        digest.update(file.read())
    return _Job(
        bundle.digest,
        str(source.resolve()),
        state.st_size,
        state.st_mtime_ns,
        digest.hexdigest(),
        list(keep),
        part_rows,
    )


@contextlib.contextmanager
def _prepared(folder: Path, job: _Job) -> Iterator[None]:
    """Keep parts of the same job and nothing else, and let no other run touch them."""
    note = folder / "job.json"
    if folder.exists() and not note.is_file() and any(folder.iterdir()):
        raise UsageError(f"{folder} is there and not ours; move it away")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"another run is writing {folder}; wait for it") from None
        wanted = msgspec.json.encode(job)
        if note.is_file() and note.read_bytes() != wanted:
            shutil.rmtree(folder)
            folder.mkdir()
        if not note.is_file():
            write_file(note, wanted)
        for left in folder.glob("*.new"):
            left.unlink()
        try:
            yield
        finally:
            Path(lock.name).unlink()


def _answer(model: Any, chunk: Chunk, keep: Sequence[str], how: dict[str, Any], part: Path) -> None:
    """Write a part; its refused rows first, so that a part that is there is complete."""
    rejected = RejectedRows()
    output = model.predict(chunk.columns, rejected=rejected, **how)
    reasons = {
        int(chunk.numbers[row]): [one.replace(f" in row {row}", "") for one in words]
        for row, words in rejected.reasons.items()
    }
    reasons |= {row: [words] for row, words in chunk.malformed.items()}
    lines = [json.dumps({"row": row, "reasons": reasons[row]}) for row in sorted(reasons)]
    write_file(part.with_suffix(".rejected"), "".join(line + "\n" for line in lines).encode())
    good = np.ones(len(chunk.numbers), bool)
    good[list(rejected.reasons)] = False
    kept = {name: _taken(chunk.columns, name, good) for name in keep}
    answers = answer_columns(output, model.classes, chunk.numbers, {})
    columns = {name: np.asarray(one)[good] for name, one in answers.items()}
    write_part(part, {"row": columns.pop("row"), **kept, **columns})


def _taken(columns: Any, name: str, good: np.ndarray) -> Any:
    import pyarrow as pa

    if isinstance(columns, list):
        listed = [record.get(name) for record in columns]
        try:
            values = pa.array(listed)
        except (pa.ArrowInvalid, pa.ArrowTypeError):  # texts beside numbers
            values = pa.array([None if one is None else str(one) for one in listed])
    else:
        values = columns[name]
        values = values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values)
    return values.filter(pa.array(good))


def _join_rejected(parts: Sequence[Path], target: Path) -> tuple[Path | None, int]:
    place = target.with_name(f"{target.name}.rejected.ndjson")
    beside = place.with_name(f".{place.name}.new")
    count = 0
    with beside.open("wb") as file:
        for part in parts:
            raw = part.with_suffix(".rejected").read_bytes()
            count += raw.count(b"\n")
            file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    if count:
        beside.replace(place)
        return place, count
    beside.unlink()
    place.unlink(missing_ok=True)
    return None, 0
