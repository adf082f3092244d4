"""A packed model that is read and written again is the same, to the byte."""

import numpy as np
import pytest

import lockgate
from lockgate.models.converters.convert import pack_estimator
from lockgate.models.packed.runtime.model import PackedModel
from tests.models.packing import zoo

ROWS = zoo.frame_of(200)
NAMES = [name for number, name in enumerate(zoo.MODELS) if number % 4 == 0]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", NAMES)
def test_reading_and_writing_changes_nothing(name: str) -> None:
    raw = pack_estimator(zoo.fitted(name, ROWS), zoo.inputs(ROWS)).raw
    assert lockgate.PackedContent.read(raw).write() == raw


def test_changed_arrays_change_predictions() -> None:
    raw = pack_estimator(zoo.fitted("linear", ROWS), zoo.inputs(ROWS)).raw
    content = lockgate.PackedContent.read(raw)
    ((index, op),) = content.operations("linear")
    shifted = content.with_arrays({op.bias: content.arrays[op.bias] + 1.0})
    before, after = (PackedModel(part).predict(ROWS).label for part in (raw, shifted.write()))
    np.testing.assert_allclose(after, before + 1.0)
    same = content.with_operations({index: op})
    assert same.write() == raw
    noted = lockgate.PackedContent.read(content.with_step("nothing", raw).write())
    assert [step["step"] for step in noted.header.derived] == ["nothing"]


def test_arrays_that_do_not_exist_or_fit_are_refused() -> None:
    raw = pack_estimator(zoo.fitted("linear", ROWS), zoo.inputs(ROWS)).raw
    content = lockgate.PackedContent.read(raw)
    with pytest.raises(lockgate.PackedFormatError, match="the model has no array q"):
        content.with_arrays({"q": [1.0]})
    ((_, op),) = content.operations("linear")
    with pytest.raises(lockgate.PackedFormatError):
        content.with_arrays({op.weights: [[1.0]]}).write()
