"""A file that is not exactly as it was written is refused, with one error, before it is used."""

import hashlib
import json

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lockgate
from lockgate.models.converters.convert import pack_estimator
from lockgate.models.packed.format import container
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.models.packed.runtime.open import open_packed
from tests.models.packing import zoo


@pytest.fixture(scope="module")
def raw() -> bytes:
    frame = zoo.frame_of(200)
    return pack_estimator(zoo.fitted("boosting", frame), zoo.inputs(frame)).raw


def remade(raw: bytes, change: object) -> bytes:
    """Change the header and make its digest right again."""
    text, start = container.read_header(raw)
    header = json.loads(text)
    change(header)
    made = msgspec.json.encode(header, order="sorted")
    front = container.MAGIC + len(made).to_bytes(8, "little") + hashlib.sha256(made).digest() + made
    return front + bytes(-len(front) % container.ALIGN) + raw[start:]


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_changed_bit_anywhere_is_refused(raw: bytes, place: float, bit: int) -> None:
    changed = bytearray(raw)
    changed[int(place * len(raw))] ^= 1 << bit
    with pytest.raises(lockgate.PackedFormatError):
        PackedModel(bytes(changed))


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_off_is_refused(raw: bytes, share: float) -> None:
    with pytest.raises(lockgate.PackedFormatError):
        PackedModel(raw[: int(share * len(raw))])


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(noise: bytes) -> None:
    for made in (noise, container.MAGIC + noise, container.MAGIC + bytes(8) + noise):
        with pytest.raises(lockgate.PackedFormatError):
            PackedModel(made)


def test_something_after_the_last_array_is_refused(raw: bytes) -> None:
    with pytest.raises(lockgate.PackedFormatError, match="bytes after the last array"):
        PackedModel(raw + b"\0")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda h: h.update(min_reader=2), "needs reader version 2, this is version 1; upgrade"),
        (lambda h: h["ops"].append({"op": "oracle", "of": []}), "uses oracle; it needs reader"),
        (lambda h: h.update(format="onnx"), "its format is 'onnx'"),
        (lambda h: h.update(version=2), "its version is 2"),
        (lambda h: h.update(surprise=1), "surprise"),
        (lambda h: h.update(task="guess"), "unknown task 'guess'"),
        (lambda h: h.update(classes=["yes", "yes"]), "is duplicated"),
        (lambda h: h.update(classes=[]), "0 classes do not fit task binary"),
        (lambda h: h["answers"].update(label=99), "label refers to an unknown operation"),
        (lambda h: h["answers"].update(label=-1), "label refers to an unknown operation"),
        (lambda h: h["ops"][1].update(of=[5]), "takes a later operation"),
        (
            lambda h: h["ops"].insert(0, {"op": "numbers", "of": [], "columns": [99]}),
            "not used by the prediction",
        ),
        (lambda h: h["inputs"][0].update(kind="picture"), "has kind 'picture'; available: number"),
        (lambda h: h["inputs"].append(h["inputs"][0]), "is duplicated"),
        (lambda h: h["arrays"]["a0000"].update(dtype="O"), "dtype 'O'"),
        (lambda h: h["arrays"]["a0000"].update(shape=[1 << 40]), "invalid shape"),
        (lambda h: h["arrays"]["a0000"].update(shape=[-1]), "invalid shape"),
        (lambda h: h["arrays"]["a0001"].update(offset=0), "has offset 0, expected"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(raw: bytes, change: object, words: str) -> None:
    with pytest.raises(lockgate.PackedFormatError, match=words):
        PackedModel(remade(raw, change))


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: object) -> None:
    path = tmp_path / "m"
    with path.open("wb") as file:
        file.truncate(container.LARGEST_FILE + 1)
    with pytest.raises(lockgate.PackedFormatError, match="too large: at most"):
        open_packed(path)
    with pytest.raises(lockgate.PackedFormatError, match="cannot be read"):
        open_packed(tmp_path / "none")


def test_equal_models_give_equal_bytes_and_other_seeds_do_not() -> None:
    frame = zoo.frame_of(300)
    made = [
        pack_estimator(zoo.fitted("forest with gaps", frame), zoo.inputs(frame)).raw
        for _ in range(2)
    ]
    assert made[0] == made[1]
    model = zoo.fitted("forest with gaps", frame)
    model.set_params(randomforestclassifier__random_state=1)
    model.fit(frame, zoo.targets(frame)["two"])
    assert pack_estimator(model, zoo.inputs(frame)).raw != made[0]


def test_arrays_are_views_of_the_file_and_cannot_be_written(raw: bytes) -> None:
    model = PackedModel(raw)
    assert all(not one.flags.writeable for one in model.arrays.values())
    assert all(isinstance(one.base, (np.ndarray, memoryview)) for one in model.arrays.values())


def test_a_small_file_cannot_ask_for_much() -> None:
    from lockgate.data.columns.inputs import ColumnInput
    from lockgate.models.packed.format import numeric
    from lockgate.models.packed.format.header import Answers
    from lockgate.models.packed.format.writer import Builder

    builder = Builder([ColumnInput("x", "number")])
    op = builder.add(numeric.Numbers, columns=(0,))
    for k in range(1500):
        op = builder.add(numeric.Apply, op, function="negate" if k % 2 else "abs")
    model = PackedModel(builder.finish("regression", (), Answers(op)))
    assert model.predict_one({"x": -3.0}).label == -3.0

    wide = zoo.frame_of(400)
    forest = pack_estimator(zoo.fitted("forest with gaps", wide), zoo.inputs(wide)).raw

    def shared(header: dict) -> None:
        place = next(k for k, one in enumerate(header["ops"]) if one["op"] == "forest")
        many = [dict(header["ops"][place], divide=k + 1) for k in range(2000)]
        first = len(header["ops"])
        header["ops"] += [
            *many,
            {"op": "concat", "of": [first + k for k in range(2000)]},
            {"op": "argmax", "of": [first + 2000]},
        ]
        header["answers"] = {"label": first + 2001}

    with pytest.raises(
        lockgate.PackedFormatError, match="not used by the prediction|used too many times"
    ):
        PackedModel(remade(forest, shared))


def test_an_idle_operation_is_refused(raw: bytes) -> None:
    idle = {"op": "numbers", "of": [], "columns": [0, 1]}
    with pytest.raises(lockgate.PackedFormatError, match="not used by the prediction"):
        PackedModel(remade(raw, lambda header: header["ops"].append(idle)))
