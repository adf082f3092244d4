"""Coverage-guided fuzzing of the reader and the engines with atheris.

``python -m tests.soak.fuzzing SECONDS [CORPUS]``: inputs are a header and arrays
without digests, which are made right, so that what is fuzzed lies behind them.
A corpus folder is kept and grown: a run that is interrupted goes on from it.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["lockgate.models.packed"]):
    import lockgate
    from lockgate.models.packed.format import container
    from lockgate.models.packed.runtime.model import PackedModel

from tests.models.packed.mutations import array_size, originals, write_packed


def unwrapped(raw: bytes) -> bytes:
    """Return header and arrays without digests: the form that is fuzzed."""
    text, start = container.read_header(raw)
    header = json.loads(text)
    bodies = {
        name: raw[start + one["offset"] : start + one["offset"] + array_size(one)]
        for name, one in header["arrays"].items()
    }
    for one in header["arrays"].values():
        del one["sha256"], one["offset"]
    front = json.dumps(header, sort_keys=True).encode()
    return len(front).to_bytes(4, "little") + front + b"".join(bodies.values())


def wrapped(data: bytes) -> bytes | None:
    """Return a file with right digests, or None where the header is no mapping."""
    length = int.from_bytes(data[:4], "little")
    try:
        header = json.loads(data[4 : 4 + length])
        entries = header["arrays"]
        at, arrays = 4 + length, {}
        for name, entry in entries.items():
            size = min(array_size(entry), 1 << 20)
            arrays[name] = bytearray(data[at : at + size])
            at += size
        return write_packed(header, arrays)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def ask(data: bytes) -> None:
    """Open and ask: one kind of error, or answers."""
    raw = wrapped(data)
    if raw is None:
        return
    try:
        model = PackedModel(raw)
    except lockgate.PackedFormatError:
        return
    row: dict[str, Any] = {
        one.name: "a b" if one.kind == "text" else "2026-11-23" if one.kind == "date" else 1.0
        for one in model.inputs
    }
    for engine in ("rows", "columns"):
        try:
            model.predict([row, row], engine=engine)
        except lockgate.SchemaViolation:
            return


def main() -> None:
    warnings.simplefilter("ignore")
    seconds = sys.argv[1]
    corpus = Path(sys.argv[2] if len(sys.argv) > 2 else "build/fuzzing")
    corpus.mkdir(parents=True, exist_ok=True)
    for k, raw in enumerate(originals()):
        (corpus / f"original-{k:02d}").write_bytes(unwrapped(raw))
    arguments = [
        sys.argv[0],
        str(corpus),
        f"-max_total_time={seconds}",
        "-timeout=10",
        "-rss_limit_mb=4096",
        "-max_len=60000",
        "-print_final_stats=1",
    ]
    atheris.Setup(arguments, ask)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
