"""What stays in the log, and for how long."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.contract.tables import Column
from lockgate.data.columns.personal import is_personal
from lockgate.prediction_log.clock import ClockWatch
from lockgate.prediction_log.columns import logged_columns
from lockgate.prediction_log.ids import PredictionIds, parse_prediction_id
from lockgate.prediction_log.segments import (
    Segment,
    delete_old_segments,
    list_segments,
)
from tests.prediction_log import writer_process
from tests.prediction_log.builders import (
    COLUMNS,
    MODEL,
    START,
    WRITER,
    Clock,
    counts,
    entry,
    writer_of,
)

DAY = 86_400.0
MEBIBYTE = 1 << 20


def aged(folder: Path, ages: dict[str, list[float]], size: int = 0) -> list[Segment]:
    """Files of dead writers, last written to so many days before START."""
    for name, days in ages.items():
        (folder / name).mkdir(parents=True)
        for first, age in enumerate(days):
            path = folder / name / f"{first:012x}.db"
            path.write_bytes(b"x" * size)
            os.utime(path, (START - age * DAY,) * 2)
    return list(list_segments(folder))


def left(folder: Path) -> list[str]:
    return [f"{segment.writer}/{segment.first}" for segment in list_segments(folder)]


def test_what_is_older_than_the_days_goes(tmp_path: Path) -> None:
    aged(tmp_path, {"a": [31, 29], "b": [30.000005, 29.999995]})
    assert delete_old_segments(tmp_path, days=30, megabytes=100, now=START) == 2
    assert left(tmp_path) == ["a/1", "b/1"]
    assert delete_old_segments(tmp_path, days=30, megabytes=100, now=START) == 0


def test_a_jump_of_the_clock_deletes_nothing(tmp_path: Path) -> None:
    """As measured: a clock that was 400 days ahead for 65 seconds deleted all of a log."""
    aged(tmp_path, {"a": [31, 20, 10, 1]})
    clock, running = Clock(), [1000.0]

    def prune() -> int:
        watch = ClockWatch(tmp_path, wall=lambda: float(clock.seconds), running=lambda: running[0])
        return delete_old_segments(
            tmp_path, 30, 100, clock.seconds, steady_seconds=watch.steady_seconds()
        )

    def pass_time(seconds: int) -> None:
        clock.seconds += seconds
        running[0] += seconds

    assert prune() == 0  # the clock is not known yet
    for _ in range(70):
        pass_time(30)
        assert prune() == 0
    clock.seconds += 400 * DAY
    for _ in range(3):
        pass_time(30)
        assert prune() == 0
    clock.seconds -= 400 * DAY
    removed = 0
    for _ in range(130):
        pass_time(30)
        removed += prune()
    assert removed == 1  # what is old by a clock that was steady for an hour
    assert left(tmp_path) == ["a/1", "a/2", "a/3"]


def test_most_of_a_log_is_deleted_after_a_steady_day_only(tmp_path: Path) -> None:
    aged(tmp_path, {"a": [50, 40, 35, 1]}, size=1000)
    for steady, removed in ((3599, 0), (3601, 0), (DAY - 1, 0), (DAY + 1, 3)):
        assert delete_old_segments(tmp_path, 30, 100, START, steady_seconds=steady) == removed


def test_the_oldest_go_until_the_size_fits(tmp_path: Path) -> None:
    aged(tmp_path, {"a": [5, 2], "b": [4, 1], "c": [3]}, size=MEBIBYTE)
    assert delete_old_segments(tmp_path, days=30, megabytes=5, now=START) == 0
    assert delete_old_segments(tmp_path, days=30, megabytes=3, now=START) == 2
    assert left(tmp_path) == ["a/1", "b/1", "c/0"]
    assert delete_old_segments(tmp_path, days=30, megabytes=0, now=START) == 3
    assert left(tmp_path) == []


def test_size_counts_what_lies_beside_the_database_and_goes_with_it(tmp_path: Path) -> None:
    (segment,) = aged(tmp_path, {"a": [3]}, size=1000)
    for end in ("-wal", "-shm"):
        segment.path.with_name(segment.path.name + end).write_bytes(b"x" * 500)
    assert segment.size == 2000
    assert segment.modified > START  # the write-ahead log was written to later
    segment.remove()
    segment.remove()
    assert list((tmp_path / "a").iterdir()) == []


def test_the_last_file_of_a_living_writer_stays(tmp_path: Path) -> None:
    clock = Clock()
    writer = writer_of(tmp_path, clock)
    for count in (1, 2, 3):
        writer.write([(MODEL, [entry(count)])])
        clock.seconds += 2 * DAY
    far = START + 100_000 * DAY
    assert delete_old_segments(tmp_path, days=1, megabytes=100, now=far) == 2
    assert left(tmp_path) == [f"{WRITER}/3"]
    assert delete_old_segments(tmp_path, days=1, megabytes=0, now=far) == 0
    writer.close()
    assert delete_old_segments(tmp_path, days=1, megabytes=0, now=far) == 1
    assert not (tmp_path / WRITER).exists()


def test_another_process_keeps_its_last_file_until_it_ends(tmp_path: Path) -> None:
    command = [sys.executable, writer_process.__file__, str(tmp_path), WRITER, "wait"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert delete_old_segments(tmp_path, days=0, megabytes=0, now=START + 100_000 * DAY) == 0
        process.communicate(b"\n")
    assert delete_old_segments(tmp_path, days=0, megabytes=0, now=START + 100_000 * DAY) == 1


def test_folders_of_dead_writers_go_when_they_are_empty_and_not_new(tmp_path: Path) -> None:
    for name, age in (("old", 61), ("new", 59)):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".alive").touch()
        os.utime(tmp_path / name, (START - age,) * 2)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").touch()
    os.utime(tmp_path / "foreign", (START - DAY,) * 2)
    assert delete_old_segments(tmp_path, days=1, megabytes=1, now=START) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["foreign", "new"]


def test_nothing_is_pruned_where_there_is_no_log(tmp_path: Path) -> None:
    assert delete_old_segments(tmp_path / "absent", days=0, megabytes=0) == 0


def test_ids_rise_and_carry_the_time_at_which_counting_began() -> None:
    clock = Clock()
    receipts = PredictionIds(lambda: clock.seconds)
    ids = [receipts.next() for _ in range(300)]
    assert receipts.count == 300
    assert [parse_prediction_id(receipt) for receipt in ids] == [
        (receipts.boot, count, 0) for count in range(1, 301)
    ]
    clock.seconds += 1
    later = PredictionIds(lambda: clock.seconds)
    # eight letters hold the five bytes of the time, and base 32 keeps their equality
    assert PredictionIds(lambda: float(START)).boot[:8] == receipts.boot[:8] != later.boot[:8]
    assert PredictionIds(lambda: float(START)).boot != receipts.boot


def test_a_forked_process_gives_no_id_that_its_parent_gives(tmp_path: Path) -> None:
    command = [sys.executable, writer_process.__file__, str(tmp_path), WRITER, "fork"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, child, second = done.stdout.split()
    assert parse_prediction_id(first)[1] + 1 == parse_prediction_id(second)[1]
    with pytest.raises(ValueError, match="is not a prediction id"):
        parse_prediction_id(child)


@given(
    st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=16, max_size=16),
    st.integers(0, (1 << 48) - 1),
    st.integers(0, 999_999_999),
)
def test_an_id_is_taken_apart_as_it_was_put_together(writer: str, count: int, row: int) -> None:
    assert parse_prediction_id(f"{writer}-{count:x}.{row}") == (writer, count, row)
    assert parse_prediction_id(f"{writer}-{count:x}") == (writer, count, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        f"{WRITER}",
        f"{WRITER}-",
        f"{WRITER}-1.",
        f"{WRITER}-1.-1",
        f"{WRITER}-g",
        f" {WRITER}-1",
        f"{WRITER}-1\n",
        f"{WRITER.upper()}-1",
        f"../{WRITER[3:]}-1",
        f"{WRITER}-{'1' * 13}",
        f"{WRITER}-labels",
        f"{WRITER}-1.{'1' * 10}",
    ],
)
def test_what_is_not_an_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a prediction id"):
        parse_prediction_id(text)


def test_texts_and_persons_are_kept_only_when_asked_for() -> None:
    assert logged_columns(COLUMNS, "safe", []) == ("age", "plan")
    assert logged_columns(COLUMNS, "all", []) == ("age", "plan", "email", "note")
    assert logged_columns(COLUMNS, "none", []) == ()


@given(
    st.sets(st.sampled_from([column.name for column in COLUMNS] + ["absent"])),
    st.sampled_from(["safe", "all", "none"]),
)
def test_a_redacted_column_is_never_kept_and_the_others_keep_their_order(
    redact: set[str], which: str
) -> None:
    kept = logged_columns(COLUMNS, which, redact)
    assert kept == tuple(name for name in logged_columns(COLUMNS, which, []) if name not in redact)


@pytest.mark.parametrize(
    "name",
    [
        "email",
        "Email",
        "E-Mail",
        "e_mail",
        "customerEmail",
        "first name",
        "first_name",
        "zip_code",
        "ZIP",
        "ip address",
        "client.ip",
        "homePhone",
        "date_of_birth",
        "dob",
        "taxId",
        "national_no",
        "socialSecurityNumber",
        "tax id",
        "iban",
        "card.number",
    ],
)
def test_a_name_that_points_to_a_person_is_recognised(name: str) -> None:
    assert is_personal(name)
    assert logged_columns([Column(name, "category")], "safe", []) == ()


@pytest.mark.parametrize(
    "name",
    [
        "age",
        "plan",
        "monthly_charge",
        "shipping",
        "zipped",
        "named",
        "phonetic",
        "order_id",
        "number_of_calls",
        "taxes",
        "tax",
        "tax_rate",
        "person_count",
        "latency",
        "longest",
        "cards",
        "discard",
        "",
    ],
)
def test_a_name_that_points_to_no_person_is_kept(name: str) -> None:
    assert not is_personal(name)


def test_reading_a_file_makes_it_no_younger(tmp_path: Path) -> None:
    writer = writer_of(tmp_path, Clock())
    writer.write([(MODEL, [entry(1)])])
    writer.close()
    (segment,) = list_segments(tmp_path)
    os.utime(segment.path, (START, START))
    assert segment.modified == START
    assert counts(tmp_path) == [1]
    assert segment.modified == START
