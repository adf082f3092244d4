"""Files of every released version of the format keep opening, and keep their answers to the bit."""

import json
from pathlib import Path

import pytest

from lockgate.models.packed.runtime.open import open_packed
from tests.golden.make import PLACE, answers

FILES = sorted(PLACE.glob("*.packed"))


def test_there_are_golden_files() -> None:
    assert len(FILES) >= 18


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_file_answers_as_when_it_was_written(path: Path) -> None:
    rows = json.loads((PLACE / "rows.json").read_text())
    model = open_packed(path)
    assert answers(model, rows) == json.loads(path.with_suffix(".json").read_text())
