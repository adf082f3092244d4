"""Labels that come late, twice, by id or by the caller's key, and the export that joins them."""

import datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lockgate.contract.tables import Column, Schema
from lockgate.deployment.directory import Deployment
from lockgate.errors import DataError, DeploymentError, LogError, UsageError
from lockgate.prediction_log.export import export
from lockgate.prediction_log.feedback import import_labels
from lockgate.prediction_log.labels import match_label
from lockgate.prediction_log.lookup import find_rows
from lockgate.prediction_log.reader import list_models, read_labels
from lockgate.prediction_log.segments import list_segments
from lockgate.prediction_log.trace import LOG, trace
from tests.prediction_log.builders import (
    START,
    WRITER,
    Clock,
    deployment_of,
    entry,
    manifest,
    several,
    writer_of,
)


def moment(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(START + seconds, datetime.UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def deployment(tmp_path: Path, clock: Clock) -> Deployment:
    """Three answers a minute apart; the second is one for three rows."""
    deployment, (model,) = deployment_of(tmp_path / "here", manifest())
    writer = writer_of(deployment.path / LOG, clock)
    for answer in (
        entry(1, score=0.75, key="a", trace="00-ab-cd-01"),
        several(2, 3, key=["b", None, "c"]),
        entry(10, score=None, margin=-2.5, inputs=[None, "basic"], label=0),
    ):
        writer.write([(model, [answer])])
        clock.seconds += 60
    writer.close()
    return deployment


def take(deployment: Deployment, clock: Clock, text: str, **options: Any) -> Any:
    source = deployment.path / "late.csv"
    source.write_text(text)
    options = {"by": "key", "label": "label", "ids": False, **options}
    return import_labels(deployment.path, source, clock=clock.wall, **options)


def exported(deployment: Deployment, **options: Any) -> list[dict[str, Any]]:
    target = deployment.path / "log.parquet"
    rows = export(deployment.path, target, **options)
    table = pq.read_table(target).to_pylist()
    assert len(table) == rows
    return table


def truths(deployment: Deployment) -> list[Any]:
    return [row["true_label"] for row in exported(deployment)]


def test_an_export_has_a_row_for_every_row_that_was_answered(deployment: Deployment) -> None:
    table = exported(deployment)
    assert [row["prediction.id"] for row in table] == [
        f"{WRITER}-{end}" for end in ("1", "2.0", "2.1", "2.2", "a")
    ]
    assert [row["prediction.time"] for row in table] == [moment(s) for s in (0, 60, 60, 60, 120)]
    assert [row["prediction.key"] for row in table] == ["a", "b", None, "c", None]
    assert [row["age"] for row in table] == [30.5, 0.0, 1.0, 2.0, None]
    assert [row["plan"] for row in table] == ["plus", "basic", "basic", "basic", "basic"]
    assert [row["prediction.label"] for row in table] == [1, 0, 0, 0, 0]
    assert [row["prediction.score"] for row in table] == [0.75, 0.0, 1 / 3, 2 / 3, None]
    assert [row["prediction.margin"] for row in table] == [None] * 4 + [-2.5]
    assert [row["prediction.traceparent"] for row in table] == ["00-ab-cd-01"] + [None] * 4
    assert {
        (row["prediction.model"], row["prediction.version"], row["prediction.stage"])
        for row in table
    } == {("churn", "1.0.0", "prod")}
    assert [row["true_label"] for row in table] == [None] * 5


def test_an_export_holds_what_lies_in_between(deployment: Deployment) -> None:
    since, until = (
        datetime.datetime.fromtimestamp(START + after, datetime.UTC) for after in (60, 120)
    )
    ids = [
        row["prediction.id"][len(WRITER) + 1 :]
        for row in exported(deployment, since=since, until=until)
    ]
    assert ids == ["2.0", "2.1", "2.2"]
    progress: list[int] = []
    assert (
        export(
            deployment.path, deployment.path / "x.parquet", until=since, on_written=progress.append
        )
        == 1
    )
    assert progress == [1]
    with pytest.raises(LogError, match="has no predictions of churn in that time"):
        exported(
            deployment,
            since=datetime.datetime.fromtimestamp(START + 121, datetime.UTC).replace(tzinfo=None),
        )


def test_an_export_that_fails_leaves_the_former_file_as_it_was(deployment: Deployment) -> None:
    target = deployment.path / "log.parquet"
    target.write_text("former")
    with pytest.raises(LogError):
        export(deployment.path, target, until=datetime.datetime(1970, 1, 1))
    assert target.read_text() == "former"

    def stop(rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(deployment.path, target, on_written=stop)
    assert target.read_text() == "former"
    assert not list(deployment.path.glob(".*.new"))
    with pytest.raises(UsageError, match="the folder of .* does not exist"):
        export(deployment.path, deployment.path / "absent" / "log.parquet")


def test_the_latest_label_of_an_id_counts_and_says_when_it_came(
    deployment: Deployment, clock: Clock
) -> None:
    for label in (1, 0, 1, 0):
        taken = take(
            deployment, clock, f"key,label\n{WRITER}-1,{label}\n{WRITER}-2.2,1\n", ids=True
        )
        assert (taken.labels, taken.empty) == (2, 0)
        clock.seconds += 30 * 86_400
    table = exported(deployment)
    assert [row["true_label"] for row in table] == [0, None, None, 1, None]
    assert table[0]["prediction.labelled_at"] == moment(180 + 90 * 86_400)


def test_labels_by_key_reach_rows_and_those_by_id_come_first(
    deployment: Deployment, clock: Clock
) -> None:
    assert take(deployment, clock, "key,label\na,1\nc,0\nabsent,1\n").labels == 3
    assert truths(deployment) == [1, None, None, 0, None]
    take(deployment, clock, f"key,label\n{WRITER}-2.2,1\n", ids=True)
    clock.seconds += 60
    take(deployment, clock, "key,label\nc,0\nb,1\n")
    assert truths(deployment) == [1, 1, None, 1, None]  # c is known by its id


def test_labels_that_came_before_the_answer_reach_it(deployment: Deployment, clock: Clock) -> None:
    clock.seconds -= 86_400
    take(deployment, clock, "key,label\nb,1\n")
    assert truths(deployment) == [None, 1, None, None, None]


def test_labels_of_unknown_ids_change_nothing(deployment: Deployment, clock: Clock) -> None:
    text = f"key,label\n{WRITER}-3,1\nbbandonwhat23456-1,1\n{WRITER}-2.7,1\n"
    taken = take(deployment, clock, text, ids=True)
    assert (taken.labels, taken.unknown, taken.example) == (0, 3, f"{WRITER}-3")
    assert list(read_labels(deployment.path / LOG)) == []
    assert truths(deployment) == [None] * 5


def test_an_id_of_several_rows_must_say_which(deployment: Deployment, clock: Clock) -> None:
    with pytest.raises(DataError, match=r"has 3 rows; expected the id of one of them, such as"):
        take(deployment, clock, f"key,label\n{WRITER}-2,1\n", ids=True)


def test_rows_are_looked_up_in_the_file_that_has_them(deployment: Deployment, clock: Clock) -> None:
    folder = deployment.path / LOG
    model = next(iter(list_models(folder)))
    for first in (100, 200):
        writer = writer_of(folder, clock)
        writer.write([(model, [entry(first), several(first + 1, 2), entry(first + 2)])])
        writer.write([(model, [several(first + 50, 7)])])
        writer.close()
    wanted = [(WRITER, count) for count in (1, 2, 99, 100, 101, 103, 150, 199, 202, 250, 300)]
    logged = find_rows(folder, [*wanted, ("bbandonwhat23456", 1)])
    assert {count: (rows.rows, rows.many) for (_, count), rows in logged.items()} == {
        1: (1, False),
        2: (3, True),
        100: (1, False),
        101: (2, True),
        150: (7, True),
        202: (1, False),
        250: (7, True),
    }
    (second,) = [segment for segment in list_segments(folder) if segment.first == 100]
    second.path.write_bytes(b"not a database")
    damaged: list[str] = []
    assert len(find_rows(folder, wanted, damaged.append)) == 4
    assert len(damaged) == 1
    with pytest.raises(LogError, match="cannot be read"):
        find_rows(folder, wanted)


def test_versions_with_other_kinds_and_targets_are_exported_together(
    tmp_path: Path, clock: Clock
) -> None:
    first = manifest(schema=Schema((Column("k", "category", categories=("7", "x")),), target="old"))
    second = manifest(schema=Schema((Column("k", "integer"),), target="new"), threshold=0.4)
    deployment, models = deployment_of(tmp_path / "here", first, second)
    old, new = (msgspec.structs.replace(model, columns=("k",)) for model in models)
    served = msgspec.structs.replace(deployment.pointer(), slots=deployment.pointer().slots[1:])
    deployment.pointer_path.write_bytes(msgspec.json.encode(served))
    writer = writer_of(deployment.path / LOG, clock)
    writer.write([(new, [entry(1, inputs=[7])]), (old, [entry(2, inputs=["x"])])])
    writer.close()
    assert [(row["k"], row["new"]) for row in exported(deployment)] == [("7", None), ("x", None)]
    assert [row["k"] for row in exported(deployment, version="2.0.0")] == [7.0]
    assert [row["k"] for row in exported(deployment, version="1.0.0")] == ["x"]
    with pytest.raises(LogError, match=r"no predictions of churn@3\.0\.0"):
        exported(deployment, version="3.0.0")


@pytest.mark.parametrize("name", ["target", "prediction.id"])
def test_an_input_with_the_name_of_another_column_is_refused(
    name: str, tmp_path: Path, clock: Clock
) -> None:
    inputs = Schema((Column(name, "number"),), target="target")
    deployment, (model,) = deployment_of(tmp_path / "here", manifest(schema=inputs))
    writer = writer_of(deployment.path / LOG, clock)
    writer.write([(msgspec.structs.replace(model, columns=(name,)), [entry(1, inputs=[7])])])
    writer.close()
    with pytest.raises(LogError, match=f"an input is named {name}"):
        exported(deployment)
    assert not (deployment.path / "log.parquet").exists()


def test_labels_of_a_csv_are_classes_as_they_stand_there(tmp_path: Path, clock: Clock) -> None:
    document = manifest(classes=["01", "NA", "true"])
    deployment, (model,) = deployment_of(tmp_path / "here", document)
    writer = writer_of(deployment.path / LOG, clock)
    writer.write([(model, [entry(k + 1, key=key) for k, key in enumerate(("a", "NA", "c"))])])
    writer.close()
    assert take(deployment, clock, "key,label\na,01\nNA,NA\nc,true\n,01\n").labels == 3
    assert truths(deployment) == ["01", "NA", "true"]


@pytest.mark.parametrize(("text", "label"), [("1", 1), ("0", 0), ("1.0", 1)])
def test_numbers_of_a_csv_are_classes_that_are_numbers(
    text: str, label: int, deployment: Deployment, clock: Clock
) -> None:
    take(deployment, clock, f"key,label\na,{text}\n")
    assert truths(deployment)[0] == label


def test_key_and_label_are_two_columns(deployment: Deployment, clock: Clock) -> None:
    with pytest.raises(UsageError, match="expected two columns"):
        take(deployment, clock, "key,label\na,1\n", label="key")


def test_rows_without_a_key_or_a_label_are_counted(deployment: Deployment, clock: Clock) -> None:
    progress: list[int] = []
    taken = take(deployment, clock, "key,label\n,1\na,\nb,1\n", on_written=progress.append)
    assert (taken.labels, taken.empty, progress) == (1, 2, [1])


def test_keys_of_a_csv_keep_their_leading_zeros(deployment: Deployment, clock: Clock) -> None:
    take(deployment, clock, "key,label\n0099,1\n99,0\n")
    assert [(label.key, label.label) for label in read_labels(deployment.path / LOG)] == [
        ("0099", 1),
        ("99", 0),
    ]


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather", ".ndjson", ".jsonl"])
def test_labels_come_in_other_forms(suffix: str, deployment: Deployment, clock: Clock) -> None:
    source = deployment.path / f"late{suffix}"
    table = pa.table({"key": ["a", "b"], "label": [0, 1]})
    if suffix == ".parquet":
        pq.write_table(table, source)
    elif suffix in (".arrow", ".feather"):
        with pa.ipc.new_file(source, table.schema) as file:
            file.write_table(table)
    else:
        source.write_text('{"key": "a", "label": 0}\n{"key": "b", "label": 1}\n')
    import_labels(deployment.path, source, by="key", label="label", ids=False, clock=clock.wall)
    assert truths(deployment) == [0, 1, None, None, None]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("key,label\na,1\nb,7\n", {}, r"late\.csv, row 2: label 7 is no.* class of the model"),
        ("key,label\na,maybe\n", {}, "row 1: label 'maybe'"),
        (f"key,label\n{WRITER}-1,1\nx,1\n", {"ids": True}, "row 2: 'x' is"),
        ("key,truth\na,1\n", {}, "has no column label"),
        ("keys,label\na,1\n", {}, "has no column key.*keys"),
        ("key,label\na,1,2\n", {}, "cannot be read"),
    ],
)
def test_a_file_that_does_not_fit_names_its_row_or_column(
    text: str, options: dict[str, Any], message: str, deployment: Deployment, clock: Clock
) -> None:
    with pytest.raises(DataError, match=message):
        take(deployment, clock, text, **options)
    assert truths(deployment) == [None] * 5


def test_files_of_unknown_forms_and_absent_ones_are_refused(deployment: Deployment) -> None:
    (deployment.path / "late.xlsx").write_text("")
    for name, message in (
        ("late.xlsx", "ends in '.xlsx'; expected one of .csv"),
        ("a.csv", "is not a file"),
    ):
        with pytest.raises(DataError, match=message):
            import_labels(deployment.path, deployment.path / name, by="a", label="b", ids=False)


def test_there_is_nothing_to_label_or_to_export_without_a_log(tmp_path: Path) -> None:
    deployment, _ = deployment_of(tmp_path / "here", manifest())
    with pytest.raises(LogError, match="has no prediction log"):
        import_labels(deployment.path, tmp_path / "late.csv", by="a", label="b", ids=False)
    with pytest.raises(LogError, match="has no prediction log"):
        export(deployment.path, tmp_path / "log.parquet")


def test_several_models_are_exported_one_at_a_time(tmp_path: Path, clock: Clock) -> None:
    documents = (
        manifest(),
        manifest("kinds", task="multiclass", classes=["x", "y", "z"]),
        manifest("spend", task="regression", classes=[]),
    )
    deployment, models = deployment_of(tmp_path / "here", *documents)
    writer = writer_of(deployment.path / LOG, clock)
    labelled = [(1, 0.5), ("y", [0.25, 0.5, 0.25]), (12.5, None)]
    for count, (model, (label, score)) in enumerate(zip(models, labelled, strict=True), 1):
        writer.write([(model, [entry(count, label=label, score=score, key=str(count))])])
    writer.close()
    with pytest.raises(LogError, match="several models; choose one of churn, kinds, spend"):
        exported(deployment)
    with pytest.raises(LogError, match="the log has no predictions of chrun.*did you mean.*churn"):
        exported(deployment, model="chrun")
    take(deployment, clock, "key,label\n1,1\n")
    take(deployment, clock, "key,label\n2,z\n")
    take(deployment, clock, "key,label\n3,99.5\n")
    for name, (label, score), truth in zip(
        ("churn", "kinds", "spend"), labelled, (1, "z", 99.5), strict=True
    ):
        (row,) = exported(deployment, model=name)
        output = "value" if name == "spend" else "label"
        assert (row[f"prediction.{output}"], row["prediction.score"], row["true_label"]) == (
            label,
            score,
            truth,
        )


def test_versions_whose_columns_differ_are_exported_together(tmp_path: Path, clock: Clock) -> None:
    documents = (manifest(), manifest(threshold=0.4))
    deployment, (old, _) = deployment_of(tmp_path / "here", *documents)
    forgotten = type(old)("f" * 64, "churn", "3.0.0", "prod", ("plan", "region"))
    writer = writer_of(deployment.path / LOG, clock)
    writer.write([(old, [entry(1)]), (forgotten, [entry(2, inputs=["plus", 7])])])
    writer.close()
    first, second = exported(deployment)
    assert list(first)[:4] == ["age", "plan", "region", "true_label"]
    assert all(name.startswith("prediction.") for name in list(first)[4:])
    assert (first["age"], first["region"]) == (30.5, None)
    assert (second["age"], second["region"]) == (None, "7")


@pytest.mark.parametrize("age", ["thirty", float("nan"), float("inf"), 1e309, None, [1]])
def test_a_value_that_its_column_cannot_hold_is_left_empty(
    age: object, tmp_path: Path, clock: Clock
) -> None:
    deployment, (model,) = deployment_of(tmp_path / "here", manifest())
    writer = writer_of(deployment.path / LOG, clock)
    writer.write([(model, [entry(1, inputs=[age, 5], key=1.0), entry(2, label="other")])])
    writer.close()
    first, second = exported(deployment)
    assert (first["age"], first["plan"], first["prediction.key"]) == (None, "5", "1")
    assert (second["age"], second["prediction.label"]) == (30.5, None)


def test_an_answer_is_traced_with_everything_that_is_known(
    deployment: Deployment, clock: Clock
) -> None:
    take(deployment, clock, "key,label\na,0\nb,1\n")
    clock.seconds += 1
    take(deployment, clock, f"key,label\n{WRITER}-1,1\n{WRITER}-2.1,1\n", ids=True)
    known = trace(deployment, f"{WRITER}-1")
    assert known is not None
    assert known["time"] == "2020-01-01T00:00:00+00:00"
    assert known["inputs"] == {"age": 30.5, "plan": "plus"}
    assert (known["label"], known["score"], known["key"]) == (1, 0.75, "a")
    assert (known["version"], known["stage"]) == ("1.0.0", "prod")
    assert [label["label"] for label in known["labels"]] == [0, 1]
    assert known["labels"][1]["at"] == (START + 181) * 1_000_000
    assert known["origin"]["hashes"]["data"] == "abc"
    assert known["origin"]["classes"] == [0, 1]
    assert (known["traceparent"], "margin" in known) == ("00-ab-cd-01", False)
    rows = [trace(deployment, f"{WRITER}-2.{row}") for row in range(3)]
    assert [[label["label"] for label in row["labels"]] for row in rows if row] == [[1], [1], []]
    assert trace(deployment, f"{WRITER}-a")["margin"] == -2.5  # type: ignore[index]


def test_what_cannot_be_traced_is_none_or_says_why(deployment: Deployment, tmp_path: Path) -> None:
    assert trace(deployment, f"{WRITER}-3") is None
    assert trace(deployment, "bbandonwhat23456-1") is None
    with pytest.raises(LogError, match=r"-2\.3 names row 3, but the request had 3 rows"):
        trace(deployment, f"{WRITER}-2.3")
    with pytest.raises(LogError, match="prediction id"):
        trace(deployment, "nonsense")
    with pytest.raises(DeploymentError):
        trace(Deployment(tmp_path / "elsewhere"), f"{WRITER}-1")
    for path in (deployment.path / "manifests").iterdir():
        path.unlink()
    known = trace(deployment, f"{WRITER}-1")
    assert known is not None
    assert "manifest has been deleted" in known["origin"]


@pytest.mark.parametrize(
    ("label", "classes", "expected"),
    [
        (1, [(0, 1)], 1),
        (1.0, [(0, 1)], 1),
        (True, [(False, True)], True),
        ("yes", [("no", "yes")], "yes"),
        (3, [("2", "3")], "3"),
        (2, [("a", "b"), (1, 2)], 2),
        (7, [()], 7.0),
        (7, [("a",), ()], 7.0),
        (-0.5, [()], -0.5),
    ],
)
def test_a_label_is_held_as_the_model_knows_it(
    label: Any, classes: list[tuple[Any, ...]], expected: object
) -> None:
    fitting = match_label(label, classes)
    assert (fitting, type(fitting)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("label", "classes"),
    [
        (True, [(0, 1)]),
        (1, [(False, True)]),
        ("1", [(0, 1)]),
        (2, [(0, 1)]),
        ("Yes", [("no", "yes")]),
        (True, [()]),
        ("7", [()]),
        (float("nan"), [()]),
        (float("inf"), [()]),
        (10**400, [()]),
    ],
)
def test_a_label_that_no_model_could_answer_is_refused(
    label: Any, classes: list[tuple[Any, ...]]
) -> None:
    with pytest.raises(ValueError, match="label .* is no"):
        match_label(label, classes)


def test_a_label_of_another_kind_than_the_classes_does_not_stop_an_export(
    tmp_path: Path, clock: Clock
) -> None:
    flags = manifest("flags", classes=[False, True])
    deployment, (model, _) = deployment_of(tmp_path / "here", manifest(), flags)
    writer = writer_of(deployment.path / LOG, clock)
    writer.write([(model, [entry(1, key="a")])])
    writer.close()
    take(deployment, clock, "key,label\na,true\n")  # a class of the other model
    (row,) = exported(deployment, model="churn")
    assert (row["prediction.label"], row["true_label"]) == (1, None)
