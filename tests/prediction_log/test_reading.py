"""One answer by its id, all of them in order, and what to do with files that are damaged."""

import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.errors import LogError
from lockgate.prediction_log.entries import Model
from lockgate.prediction_log.reader import (
    LoggedPrediction,
    find_labels,
    find_prediction,
    list_models,
    read_labels,
    read_predictions,
)
from lockgate.prediction_log.segments import list_segments
from lockgate.prediction_log.writer import LogWriter
from tests.prediction_log.builders import (
    MODEL,
    START,
    WRITER,
    Clock,
    counts,
    entry,
    several,
    writer_of,
)

OTHER = "bbandonwhat23456"
FEWER = settings(max_examples=settings.default.max_examples // 3)
"""Each example asks scikit-learn, or writes files; `LOCKGATE_PROOF` still multiplies them."""


def test_an_answer_is_found_by_its_id_in_any_file(tmp_path: Path) -> None:
    clock = Clock()
    writer = writer_of(tmp_path, clock)
    for first in (1, 11, 21):
        writer.write([(MODEL, [entry(first + k, score=first + k) for k in range(0, 10, 2)])])
        clock.seconds += 100_000
    assert len(list(list_segments(tmp_path))) == 3
    for count in (1, 9, 11, 15, 21, 29):
        answer = find_prediction(tmp_path, WRITER, count)
        assert answer is not None
        assert (answer.entry.count, answer.entry.score) == (count, count)
    for count in (0, 2, 10, 30, 1 << 40):
        assert find_prediction(tmp_path, WRITER, count) is None
    assert find_prediction(tmp_path, OTHER, 1) is None
    assert find_prediction(tmp_path / "absent", WRITER, 1) is None
    writer.close()


def test_answers_between_two_times_include_the_first_and_not_the_last(tmp_path: Path) -> None:
    clock = Clock()
    writer = writer_of(tmp_path, clock)
    for count in range(1, 6):
        writer.write([(MODEL, [entry(count)])])
        clock.seconds += 60
    at = [(START + 60 * k) * 1_000_000 for k in range(6)]
    assert counts(tmp_path, at[1], at[3]) == [2, 3]
    assert counts(tmp_path, at[1] + 1, at[3] + 1) == [3, 4]
    assert counts(tmp_path, at[5]) == []
    assert counts(tmp_path, until=at[0]) == []
    writer.close()


def test_answers_come_writer_by_writer_in_the_order_of_their_ids(tmp_path: Path) -> None:
    clock = Clock()
    first, second = writer_of(tmp_path, clock), writer_of(tmp_path, clock, OTHER)
    for count in (1, 2, 300):
        second.write([(MODEL, [entry(count)])])
        first.write([(MODEL, [entry(count)])])
        clock.seconds += 90_000
    order = [(answer.writer, answer.entry.count) for answer in read_predictions(tmp_path)]
    assert order == [(name, count) for name in (WRITER, OTHER) for count in (1, 2, 300)]
    first.close()
    second.close()


@FEWER
@given(st.lists(st.sets(st.integers(1, 400), min_size=1, max_size=4), min_size=1, max_size=6))
def test_every_answer_is_found_whatever_counts_a_log_holds(sizes: list[set[int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clock, count, written = Clock(), 0, []
        writer = writer_of(Path(folder), clock)
        for steps in sizes:
            batch = []
            for step in sorted(steps):  # counts rise; some ids are never written down
                count += step
                batch.append(entry(count))
            writer.write([(MODEL, batch)])
            written += [answer.count for answer in batch]
            clock.seconds += 50_000
        assert counts(Path(folder)) == written
        for wanted in written:
            answer = find_prediction(Path(folder), WRITER, wanted)
            assert answer is not None
            assert answer.entry.count == wanted
        writer.close()


def test_rows_of_a_request_have_their_inputs_answers_and_keys() -> None:
    answer = LoggedPrediction(WRITER, 0, MODEL, several(1, 2, key=["a", None]))
    assert list(answer.rows()) == [
        ({"age": 0.0, "plan": "basic"}, 0, 0.0, "a"),
        ({"age": 1.0, "plan": "basic"}, 0, 0.5, None),
    ]
    shared = LoggedPrediction(WRITER, 0, MODEL, several(1, 2, key="k", score=None))
    assert [(score, key) for _, _, score, key in shared.rows()] == [(None, "k"), (None, "k")]
    single = LoggedPrediction(WRITER, 0, MODEL, entry(1, key="k", score=0.5))
    assert list(single.rows()) == [({"age": 30.5, "plan": "plus"}, 1, 0.5, "k")]
    nothing_kept = Model("d" * 64, "churn", "1", "prod", ())
    bare = LoggedPrediction(WRITER, 0, nothing_kept, several(1, 2, inputs=[]))
    assert [inputs for inputs, *_ in bare.rows()] == [{}, {}]


def test_labels_of_an_answer_come_by_id_and_by_key_the_latest_last(tmp_path: Path) -> None:
    clock = Clock()
    writer = writer_of(tmp_path, clock, f"{WRITER}-labels")
    for row in [
        ("", 0, 0, "17", 0, "by key"),
        (WRITER, 5, 0, None, 1, "by id"),
        (WRITER, 6, 0, None, 1, "of another"),
        ("", 0, 0, 17.0, 1, "by number"),
        (OTHER, 5, 0, None, 1, "of another writer"),
        ("", 0, 0, "170", 1, "by another key"),
        (OTHER, 6, 0, "17", 1, "of another writer, with a key"),
    ]:
        writer.write_labels([row])
        clock.seconds += 1
    by = [label.by for label in find_labels(tmp_path, WRITER, 5, 17)]
    assert by == ["by key", "by id", "by number"]
    assert [label.by for label in find_labels(tmp_path, WRITER, 5)] == ["by id"]
    assert find_labels(tmp_path, WRITER, 7) == []
    assert len(list(read_labels(tmp_path))) == 7
    assert counts(tmp_path) == []
    writer.close()


@pytest.mark.parametrize("value", [1, 0.1 + 0.2, True, "yes", "ü\x00"])
def test_a_label_keeps_its_type(value: object, tmp_path: Path) -> None:
    writer = writer_of(tmp_path, Clock())
    writer.write_labels([(WRITER, 1, 2, None, value, "me")])
    (label,) = read_labels(tmp_path)
    assert (label.label, type(label.label)) == (value, type(value))
    assert (label.writer, label.count, label.row, label.key) == (WRITER, 1, 2, None)
    assert (label.at, label.by) == (START * 1_000_000, "me")
    writer.close()


def test_models_are_known_in_the_order_of_the_files(tmp_path: Path) -> None:
    clock = Clock()
    writer = writer_of(tmp_path, clock)
    versions = ["3", "1", "3", "2"]
    for count, version in enumerate(versions, 1):
        writer.write([(Model("d" * 64, "churn", version, "prod", ()), [entry(count, inputs=[])])])
        clock.seconds += 90_000
    assert [model.version for model in list_models(tmp_path)] == ["3", "1", "2"]
    assert list_models(tmp_path / "absent") == []
    writer.close()


def test_files_that_are_not_of_the_log_are_passed_over(tmp_path: Path) -> None:
    writer = writer_of(tmp_path, Clock())
    writer.write([(MODEL, [entry(1)])])
    (tmp_path / WRITER / "notes.db").write_text("not a number in its name")
    (tmp_path / WRITER / "0000000000ff.new").write_text("begun and never finished")
    (tmp_path / "0000000000ff.db").write_text("in no folder of a writer")
    assert counts(tmp_path) == [1]
    writer.close()


def test_an_empty_file_of_a_full_disk_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / WRITER).mkdir()
    (tmp_path / WRITER / "000000000001.db").touch()
    assert counts(tmp_path) == []
    assert list(read_labels(tmp_path)) == []
    assert find_prediction(tmp_path, WRITER, 1) is None


def test_a_file_of_a_later_lockgate_is_named(tmp_path: Path) -> None:
    writer = writer_of(tmp_path, Clock())
    writer.write([(MODEL, [entry(1)])])
    writer.close()
    path = tmp_path / WRITER / "000000000001.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(
        LogError, match=r"000000000001\.db cannot be read: it has log schema 2, expected 1"
    ):
        counts(tmp_path)


def test_a_file_that_is_not_a_database_is_named(tmp_path: Path) -> None:
    (tmp_path / WRITER).mkdir()
    (tmp_path / WRITER / "000000000001.db").write_bytes(b"garbage " * 1000)
    with pytest.raises(LogError, match=r"000000000001\.db cannot be read"):
        counts(tmp_path)


def test_damaged_content_is_named(tmp_path: Path) -> None:
    writer = writer_of(tmp_path, Clock())
    writer.write([(MODEL, [entry(1)])])
    writer.close()
    path = tmp_path / WRITER / "000000000001.db"
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE batches SET content = x'93c1'")
    connection.close()
    with pytest.raises(LogError, match=r"000000000001\.db cannot be read"):
        counts(tmp_path)


def test_a_file_that_was_deleted_in_the_meantime_is_not_damaged(tmp_path: Path) -> None:
    for writer in ("aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"):
        log_writer = LogWriter(tmp_path, writer)
        log_writer.write([(MODEL, [entry(1)])])
        log_writer.close()
    read = read_predictions(tmp_path)
    assert next(read).writer == "aaaaaaaaaaaaaaaa"
    for segment in list_segments(tmp_path, "bbbbbbbbbbbbbbbb"):
        segment.remove()
    assert list(read) == []


def test_damaged_files_are_named_once_and_the_others_are_read(tmp_path: Path) -> None:
    for writer, count in (("aaaaaaaaaaaaaaaa", 1), (WRITER, 2)):
        log_writer = LogWriter(tmp_path, writer)
        log_writer.write([(MODEL, [entry(count)])])
        log_writer.close()
    (tmp_path / "aaaaaaaaaaaaaaaa" / "000000000001.db").write_bytes(b"garbage " * 1000)
    damaged: list[str] = []
    read = list(read_predictions(tmp_path, on_damaged=damaged.append))
    assert [prediction.entry.count for prediction in read] == [2]
    assert list_models(tmp_path, damaged.append) == [MODEL]
    assert find_labels(tmp_path, WRITER, 2, "key", damaged.append) == []
    assert find_prediction(tmp_path, "aaaaaaaaaaaaaaaa", 1, damaged.append) is None
    assert len(damaged) == 5
    assert len(set(damaged)) == 1
    assert "000000000001.db cannot be read: file is not a database" in damaged[0]
