"""The parts of a file that is predicted: locked, and reused by a run that goes on with them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from lockgate.batch.date_order import OtherDateOrder
from lockgate.contract.conversion import Engine
from lockgate.data.io.atomic import write_file
from lockgate.errors import DataError, PluginFailed, UsageError
from lockgate.models.bundle.open import Bundle

__all__ = ["Job", "describe_job", "join_rejected", "lock_parts", "parts_folder", "rejected_file"]


class Job(msgspec.Struct, frozen=True):
    """Everything that must be equal for the parts of an earlier run to be reused."""

    bundle: str
    source: str
    size: int
    modified: int
    ends: str
    keep: list[str]
    rows: int
    engine: str
    contract: str
    reasons: str


def parts_folder(target: Path) -> Path:
    """Return the folder of the parts of an output file."""
    return target.with_name(f"{target.name}.parts")


def rejected_file(target: Path) -> Path:
    """Return the file of the rejected rows of an output file."""
    return target.with_name(f"{target.name}.rejected.ndjson")


def describe_job(
    bundle: Bundle,
    source: Path,
    keep: Sequence[str],
    part_rows: int,
    engine: str | Engine | None,
    contract: str,
    reasons: str,
) -> Job:
    """Describe a run; parts of one with the same description may be reused."""
    if not source.is_file():
        raise DataError(f"{source} is not a file")
    state = source.stat()
    # both ends instead of the whole file, which may be very large
    digest = hashlib.sha256()
    with source.open("rb") as file:
        digest.update(file.read(1 << 20))
        file.seek(max(0, state.st_size - (1 << 20)))
        digest.update(file.read())
    return Job(
        bundle.digest,
        str(source.resolve()),
        state.st_size,
        state.st_mtime_ns,
        digest.hexdigest(),
        list(keep),
        part_rows,
        # parts of a plugin's engine are not reused: its name does not say what computed them
        uuid.uuid4().hex if isinstance(engine, Engine) else "",
        contract,
        reasons,
    )


@contextlib.contextmanager
def lock_parts(target: Path, job: Job, *, force: bool) -> Iterator[Path]:
    """Keep the parts of the same job, remove others, exclude other runs, and give their folder.

    Only a run that goes on with its own parts, or one that is forced, overwrites `target` and the
    file of its rejected rows.
    """
    folder = parts_folder(target)
    job_file = folder / "job.json"
    expected = msgspec.json.encode(job)
    goes_on = job_file.is_file() and job_file.read_bytes() == expected
    for path in (target, rejected_file(target)):
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is not a file; choose another output file")
        if path.exists() and not force and not goes_on:
            raise UsageError(
                f"{path} already exists: choose another output file, or overwrite it (force)"
            )
    if folder.exists() and not job_file.is_file() and any(folder.iterdir()):
        raise UsageError(f"{folder} exists and is not a folder of parts; move it away")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"another run is writing {folder}; wait for it") from None
        if job_file.is_file() and job_file.read_bytes() != expected:
            shutil.rmtree(folder)
            folder.mkdir()
        if not job_file.is_file():
            write_file(job_file, expected)
        for leftover in folder.glob("*.new"):
            leftover.unlink()
        try:
            yield folder
        except (OtherDateOrder, PluginFailed):
            # no part of a plugin that errs may be reused, or of a file that is read otherwise
            shutil.rmtree(folder)
            raise
        finally:
            Path(lock.name).unlink()


def join_rejected(parts: Sequence[Path], target: Path) -> tuple[Path | None, int]:
    """Write the rejected rows of all parts to one file; no file if there are none."""
    path = rejected_file(target)
    temporary_path = path.with_name(f".{path.name}.new")
    count = 0
    with temporary_path.open("wb") as file:
        for part in parts:
            raw = part.with_suffix(".rejected").read_bytes()
            count += raw.count(b"\n")
            file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    if count:
        temporary_path.replace(path)
        return path, count
    temporary_path.unlink()
    path.unlink(missing_ok=True)
    return None, 0
