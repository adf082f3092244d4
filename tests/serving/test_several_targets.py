"""A model of several targets: asked by every protocol, its outcomes recorded and exported."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression

import lockgate
from lockgate.deployment.directory import Deployment
from lockgate.prediction_log.entries import LogEntry, Model
from lockgate.prediction_log.reader import Label, LabelIndex, LoggedPrediction
from lockgate.prediction_log.trace import trace
from tests.serving.running import serving

TARGETS = ("heating", "cooling load")
ARROW = "application/vnd.apache.arrow.stream"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> lockgate.Bundle:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"area": rng.gamma(2, 20, 200), "walls": rng.normal(size=200)})
    Y = pd.DataFrame({"heating": X["area"] / 10, "cooling load": X["walls"] + X["area"]})
    model = RandomForestRegressor(10, random_state=0).fit(X, Y)
    return lockgate.pack(model, X, Y, name="loads", path=tmp_path_factory.mktemp("made") / "loads")


@pytest.fixture
def deployed(bundle: lockgate.Bundle, tmp_path: Path) -> Deployment:
    live = Deployment(tmp_path / "live")
    live.deploy(bundle.path, version="1.0.0")
    return live


ROWS: list[dict[str, Any]] = [
    {"area": 30.5, "walls": -0.5},
    {"area": 80.0, "walls": 1.5},
    {"area": 11.0, "walls": 0.0},
]


def test_every_protocol_names_the_values(bundle: lockgate.Bundle, deployed: Deployment) -> None:
    expected = [
        dict(zip(TARGETS, values, strict=True)) for values in bundle.predict(ROWS).label.tolist()
    ]
    v2 = {
        "inputs": [
            {"name": name, "shape": [3], "datatype": "FP64", "data": [row[name] for row in ROWS]}
            for name in ("area", "walls")
        ]
    }
    one = {
        "inputs": [{**tensor, "shape": [1], "data": tensor["data"][:1]} for tensor in v2["inputs"]]
    }
    sink = io.BytesIO()
    table = pa.Table.from_pylist(ROWS)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    csv = "area,walls\n" + "".join(f"{row['area']},{row['walls']}\n" for row in ROWS)
    with serving(deployed.path) as server:
        alone = server.predict(ROWS[0])
        assert (alone["value"], "label" in alone, "score" in alone) == (expected[0], False, False)
        assert server.ask("POST", "/predict", {"rows": ROWS})[1]["values"] == expected
        by_csv = server.ask("POST", "/predict", csv.encode(), content_type="text/csv")[1]
        assert by_csv["values"] == expected
        raw = server.ask("POST", "/predict", sink.getvalue(), content_type=ARROW, accept=ARROW)[1]
        by_arrow = pa.ipc.open_stream(raw).read_all().to_pylist()
        assert by_arrow == [{f"value_{name}": row[name] for name in TARGETS} for row in expected]
        for body, count in ((v2, 3), (one, 1)):
            tensors = server.ask("POST", "/v2/models/loads/infer", body)[1]["outputs"]
            assert {tensor["name"]: tensor["data"] for tensor in tensors} == {
                f"value_{name}": [row[name] for row in expected[:count]] for name in TARGETS
            }
            assert [tensor["shape"] for tensor in tensors] == [[count]] * 2
        metadata = server.ask("GET", "/v2/models/loads")[1]
        assert [output["name"] for output in metadata["outputs"]] == [
            f"value_{name}" for name in TARGETS
        ]
        (served,) = server.ask("GET", "/")[1]["served"]
        assert served["targets"] == [*TARGETS]
        described = server.ask("GET", "/openapi.json")[1]["info"]["description"]
        assert "loads@1.0.0 has a number for each of heating, cooling load" in described
        mlflow = server.ask("POST", "/invocations", {"dataframe_records": ROWS})[1]
        assert mlflow["predictions"] == [[*row.values()] for row in expected]
        partial = {"rows": [ROWS[0], {"area": "large", "walls": 0}], "partial": True}
        assert server.ask("POST", "/predict", partial)[1]["values"] == [expected[0], None]


def test_outcomes_are_recorded_and_exported_for_each_target(
    bundle: lockgate.Bundle, deployed: Deployment, tmp_path: Path
) -> None:
    with serving(deployed.path) as server:
        alone = server.predict(ROWS[0])
        body = {"rows": ROWS[1:], "keys": ["b", "c"]}
        together = server.ask("POST", "/predict", body)[1]
        label = {"cooling load": 31, "heating": 3.5}
        said = server.ask("POST", "/feedback", {"id": alone["id"], "label": label})[1]
        assert said["labels"][0]["label"] == {"heating": 3.5, "cooling load": 31.0}
        for wrong, reason in (
            (3.5, "label 3.5 is a single value; expected values of heating, cooling"),
            ({"heatin": 3.5}, "has values of heatin; expected values of heating, cooling"),
            ({"heating": None}, "expected values of heating, cooling"),
            ({"heating": "warm"}, "label of heating 'warm' is not a finite number"),
            ({**label, "more": 1}, "has values of cooling load, heating, more; expected values"),
            ({**label, "heating": True}, "label of heating True is not a finite number"),
        ):
            answer = server.ask("POST", "/feedback", {"id": alone["id"], "label": wrong})
            assert answer[0] in (400, 422)
            assert reason in str(answer[1])
    record = trace(deployed, alone["id"])
    assert record is not None
    assert record["value"] == alone["value"]
    assert [label["label"] for label in record["labels"]] == [
        {"heating": 3.5, "cooling load": 31.0}
    ]
    file = tmp_path / "late.csv"
    file.write_text("key,heating,cooling load\nb,8,81.5\nc,1,\nd,1,2\n")
    imported = lockgate.import_labels(deployed.path, file, by="key", label=TARGETS)
    assert (imported.labels, imported.empty, imported.matching) == (3, 0, 2)
    file.write_text("key,heating,cooling load\nb,9,\ne,,\n")
    imported = lockgate.import_labels(deployed.path, file, by="key", label="heating")
    assert (imported.labels, imported.empty) == (1, 1)
    file.write_text("key,wrong\nb,8\n")
    with pytest.raises(lockgate.DataError, match="row 1: label 8 is a single value; expected val"):
        lockgate.import_labels(deployed.path, file, by="key", label="wrong")
    out = tmp_path / "log.parquet"
    lockgate.export_log(deployed.path, out)
    log = pd.read_parquet(out).set_index("prediction.key")
    values = [alone["value"], *together["values"]]
    exported = log[[f"prediction.value_{name}" for name in TARGETS]].to_numpy().tolist()
    assert exported == [[*row.values()] for row in values]
    known = log[list(TARGETS)]
    # the latest of each target
    assert known.loc["b"].tolist() == [9.0, 81.5]
    assert known.loc["c", "heating"] == 1
    assert np.isnan(known.loc["c", "cooling load"])
    assert known.iloc[0].tolist() == [3.5, 31.0]
    evaluated = lockgate.evaluate(bundle, out)
    assert evaluated.rows == 2
    assert evaluated.metrics["regression"]["mae_heating"]["estimate"] < 2


def test_files_have_a_column_for_each_target(bundle: lockgate.Bundle, tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    pd.DataFrame(ROWS).assign(value_heating=1).to_csv(source, index=False)
    lockgate.predict_file(bundle, source, target)
    written = pd.read_csv(target)
    assert list(written) == ["row", "value_heating", "value_cooling load"]
    assert np.array_equal(written.iloc[:, 1:].to_numpy(), bundle.predict(ROWS).label)
    with pytest.raises(lockgate.UsageError, match="value_heating cannot be kept"):
        lockgate.predict_file(bundle, source, tmp_path / "b.csv", keep=["value_heating"])


def test_a_refused_row_has_no_values_in_the_log(deployed: Deployment, tmp_path: Path) -> None:
    with serving(deployed.path) as server:
        body = {"rows": [ROWS[0], {"area": "large", "walls": 0}], "partial": True}
        answer = server.ask("POST", "/predict", body)[1]
    out = tmp_path / "log.parquet"
    lockgate.export_log(deployed.path, out)
    values = pd.read_parquet(out)["prediction.value_heating"]
    assert values.isna().tolist() == [False, True]
    record = trace(deployed, f"{answer['id']}.1")
    assert record is not None
    assert record["value"] is None


def test_labels_in_parts_are_one_label_with_the_latest_of_each_target() -> None:
    def label(at: int, values: object, *, key: str | None = None) -> Label:
        return Label("" if key else "w", 0 if key else 1, 0, key, values, at, "api")

    index = LabelIndex(
        iter(
            [
                label(3, {"a": 3.0}),
                label(1, {"a": 1.0, "b": 1.0}),
                label(2, {"b": 2.0, "c": 2.0}, key="k"),
            ]
        )
    )
    entry = LogEntry(1, 0, [], [0.0], key="k")
    prediction = LoggedPrediction("w", 0, Model("d", "m", "1", "prod", ()), entry)
    merged = index.find(prediction, 0, "k")
    assert merged is not None
    assert merged.label == {"a": 3.0, "b": 1.0, "c": 2.0}


def test_versions_of_other_targets_are_exported_together_and_keep_their_labels(
    bundle: lockgate.Bundle, deployed: Deployment, tmp_path: Path
) -> None:
    X = pd.DataFrame(ROWS * 20)
    single = LinearRegression().fit(X, X["area"])
    y = X["area"].rename("heating")
    lockgate.pack(single, X, y + 0.001, name="loads", path=tmp_path / "loads")
    with serving(deployed.path) as server:
        several = server.predict(ROWS[0])
    deployed.deploy(tmp_path / "loads", version="2.0.0")
    with serving(deployed.path) as server:
        alone = server.predict(ROWS[0])
        # a label by id is one of the version that predicted
        for said, label, status in (
            (several, {"heating": 1, "cooling load": 2}, 200),
            (several, 4, 422),
            (alone, 4, 200),
            (alone, {"heating": 1}, 422),
        ):
            body = {"id": said["id"], "label": label}
            assert server.ask("POST", "/feedback", body)[0] == status
    late = tmp_path / "late.csv"
    late.write_text(f"id,heating,cooling load\n{several['id']},1.5,\n{alone['id']},4.5,9\n")
    options: dict[str, Any] = {"by": "id", "ids": True}
    assert lockgate.import_labels(deployed.path, late, label=TARGETS, **options).labels == 2
    late.write_text(f"id,heating\n{several['id']},1.6\n{alone['id']},4.6\n")
    assert lockgate.import_labels(deployed.path, late, label="heating", **options).labels == 2
    out = tmp_path / "log.parquet"
    lockgate.export_log(deployed.path, out)
    log = pd.read_parquet(out).set_index("prediction.version").sort_index()
    assert log["heating"].tolist() == [1.6, 4.6]
    assert log["cooling load"].tolist()[0] == 2
    assert log["prediction.value_heating"].notna().tolist() == [True, False]
    assert log["prediction.value"].notna().tolist() == [False, True]
    lockgate.export_log(deployed.path, out, version="1.0.0")
    assert "prediction.value" not in pd.read_parquet(out)
