"""Changes packed models at random, makes their digests right, and opens and asks them.

Run as ``python -m tests.models.packed.mutations SEED COUNT``; prints how many were
refused, answered, and everything that is neither, as JSON. A signal or a hang
is the caller's to see.
"""

from __future__ import annotations

import hashlib
import json
import random
import resource
import sys
import time
import warnings
from typing import Any

import msgspec
import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import lockgate
from lockgate.data.columns.inputs import ColumnInput
from lockgate.models.converters.convert import pack_estimator
from lockgate.models.converters.tree_arrays import add_forest
from lockgate.models.packed.format import container
from lockgate.models.packed.format.header import Answers, decode
from lockgate.models.packed.format.writer import Builder
from lockgate.models.packed.runtime.model import PackedModel
from tests.array_backends import STRICT
from tests.models.packed.test_engines import random_grove
from tests.models.packing import zoo

FAMILIES = (
    "logistic of three",
    "rare categories",
    "encoded numbers",
    "target encoder",
    "products",
    "svc of three",
    "network",
    "forest",
    "tree with gaps",
    "boosting with categories",
    "boosting of three",
    "isotonic of three",
    "hard votes",
    "stack",
    "clusters",
    "normalized rows",
    "ada boost of three",
    "bayes",
    "logarithm of the target",
)
NUMBERS = [
    0,
    1,
    -1,
    2,
    3,
    7,
    255,
    256,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32,
    2**40,
    2**63 - 1,
    -(2**31),
    0.5,
    -0.0,
    1e308,
    -1e308,
    1e-320,
]
RAW_WORDS = [b"\0" * 8, b"\xff" * 8, b"\x7f\xf0\0\0\0\0\0\0"[::-1], b"\x7f\xf8\0\0\0\0\0\0"[::-1]]


def originals() -> list[bytes]:
    """Pack one model of each family, small ones: mutations then hit something."""
    frame = zoo.frame_of(150)
    made = [pack_estimator(zoo.fitted(name, frame), zoo.inputs(frame)).raw for name in FAMILIES]
    texts = ["late order", "good pizza", "late pizza", "order good order"] * 3
    for vectorizer in (TfidfVectorizer(), HashingVectorizer(n_features=32)):
        model = make_pipeline(vectorizer, LogisticRegression()).fit(texts, [0, 1, 0, 1] * 3)
        made.append(pack_estimator(model, [ColumnInput("text", "text")]).raw)
    for seed, leaves in ((1, 9), (2, 80)):
        grove = random_grove(np.random.default_rng(seed), 4, leaves, 3, 2, 2)
        builder = Builder([ColumnInput(f"x{k}", "number") for k in range(3)])
        from lockgate.models.packed.format import numeric, outputs

        x = builder.add(numeric.Numbers, columns=(0, 1, 2))
        op = add_forest(builder, x, grove, 2)
        label = builder.add(outputs.ArgMax, op)
        made.append(builder.finish("binary", ("a", "b"), Answers(label, None, op)))
    return made


def mutated(raw: bytes, rng: random.Random) -> bytes:
    """Change array bytes, header values, or the front; digests are made right."""
    text, start = container.read_header(raw)
    header = json.loads(text)
    arrays = {
        name: bytearray(raw[start + e["offset"] : start + e["offset"] + array_size(e)])
        for name, e in header["arrays"].items()
    }
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        if arrays and rng.random() < 0.5:
            _change_array(arrays, header, rng)
        else:
            _change_header(header, rng)
    return write_packed(header, arrays)


def array_size(entry: dict[str, Any]) -> int:
    return int(np.prod(entry["shape"])) * container.DTYPES[entry["dtype"]].itemsize


def _change_array(arrays: dict[str, bytearray], header: Any, rng: random.Random) -> None:
    name = rng.choice(list(arrays))
    raw = arrays[name]
    way = rng.randrange(5)
    if way == 0 and raw:
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    elif way == 1 and raw:
        at = rng.randrange(len(raw)) // 8 * 8
        word = rng.choice(RAW_WORDS)
        raw[at : at + 8] = word[: len(raw[at : at + 8])]
    elif way == 2 and raw:
        at = rng.randrange(len(raw))
        raw[at] = rng.randrange(256)
    elif way == 3:
        other = rng.choice(list(arrays))
        header["arrays"][name] = dict(header["arrays"][other])
        arrays[name] = bytearray(arrays[other])
    else:
        entry = header["arrays"].get(name)
        if entry and entry["shape"] and entry["shape"][0] > 1:
            entry["shape"][0] -= 1
            del raw[array_size(entry) :]


def _change_header(header: dict[str, Any], rng: random.Random) -> None:
    place: Any = header
    path = []
    for _ in range(12):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        keys = [key for key in keys if not (place is header and key in ("arrays", "format"))]
        if not keys:
            return
        key = rng.choice(keys)
        path.append(key)
        if isinstance(place[key], (dict, list)) and place[key] and rng.random() < 0.85:
            place = place[key]
            continue
        break
    else:
        return
    old = place[key]
    way = rng.randrange(6)
    if way == 0 and isinstance(place, list):
        place.insert(rng.randrange(len(place) + 1), old)
    elif way == 1:
        del place[key]
    elif way == 2 and isinstance(old, str):
        place[key] = rng.choice([*header["arrays"], "", "x" * 50, old[::-1]])
    elif way == 3 and isinstance(old, (int, float)):
        place[key] = old + rng.choice([1, -1])
    elif way == 4 and isinstance(place, list) and len(place) > 1:
        rng.shuffle(place)
    else:
        place[key] = rng.choice([*NUMBERS, None, True, "", [], {}])


def write_packed(header: dict[str, Any], arrays: dict[str, bytearray]) -> bytes:
    entries, body, at = {}, b"", 0
    listed = header.get("arrays", {})
    for name, raw in arrays.items():
        if name not in listed:
            continue
        entries[name] = {
            **listed[name],
            "offset": at,
            "sha256": hashlib.sha256(bytes(raw)).hexdigest(),
        }
        body += bytes(-len(body) % container.ALIGN) + bytes(raw)
        at = len(body) + (-len(body) % container.ALIGN)
    header["arrays"] = entries
    text = msgspec.json.encode(header, order="sorted")
    front = container.MAGIC + len(text).to_bytes(8, "little") + hashlib.sha256(text).digest() + text
    return front + bytes(-len(front) % container.ALIGN) + body


def row_of(one: Any, rng: random.Random) -> Any:
    """A cell that the input may hold."""
    if one.kind == "category":
        return rng.choice([*one.categories[:5], "new", None])
    if one.kind == "text":
        return "late order of good pizza"
    if one.kind == "date":
        return "2026-11-23"
    return rng.choice([0.0, 1.0, -3.5, 1e300, 12.0, None])


def asked(raw: bytes, rng: random.Random) -> str:
    """Open a file and ask it in every way; say what came of it."""
    try:
        model = PackedModel(raw)
    except lockgate.PackedFormatError:
        return "refused"
    rows = [{one.name: row_of(one, rng) for one in model.inputs} for _ in range(3)]
    ways = [{"engine": "rows"}, {"engine": "columns"}]
    if not any(one.kind == "text" for one in model.inputs):
        ways.append({"backend": STRICT})
    for way in ways:
        try:
            model.predict(rows, **way)
        except lockgate.SchemaViolation:
            return "row refused"
    return "answered"


def main(seed: int, count: int) -> dict[str, Any]:
    """Try that many mutations."""
    warnings.simplefilter("ignore")
    found: dict[str, Any] = {"strange": [], "slowest": 0.0}
    base = originals()
    for one in base:
        decode(one)
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    for k in range(count):
        rng = random.Random(seed * 1_000_003 + k)
        raw = mutated(rng.choice(base), rng)
        started = time.perf_counter()
        try:
            word = asked(raw, rng)
        except BaseException as error:
            word = "strange"
            found["strange"].append(f"{seed}:{k}: {type(error).__name__}: {error}"[:300])
        found["slowest"] = max(found["slowest"], time.perf_counter() - started)
        if word != "strange":
            found[word] = found.get(word, 0) + 1
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))) + "\n")
