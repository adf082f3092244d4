"""Files of any size are answered row by row, once each, whatever happens in between."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import lockgate
from lockgate.batch.predict_file import predict_file
from lockgate.data.transformers import DateParts
from lockgate.errors import DataError
from lockgate.models.packed.runtime.model import PackedModel
from tests.conftest import Run, environment
from tests.models.packing import zoo

ROWS = 3000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("scoring")
    frame = zoo.frame_of(600)
    lockgate.pack(zoo.fitted("boosting", frame), frame, zoo.targets(frame)["two"], path=place / "b")
    lockgate.pack(
        zoo.fitted("boosting of three", frame),
        frame,
        zoo.targets(frame)["three"],
        path=place / "three",
    )
    rows = zoo.frame_of(ROWS, seed=4)
    rows.insert(0, "customer", [f"c{k}" for k in range(ROWS)])
    rows.to_csv(place / "in.csv", index=False)
    rows.to_parquet(place / "in.parquet")
    pyarrow.feather.write_feather(rows, place / "in.feather")
    records = rows.astype(object).where(rows.notna(), None).to_dict("records")
    (place / "in.ndjson").write_text("".join(json.dumps(one) + "\n" for one in records))
    rows.to_pickle(place / "rows.pkl")
    return place


READS = {
    ".csv": pd.read_csv,
    ".parquet": pd.read_parquet,
    ".feather": pd.read_feather,
    ".ndjson": lambda path: pd.DataFrame(map(json.loads, path.read_text().splitlines())),
}


@pytest.mark.parametrize("out", READS)
@pytest.mark.parametrize("source", READS)
def test_every_form_gives_the_answers_of_the_bundle_to_the_bit(
    folder: Path, source: str, out: str, tmp_path: Path
) -> None:
    bundle = lockgate.open(folder / "b")
    found = predict_file(
        bundle, folder / f"in{source}", tmp_path / f"out{out}", keep=["customer"], part_rows=1000
    )
    assert (found.predicted_rows, found.rejected_rows, found.rejected) == (ROWS, 0, None)
    made = READS[out](tmp_path / f"out{out}")
    wanted = bundle.predict(pd.read_pickle(folder / "rows.pkl"))
    assert made["row"].tolist() == list(range(ROWS))
    assert made["customer"].tolist() == [f"c{k}" for k in range(ROWS)]
    assert made["label"].tolist() == wanted.label.tolist()
    np.testing.assert_array_equal(made["score"].to_numpy(), wanted.score)
    assert [path.name for path in tmp_path.iterdir()] == [f"out{out}"]


def test_each_class_has_a_score_of_its_own(folder: Path, tmp_path: Path) -> None:
    predict_file(lockgate.open(folder / "three"), folder / "in.csv", tmp_path / "out.csv")
    made = pd.read_csv(tmp_path / "out.csv")
    assert list(made) == ["row", "label", "score_0", "score_1", "score_2"]
    np.testing.assert_allclose(made[["score_0", "score_1", "score_2"]].sum(axis=1), 1)


@pytest.mark.parametrize(
    ("estimator", "target", "names"),
    [
        (LinearRegression(), "value", ["value"]),
        (SVC(), "two", ["label", "margin"]),
        (
            SVC(decision_function_shape="ovo"),
            "three",  # of the pairs of classes 0-1, 0-2, 1-2
            ["label", "margin_0", "margin_1", "margin_2"],
        ),
        (
            SVC(decision_function_shape="ovr"),
            "three",
            ["label", "margin_0", "margin_1", "margin_2"],
        ),
    ],
)
def test_predictions_have_the_same_columns_in_files_and_frames(
    estimator: Any, target: str, names: list[str], tmp_path: Path
) -> None:
    rows = zoo.frame_of(200, gaps=False)
    frame, goal = rows[["x0", "level"]], zoo.targets(rows)[target]
    bundle = lockgate.pack(estimator.fit(frame, goal), frame, goal, path=tmp_path / "b")
    predicted = bundle.predict_frame(frame)
    assert list(predicted) == names
    frame.to_csv(tmp_path / "in.csv", index=False)
    predict_file(bundle, tmp_path / "in.csv", tmp_path / "out.parquet")
    written = pd.read_parquet(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(written.drop(columns="row"), predicted)


def test_refused_rows_are_in_the_side_file_with_reasons(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "in.csv").read_text().splitlines()
    lines[3] = "short,line"
    lines[5] = lines[5].replace(lines[5].split(",")[1], "abc", 1)
    lines[ROWS] = "the,last,one"
    (tmp_path / "in.csv").write_text("\n".join(lines) + "\n")
    for part_rows in (2, 999, 2997, 5000):
        found = predict_file(
            lockgate.open(folder / "b"),
            tmp_path / "in.csv",
            tmp_path / "out.csv",
            part_rows=part_rows if part_rows > 2 else 500,
            force=True,
        )
        side = pd.read_json(tmp_path / "out.csv.rejected.ndjson", lines=True)
        assert side["row"].tolist() == [2, 4, ROWS - 1]
        assert side["reasons"][0] == ["2 cells, expected 8: 'short,line'"]
        assert side["reasons"][1] == ["column x0 holds 'abc', expected a number"]
        rows = pd.read_csv(tmp_path / "out.csv")["row"]
        assert sorted([*rows, *side["row"]]) == list(range(ROWS))
        assert found.rejected_rows == 3


def test_broken_json_lines_are_refused(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "in.ndjson").read_text().splitlines()
    lines[7], lines[8] = "{not json", '["a", "list"]'
    lines[9] = '{"x0": 1}'
    (tmp_path / "in.ndjson").write_text("\n".join(lines))
    found = predict_file(
        lockgate.open(folder / "b"), tmp_path / "in.ndjson", tmp_path / "out.ndjson", part_rows=1000
    )
    side = pd.read_json(tmp_path / "out.ndjson.rejected.ndjson", lines=True)
    assert side["row"].tolist() == [7, 8, 9]
    assert "has no x1" in side["reasons"][2][0]
    assert found.predicted_rows == ROWS - 3


def test_a_later_run_goes_on_where_one_was_killed(call: Run, folder: Path, tmp_path: Path) -> None:
    big = pd.concat([pd.read_pickle(folder / "rows.pkl")] * 400, ignore_index=True)
    big.to_parquet(tmp_path / "in.parquet")
    words = ["lockgate", "predict", str(folder / "b"), "in.parquet", "out.parquet"]
    call(*words, cwd=tmp_path)
    whole = (tmp_path / "out.parquet").read_bytes()
    (tmp_path / "out.parquet").unlink()
    child = subprocess.Popen(
        words,
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    parts = tmp_path / "out.parquet.parts"
    while child.poll() is None and len(list(parts.glob("*.arrow"))) < 3:
        time.sleep(0.005)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    done_before = len(list(parts.glob("*.arrow")))
    assert done_before >= 3
    assert not (tmp_path / "out.parquet").exists()
    resumed = call(*words, cwd=tmp_path)
    assert "rows were predicted by an earlier run" in resumed.stdout
    assert (tmp_path / "out.parquet").read_bytes() == whole
    assert not parts.exists()


def test_parts_of_another_input_are_not_used(folder: Path, tmp_path: Path) -> None:
    bundle = lockgate.open(folder / "b")
    rows = pd.read_pickle(folder / "rows.pkl")
    rows.to_csv(tmp_path / "in.csv", index=False)
    folder_of_parts = tmp_path / "out.csv.parts"

    class Stop(Exception):
        pass

    def stop(count: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        predict_file(
            bundle, tmp_path / "in.csv", tmp_path / "out.csv", part_rows=500, on_progress=stop
        )
    assert list(folder_of_parts.glob("*.arrow"))
    rows.iloc[::-1].to_csv(tmp_path / "in.csv", index=False)
    found = predict_file(bundle, tmp_path / "in.csv", tmp_path / "out.csv", part_rows=500)
    assert found.resumed == 0
    made = pd.read_csv(tmp_path / "out.csv")
    assert made["score"][0] == bundle.predict(rows.iloc[::-1]).score[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["in.csv", "out.xlsx"], "out.xlsx ends in '.xlsx'"),
        (["rows.pkl", "out.csv"], "rows.pkl ends in '.pkl', expected one of .csv"),
        (["none.csv", "out.csv"], "none.csv is missing or is not a file"),
        (["in.csv", "in.csv", "--force"], "would overwrite the source"),
        (
            ["in.csv", "in.parquet"],
            "already exists: choose another output file, or overwrite it (force)",
        ),
        (
            ["in.csv", "out.csv", "--keep", "custumer"],
            "column custumer is missing, did you mean 'customer'",
        ),
    ],
)
def test_mistakes_are_said_in_a_line(call: Run, folder: Path, words: list[str], said: str) -> None:
    done = call("lockgate", "predict", "b", *words, cwd=folder, code=2)
    assert said in done.stderr
    assert not (folder / "out.csv").exists()


def test_a_damaged_file_is_named(call: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "in.parquet").write_bytes((folder / "in.parquet").read_bytes()[:5000])
    done = call(
        "lockgate", "predict", str(folder / "b"), "in.parquet", "out.csv", cwd=tmp_path, code=2
    )
    assert "in.parquet cannot be read" in done.stderr


def test_a_csv_says_numbers_as_categories_do(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [0.0, 1, 2, 3] * 10, "c": pd.Series([1, 2, 3, 1] * 10).astype(str)})
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["c"]), remainder="passthrough"),
        LogisticRegression(),
    ).fit(frame, [0, 1, 0, 1] * 10)
    bundle = lockgate.pack(model, frame, [0, 1, 0, 1] * 10, path=tmp_path / "b")
    (tmp_path / "in.csv").write_text("x,c\n1,1\n1,1.0\n1,7\n")
    found = predict_file(bundle, tmp_path / "in.csv", tmp_path / "out.csv")
    assert (found.predicted_rows, found.rejected_rows) == (2, 1)
    assert pd.read_csv(tmp_path / "out.csv")["score"].nunique() == 1


def test_a_table_in_arrow_stream_form_is_read(folder: Path, tmp_path: Path) -> None:
    table = pa.Table.from_pandas(pd.read_pickle(folder / "rows.pkl"))
    with (
        pa.OSFile(str(tmp_path / "in.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema) as out,
    ):
        out.write_table(table, max_chunksize=700)
    found = predict_file(lockgate.open(folder / "b"), tmp_path / "in.arrow", tmp_path / "out.csv")
    assert found.predicted_rows == ROWS


def test_a_csv_file_tells_categories_apart_as_other_files_do(tmp_path: Path) -> None:
    names = ["7", "10", "1000", "None", "NA", "a"]
    frame = pd.DataFrame({"c": pd.Series(names * 10, dtype=object)})
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    model.fit(frame, [0, 1, 1, 0, 1, 0] * 10)
    bundle = lockgate.pack(model, frame, [0, 1, 1, 0, 1, 0] * 10, path=tmp_path / "b")
    asked = [*names, "007", "1_0", "1e3", "4.2e1", "\u0667", "+7", " 7", "7.0", "nan", ""]
    (tmp_path / "in.csv").write_text(
        "c\n" + "".join(f'"{one}"\n' for one in asked), encoding="utf-8"
    )
    predict_file(bundle, tmp_path / "in.csv", tmp_path / "out.csv")
    made = pd.read_csv(tmp_path / "out.csv")["score"].to_numpy()
    wanted = bundle.predict({"c": ["7" if one == "7.0" else one for one in asked]}).score
    np.testing.assert_array_equal(made, wanted)
    assert len(set(made[len(names) : -3])) == 1


@pytest.mark.parametrize("name", ["row", "label", "score"])
def test_a_kept_column_may_not_take_an_answers_name(
    folder: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(lockgate.UsageError, match="the output has a column of that name"):
        predict_file(
            lockgate.open(folder / "b"), folder / "in.csv", tmp_path / "o.csv", keep=[name]
        )
    assert not list(tmp_path.iterdir())


def test_a_run_that_ended_between_its_two_files_is_finished_by_the_next(
    call: Run, folder: Path, tmp_path: Path
) -> None:
    lines = (folder / "in.csv").read_text().splitlines()
    (tmp_path / "in.csv").write_text("\n".join([*lines[:5], "broken,line", *lines[5:]]))
    script = (
        "import os, lockgate, lockgate.batch.predict_file as r\nfrom pathlib import Path\n"
        "r.shutil = type('S', (), {'rmtree': lambda *_: os._exit(9)})\n"
        f"r.predict_file(lockgate.open({str(folder / 'b')!r}), Path('in.csv'), Path('out.csv'))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=False)
    assert done.returncode == 9
    assert (tmp_path / "out.csv").exists()
    again = call(
        "lockgate", "predict", str(folder / "b"), "in.csv", "out.csv", cwd=tmp_path, code=1
    )
    assert "1 rows rejected" in again.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "in.csv",
        "out.csv",
        "out.csv.rejected.ndjson",
    ]


def test_two_runs_do_not_write_the_same_file(folder: Path, tmp_path: Path) -> None:
    bundle = lockgate.open(folder / "b")

    def other(_: int) -> None:
        with pytest.raises(lockgate.UsageError, match="another run is writing"):
            predict_file(bundle, folder / "in.csv", tmp_path / "out.csv")

    assert (
        predict_file(
            bundle, folder / "in.csv", tmp_path / "out.csv", on_progress=other
        ).predicted_rows
        == ROWS
    )


def test_another_delimiter_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text((folder / "in.csv").read_text().replace(",", ";"))
    with pytest.raises(DataError, match="has a single column.*expected columns separated by ','"):
        predict_file(lockgate.open(folder / "b"), tmp_path / "in.csv", tmp_path / "out.csv")


def test_an_engine_that_errs_in_a_later_part_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    bundle, output = lockgate.open(folder / "b"), tmp_path / "out.csv"
    calls: list[int] = []

    def prepare(forest: Any) -> Any:
        def run(x: np.ndarray) -> np.ndarray:
            calls.append(x.shape[1])
            return np.asarray(forest.run(x) + 0.5 * (calls.count(1000) == 3))

        return run

    wrong = lockgate.Engine("late", prepare)
    with pytest.raises(lockgate.PluginFailed, match="in 6 of 128 rows"):
        predict_file(bundle, folder / "in.csv", output, engine=wrong, part_rows=1000)
    assert list(tmp_path.iterdir()) == []
    right = lockgate.Engine("right", lambda forest: forest.run)
    result = predict_file(bundle, folder / "in.csv", output, engine=right, part_rows=1000)
    assert str(result.comparison).startswith("1,256 rows compared with NumPy: labels equal")
    assert (result.resumed, result.predicted_rows) == (0, ROWS)


def test_parts_of_another_engine_are_not_reused(folder: Path, tmp_path: Path) -> None:
    bundle, output = lockgate.open(folder / "b"), tmp_path / "out.csv"

    def stop(rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_file(bundle, folder / "in.csv", output, part_rows=1000, on_progress=stop)
    other = lockgate.Engine("other", lambda forest: forest.run)
    result = predict_file(bundle, folder / "in.csv", output, engine=other, part_rows=1000)
    assert (result.resumed, result.predicted_rows) == (0, ROWS)


@pytest.fixture
def day_first(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle that reads dates day first, as if a loader had declared it."""
    folder = tmp_path_factory.mktemp("day-first")
    rows = pd.DataFrame({"since": pd.date_range("2024-01-01", periods=200)})
    model = make_pipeline(
        make_column_transformer((DateParts(), ["since"])), DecisionTreeClassifier(max_depth=3)
    ).fit(rows, ["no", "yes"] * 100)
    lockgate.pack(model, rows, name="churn", path=folder / "bundle")
    read_header = PackedModel.__init__

    def open_day_first(self: PackedModel, *args: Any, **options: Any) -> None:
        read_header(self, *args, **options)
        inputs = tuple(
            msgspec.structs.replace(column, dates="day-first") for column in self.header.inputs
        )
        self.header = msgspec.structs.replace(self.header, inputs=inputs)

    monkeypatch.setattr(PackedModel, "__init__", open_day_first)
    return folder / "bundle"


@pytest.mark.parametrize(
    ("days", "refused"),
    [
        (["31.12.2021", "07/31/2019"], False),  # a mistake: another date proves the order
        (["07/31/2019", "05/06/2021", "31.12.2021"], False),
        (["05/06/2021", "07/31/2019"], True),
        (["07/31/2019", "05/06/2021", "05/06/2021"], True),
        (["05/06/2021", "soon"], False),
        (["05/06/2021", ""], False),
    ],
)
@pytest.mark.parametrize("part_rows", [1, 100])
@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_dates_in_the_other_order_refuse_the_file(
    day_first: Path, days: list[str], refused: bool, form: str, part_rows: int, tmp_path: Path
) -> None:
    source, target = tmp_path / f"in.{form}", tmp_path / "out.parquet"
    frame = pd.DataFrame({"since": [day or None for day in days]})
    if form == "csv":
        frame.to_csv(source, index=False)
    else:
        frame.to_json(source, orient="records", lines=True)
    if refused:
        row = days.index("07/31/2019")
        with pytest.raises(DataError, match=f"'07/31/2019' in row {row}, a date month first"):
            predict_file(day_first, source, target, part_rows=part_rows)
        assert list(tmp_path.iterdir()) == [source]
    else:
        result = predict_file(day_first, source, target, part_rows=part_rows)
        wrong = sum(day in ("07/31/2019", "soon") for day in days)
        assert result.rejected_rows == wrong
