"""A prediction log of every released schema keeps opening, and keeps its rows."""

import json
import shutil
from pathlib import Path

import pytest

from lockgate.prediction_log.reader import find_labels, find_prediction
from lockgate.prediction_log.segments import list_segments
from lockgate.prediction_log.writer import LogWriter
from tests.golden.make_log import FOLDER, WRITER, content


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A copy: SQLite writes beside a file that it reads."""
    return Path(shutil.copytree(FOLDER / "log", tmp_path / "log"))


def test_a_golden_log_holds_what_was_written_to_it(log: Path) -> None:
    assert content(log) == json.loads((FOLDER / "log.json").read_text())


def test_answers_and_labels_of_a_golden_log_are_found_by_id(log: Path) -> None:
    assert len(list(list_segments(log, WRITER))) >= 2
    for count, version in ((1, "1.0.0"), (3, "1.0.0"), (10, "1.1.0"), (12, "2"), (0x1F000, "2")):
        answer = find_prediction(log, WRITER, count)
        assert answer is not None
        assert (answer.entry.count, answer.model.version) == (count, version)
    assert [label.label for label in find_labels(log, WRITER, 1, "17")] == [1, 0]


def test_a_golden_log_is_continued(log: Path) -> None:
    answer = find_prediction(log, WRITER, 1)
    assert answer is not None
    writer = LogWriter(log, WRITER)
    writer.write([(answer.model, [answer.entry.__class__(0x20000, 0, [1, "plus"], 1)])])
    writer.close()
    before = json.loads((FOLDER / "log.json").read_text())["answers"]
    after = content(log)["answers"]
    assert after[:-1] == before
    assert after[-1]["id"] == f"{WRITER}-20000"
