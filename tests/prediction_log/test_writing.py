"""What the writer of the prediction log promises: order, rotation, all or nothing."""

import hashlib
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lockgate.errors import LogError
from lockgate.prediction_log.entries import key_text
from lockgate.prediction_log.reader import (
    find_prediction,
    list_models,
    read_labels,
    read_predictions,
)
from lockgate.prediction_log.segments import list_segments
from lockgate.prediction_log.writer import LogWriter
from tests.prediction_log import writer_process
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

DAY = 86_400


def run_writer(folder: Path, action: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, writer_process.__file__, str(folder), WRITER, action],
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_answer_comes_back_as_it_was_written(tmp_path: Path) -> None:
    clock = Clock(START + 1.5)
    answer = entry(1, score=0.1 + 0.2, margin=-1.25, key="a-1", trace="00-ab-cd-01")
    many = several(2, 3, key=["x", None, "z"], margin=[1.0, 2.0, 3.0])
    writer = writer_of(tmp_path, clock)
    assert writer.write([(MODEL, [answer, many])]) > 40
    first, second = read_predictions(tmp_path)
    assert (first.entry, second.entry) == (answer, many)
    assert (first.writer, first.model, first.id) == (WRITER, MODEL, f"{WRITER}-1")
    assert first.at == (START * 10 + 15) * 100_000
    assert first.time.isoformat() == "2020-01-01T00:00:01.500000+00:00"
    writer.close()


def test_a_batch_carries_the_time_at_which_it_was_written(tmp_path: Path) -> None:
    clock = Clock()
    writer = writer_of(tmp_path, clock)
    for count in (1, 2, 3):
        writer.write([(MODEL, [entry(count)])])
        clock.seconds += 10
    assert [answer.at - START * 1_000_000 for answer in read_predictions(tmp_path)] == [
        0,
        10**7,
        2 * 10**7,
    ]
    writer.close()


def test_a_new_file_begins_after_a_day_and_not_before(tmp_path: Path) -> None:
    clock = Clock()
    writer = writer_of(tmp_path, clock)
    writer.write([(MODEL, [entry(1)])])
    clock.seconds += DAY
    writer.write([(MODEL, [entry(2)])])
    assert len(list(list_segments(tmp_path))) == 1
    clock.seconds += 1
    writer.write([(MODEL, [entry(3)])])
    assert [segment.first for segment in list_segments(tmp_path)] == [1, 3]
    clock.seconds += 1
    writer.write([(MODEL, [entry(4)])])  # the age is counted from the new file on
    assert [segment.first for segment in list_segments(tmp_path)] == [1, 3]
    assert counts(tmp_path) == [1, 2, 3, 4]
    writer.close()


def test_a_wall_clock_that_goes_back_neither_cuts_a_file_nor_loses_an_answer(
    tmp_path: Path,
) -> None:
    wall, steady = Clock(), Clock()
    writer = LogWriter(tmp_path, WRITER, clock=wall.wall, monotonic=steady.monotonic)
    writer.write([(MODEL, [entry(1)])])
    wall.seconds -= 400 * DAY
    writer.write([(MODEL, [entry(2)])])
    wall.seconds += 800 * DAY
    writer.write([(MODEL, [entry(3)])])
    assert len(list(list_segments(tmp_path))) == 1
    assert counts(tmp_path) == [1, 2, 3]  # by id, whatever the clock said
    writer.close()


def test_a_file_that_is_full_is_followed_by_another(tmp_path: Path) -> None:
    writer = writer_of(tmp_path, Clock())
    for count in range(1, 12):
        writer.write([(MODEL, [entry(count, inputs=["x" * (8 << 20), "plus"])])])
    # eight of these are a little more than 64 MiB of content
    assert [segment.first for segment in list_segments(tmp_path)] == [1, 9]
    assert counts(tmp_path) == list(range(1, 12))
    writer.close()


def test_every_file_introduces_its_models_anew(tmp_path: Path) -> None:
    clock = Clock()
    other = msgspec.structs.replace(MODEL, version="1.1.0")
    writer = writer_of(tmp_path, clock)
    writer.write([(MODEL, [entry(1)]), (other, [entry(2)]), (MODEL, [entry(3)])])
    clock.seconds += 2 * DAY
    writer.write([(other, [entry(4)])])
    writer.write([(MODEL, [entry(5)])])
    versions = [answer.model.version for answer in read_predictions(tmp_path)]
    assert versions == ["1.0.0", "1.1.0", "1.0.0", "1.1.0", "1.0.0"]
    assert list_models(tmp_path) == [MODEL, other]
    assert find_prediction(tmp_path, WRITER, 4).model == other  # type: ignore[union-attr]
    writer.close()


def test_a_file_that_somebody_deleted_is_begun_anew_at_the_next_look(tmp_path: Path) -> None:
    clock = Clock()
    writer = writer_of(tmp_path, clock)
    clock.seconds += 1
    writer.write([(MODEL, [entry(1)])])
    (segment,) = list_segments(tmp_path)
    segment.remove()
    clock.seconds += 2
    writer.write([(MODEL, [entry(2)])])
    assert [segment.first for segment in list_segments(tmp_path)] == [2]
    assert counts(tmp_path) == [2]
    writer.close()


def test_a_name_is_never_taken_twice(tmp_path: Path) -> None:
    clock = Clock()
    writer = writer_of(tmp_path, clock)
    for _ in range(3):  # labels count nothing, so each file would be called 0
        writer.write_labels([("", 0, 0, "k", 1, "me")])
        clock.seconds += 2 * DAY
    assert [segment.first for segment in list_segments(tmp_path)] == [0, 1, 2]
    assert len(list(read_labels(tmp_path))) == 3
    writer.close()


def test_batches_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    writer = writer_of(tmp_path, Clock())
    writer.write([(MODEL, [entry(1)])])
    other = msgspec.structs.replace(MODEL, name="other")
    with pytest.raises(LogError, match="the prediction log cannot be written: .*UNIQUE"):
        writer.write([(other, [entry(2)]), (MODEL, [entry(1)])])
    assert counts(tmp_path) == [1]
    assert list_models(tmp_path) == [MODEL]
    writer.write([(other, [entry(2)])])  # the model that was rolled back is introduced again
    assert [answer.model.name for answer in read_predictions(tmp_path)] == ["churn", "other"]
    writer.close()


def test_without_entries_nothing_is_written(tmp_path: Path) -> None:
    writer = writer_of(tmp_path, Clock())
    assert writer.write([]) == 0
    assert writer.write([(MODEL, [])]) == 0
    assert list(list_segments(tmp_path)) == []
    assert writer.write([(MODEL, []), (MODEL, [entry(1)])]) > 0
    assert counts(tmp_path) == [1]
    writer.close()


def test_labels_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    writer = writer_of(tmp_path, Clock())
    writer.write_labels([(WRITER, 1, 0, None, 1, "me")])
    with pytest.raises(LogError, match="the labels cannot be written"):
        writer.write_labels([(WRITER, 2, 0, None, 1, "me"), (WRITER, 3, 0, None, 1, object())])
    assert [label.count for label in read_labels(tmp_path)] == [1]
    assert writer.write_labels([(WRITER, 4, 0, None, 1, "me"), (WRITER, 5, 0, None, 0, "me")]) == 2
    writer.close()


def test_a_folder_that_cannot_be_made_is_an_error_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    writer = writer_of(tmp_path / "file", Clock())
    with pytest.raises(LogError, match="cannot be written: .*Not a directory"):
        writer.write([(MODEL, [entry(1)])])
    writer.close()


def test_values_that_the_form_cannot_hold_become_texts(tmp_path: Path) -> None:
    writer = writer_of(tmp_path, Clock())
    writer.write([(MODEL, [entry(1, inputs=[1 << 70, None], key=1 << 65), entry(2)])])
    first, second = read_predictions(tmp_path)
    assert first.entry.inputs == [str(1 << 70), None]
    assert first.entry.key == str(1 << 65)
    assert second.entry.label == 1
    writer.close()


def test_readers_see_what_is_committed_while_the_writer_goes_on(tmp_path: Path) -> None:
    clock = Clock()
    writer = writer_of(tmp_path, clock)
    writer.write([(MODEL, [entry(1)])])
    reading = read_predictions(tmp_path)
    assert next(reading).entry.count == 1
    other = msgspec.structs.replace(MODEL, version="9")
    for count in range(2, 6):
        writer.write([(other, [entry(count)])])
        writer.checkpoint()
    assert counts(tmp_path) == [1, 2, 3, 4, 5]
    assert list(reading) == []  # a reading sees the log as it was when it began
    writer.close()


def test_two_writers_of_the_same_name_are_refused(tmp_path: Path) -> None:
    first, second = (writer_of(tmp_path, Clock()) for _ in range(2))
    first.write([(MODEL, [entry(1)])])
    with pytest.raises(LogError, match="cannot be written"):
        second.write([(MODEL, [entry(1)])])
    first.close()
    second.write([(MODEL, [entry(7)])])
    assert counts(tmp_path) == [1, 7]
    second.close()


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    writer = writer_of(tmp_path / "log", Clock())
    writer.write([(MODEL, [entry(1)])])
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "log").rglob("*")}
    assert modes.pop(WRITER) == 0o700
    assert set(modes) >= {".alive", "000000000001.db"}
    assert all(mode & 0o077 == 0 for mode in modes.values()), modes
    writer.close()


def test_closing_leaves_the_database_alone_and_twice_is_once(tmp_path: Path) -> None:
    writer = writer_of(tmp_path, Clock())
    writer.write([(MODEL, [entry(1)])])
    writer.close()
    writer.close()
    names = {path.name for path in (tmp_path / WRITER).iterdir()}
    assert names == {".alive", "000000000001.db"}


def test_a_process_that_dies_loses_nothing_that_it_wrote(tmp_path: Path) -> None:
    assert run_writer(tmp_path, "die").returncode == 9
    assert counts(tmp_path) == [1, 2, 3, 4, 5]
    answer = find_prediction(tmp_path, WRITER, 3)
    assert answer is not None
    assert answer.model == writer_process.MODEL
    assert (answer.entry.inputs, answer.entry.label, answer.entry.score) == ([3.0], 1, 0.25)


def test_a_writer_goes_on_behind_the_files_of_a_dead_process(tmp_path: Path) -> None:
    run_writer(tmp_path, "die")
    writer = writer_of(tmp_path, Clock())
    writer.write([(MODEL, [entry(6)])])
    assert [segment.first for segment in list_segments(tmp_path)] == [1, 6]
    assert counts(tmp_path) == [1, 2, 3, 4, 5, 6]
    writer.close()


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (17, "17"),
        (17.0, "17"),
        (17.5, "17.5"),
        ("017", "017"),
        (True, "True"),
        ("x" * 200, "x" * 200),
        ("x" * 201, f"sha256:{hashlib.sha256(b'x' * 201).hexdigest()}"),
        (float("inf"), "inf"),
        (-0.0, "0"),
    ],
)
def test_keys_are_compared_as_texts(key: object, text: str) -> None:
    assert key_text(key) == text
