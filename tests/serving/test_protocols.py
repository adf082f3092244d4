"""Other servers' clients get from ours what they get from theirs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import lockgate
from lockgate.deployment.directory import Deployment
from lockgate.errors import LogError
from lockgate.prediction_log.trace import trace
from lockgate.serving.http.messages import HTTPError
from lockgate.serving.protocols.v2.tensors import Tensor, unpack
from tests.serving.conftest import rows
from tests.serving.running import Server, serving
from tests.serving.test_predictions import ROW

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
NUMBERS = ("months", "charge", "calls")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, bundles: dict[str, Path]) -> Iterator[Server]:
    deployment = Deployment(tmp_path_factory.mktemp("protocols") / "live")
    for key, version in (("boosting", "1.0"), ("three", "3.0"), ("spend", "0.5")):
        deployment.deploy(bundles[key], version=version)
    with serving(deployment.path, "--workers", "2") as made:
        yield made


def tensors(frame: Any, *, binary: bool) -> list[Any]:
    from tritonclient.http import InferInput

    made = []
    for name in frame:
        number = name in NUMBERS
        values = frame[name].to_numpy(dtype=float if number else object).reshape(-1, 1)
        one = InferInput(name, list(values.shape), "FP64" if number else "BYTES")
        one.set_data_from_numpy(values, binary_data=binary)
        made.append(one)
    return made


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("count", [1, 40])
def test_tritons_client_gets_the_bundles_answers(
    server: Server, bundles: dict[str, Path], binary: bool, count: int
) -> None:
    from tritonclient.http import InferenceServerClient, InferRequestedOutput

    frame = rows(count, seed=5)
    if not binary:
        frame["calls"] = frame["calls"].fillna(
            1.5
        )  # the client writes NaN into JSON, which has none
    client = InferenceServerClient(f"127.0.0.1:{server.port}")
    assert client.is_server_live()
    assert client.is_server_ready()
    for name, key in (("churn", "boosting"), ("kinds", "three")):
        assert client.is_model_ready(name)
        described = client.get_model_metadata(name)
        assert [one["name"] for one in described["inputs"]] == list(frame)
        outputs = [InferRequestedOutput(one, binary_data=binary) for one in ("label", "score")]
        found = client.infer(name, tensors(frame, binary=binary), outputs=outputs, request_id="q7")
        expected = lockgate.open(bundles[key]).predict(frame)
        assert np.array_equal(found.as_numpy("score"), expected.score)
        labels = found.as_numpy("label")
        if name == "kinds":
            labels = np.array([one.decode() if isinstance(one, bytes) else one for one in labels])
        assert labels.tolist() == expected.label.tolist()
        response = found.get_response()
        assert response["id"] == "q7"
        assert response["parameters"]["prediction_id"]
    with pytest.raises(Exception, match="no model 'nobody'"):
        client.infer("nobody", tensors(frame, binary=binary))
    client.close()


def test_a_matrix_is_rows_in_the_order_of_the_inputs(tmp_path: Path) -> None:
    from sklearn.datasets import load_iris
    from sklearn.tree import DecisionTreeClassifier

    X, y = load_iris(return_X_y=True, as_frame=True)
    model = DecisionTreeClassifier(random_state=0, max_depth=3).fit(X, y)
    lockgate.pack(model, X, y, name="iris", path=tmp_path / "iris")
    deployment = Deployment(tmp_path / "live")
    deployment.deploy(tmp_path / "iris")
    with serving(deployment.path) as server:
        single = np.float32(X.to_numpy())
        for datatype, data in (("FP64", X.to_numpy()), ("FP32", single)):
            tensor = {
                "name": "X",
                "shape": [len(X), 4],
                "datatype": datatype,
                "data": data.tolist(),
            }
            status, said, _ = server.ask("POST", "/v2/models/iris/infer", {"inputs": [tensor]})
            assert status == 200, said
            wide = pd.DataFrame(np.float64(data), columns=X.columns)
            assert said["outputs"][0]["data"] == model.predict(wide).tolist()


def test_mlflows_forms_get_one_answer(server: Server, bundles: dict[str, Path]) -> None:
    frame = rows(30, seed=6)
    plain = frame.astype(object).where(frame.notna(), None)
    deployment = Deployment(server.folder)
    assert deployment.exists()
    split = {"columns": list(plain), "data": plain.to_numpy().tolist(), "index": list(range(30))}
    forms = {
        "dataframe_split": split,
        "dataframe_records": plain.to_dict("records"),
        "inputs": plain.to_dict("list"),
        "instances": plain.to_dict("records"),
    }
    status, said, _ = server.ask("POST", "/invocations", {"dataframe_split": split})
    assert status == 404  # three models are served here, and this path names none
    assert "choose one" in said["error"]
    alone = Deployment(server.folder.parent / "alone")
    alone.deploy(bundles["boosting"])
    with serving(alone.path) as one:
        opened = lockgate.open(bundles["boosting"])
        expected = opened.predict(frame)
        for name, body in forms.items():
            status, said, _ = one.ask("POST", "/invocations", {name: body})
            assert status == 200, said
            assert said["predictions"] == expected.label.tolist(), name
        body = {"inputs": forms["inputs"], "params": {"predict_method": "predict_proba"}}
        pairs = [[1 - score, score] for score in expected.score.tolist()]
        assert one.ask("POST", "/invocations", body)[1]["predictions"] == pairs
        body["params"] = {"predict_method": "transform"}
        status, said, _ = one.ask("POST", "/invocations", body)
        assert status == 400
        assert "available: predict, predict_proba, decision_function" in said["error"]
        text = frame.to_csv(index=False).encode()
        status, said, _ = one.ask("POST", "/invocations", text, content_type="text/csv")
        assert said["predictions"] == expected.label.tolist()
        for path in ("/ping", "/health", "/version"):
            assert one.ask("GET", path)[0] == 200


def test_an_arrow_stream_is_answered_with_one(server: Server, bundles: dict[str, Path]) -> None:
    frame = rows(5000, seed=8)  # more than is computed at once
    expected = lockgate.open(bundles["three"]).predict(frame)
    sink = io.BytesIO()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=700)
    kind = "application/vnd.apache.arrow.stream"
    status, raw, head = server.ask(
        "POST", "/predict/kinds", sink.getvalue(), content_type=kind, accept=kind
    )
    assert (status, head["content-type"]) == (200, kind)
    found = pa.ipc.open_stream(raw).read_all()
    assert found["label"].to_pylist() == expected.label.tolist()
    classes = lockgate.open(bundles["three"]).manifest.classes
    for k, name in enumerate(classes):
        assert found[f"score_{name}"].to_pylist() == expected.score[:, k].tolist()
    assert found.schema.metadata[b"version"] == b"3.0"


def test_versions_stand_in_the_path(server: Server) -> None:
    assert server.ask("GET", "/v2/models/churn/versions/1.0")[1]["name"] == "churn"
    assert server.ask("GET", "/v2/models/churn/versions/prod/ready")[1]["ready"] is True
    assert server.ask("GET", "/v2/models/churn/versions/7")[0] == 404
    for body in (None, {}, {"ready": True}):
        status, index, _ = server.ask("POST", "/v2/repository/index", body)
        assert status == 200
        assert {"name": "churn", "version": "1.0", "state": "READY", "reason": ""} in index


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        ({"shape": [2], "datatype": "FP64", "data": [1.0]}, "shape [2] does not fit 1 elements"),
        ({"shape": [1], "datatype": "FP65", "data": [1.0]}, "FP65"),
        ({"shape": [-1], "datatype": "FP64", "data": []}, "negative"),
        ({"shape": [1], "datatype": "FP64", "data": ["x"]}, "expected FP64"),
        ({"shape": [1], "datatype": "INT8", "data": [300]}, "out of the range of INT8"),
        ({"shape": [1], "datatype": "INT64", "data": [1.5]}, "expected INT64"),
        ({"shape": [1], "datatype": "BYTES", "data": [5]}, "expected a text"),
        ({"shape": [1], "datatype": "BOOL", "data": [1]}, "expected BOOL"),
        (
            {"shape": [1], "datatype": "FP64", "parameters": {"binary_data_size": 8}},
            "0 bytes follow",
        ),
        (
            {"shape": [2, 2], "datatype": "FP64", "data": [[1.0, 2.0], [3.0]]},
            "do not have the shape [2, 2]",
        ),
        ({"shape": [10**9, 10**9], "datatype": "FP64", "data": []}, "more than"),
        ({"shape": [1], "datatype": "FP64"}, "expected data or binary_data_size"),
    ],
)
def test_tensors_that_make_no_sense_are_named(
    server: Server, tensor: dict[str, Any], words: str
) -> None:
    body = {"inputs": [{"name": "charge", **tensor}]}
    status, said, _ = server.ask("POST", "/v2/models/churn/infer", body)
    assert status == 400
    assert words in said["error"], said


def test_keys_arrive_by_every_protocol(deployed: Deployment) -> None:
    datatypes = {str: "BYTES", int: "INT64"}

    def tensors(rows: int) -> dict[str, Any]:
        cells = ROW | {"customer": 17}
        return {
            "inputs": [
                {
                    "name": n,
                    "shape": [rows, 1],
                    "datatype": datatypes.get(type(v), "FP64"),
                    "data": [v] * rows,
                }
                for n, v in cells.items()
            ]
        }

    with serving(deployed.path, "--key", "customer") as server:
        name = server.status["served"][0]["model"]
        keyed = ROW | {"customer": 17}
        ids = [
            server.predict(keyed)["id"],
            server.ask("POST", "/predict", {"rows": [keyed] * 2})[1]["id"] + ".1",
            server.ask("POST", f"/v2/models/{name}/infer", tensors(1))[1]["id"],
            server.ask("POST", f"/v2/models/{name}/infer", tensors(2))[1]["id"] + ".1",
            server.ask("POST", "/invocations", {"dataframe_records": [keyed]})[1]["id"],
            server.ask(
                "POST",
                "/invocations",
                pd.DataFrame([keyed]).to_csv(index=False).encode(),
                content_type="text/csv",
            )[1]["id"],
        ]
        assert server.ask("POST", "/predict", {"rows": [ROW], "key": 1})[0] == 422
        assert server.ask("POST", "/predict", {"row": ROW, "keys": [1]})[0] == 422
        assert server.ask("POST", "/feedback", {"id": ids[1][:-2], "label": 1})[0] == 422
        server.predict(ROW)
        assert any("--key names" in record["message"] for record in server.records())
    for identifier in ids:
        record = trace(deployed, identifier)
        assert record is not None, (identifier, ids)
        assert record["key"] == "17", identifier
    with pytest.raises(LogError, match=r"has 2 rows; expected the id of one of them"):
        trace(deployed, ids[1][:-2])


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ([2, 3], [[1, 4], [2, 5], [3, 6]]),
        ([2, 3], [[1, 4, 2, 5], [3, 6]]),
        ([2, 3], [[1, 2, 3], 4, 5, 6]),
        ([2, 1], [[1, 2]]),
        ([2], [[1, 2]]),
        ([2, 1], [[[1]], [[2]]]),
        ([2, 3], [1, 2, 3, [4, 5, 6]]),
        ([40_000, 2], [[1] * 40_000] * 2),
    ],
)
def test_nested_data_must_have_the_shape_of_their_tensor(shape: list[int], data: list[Any]) -> None:
    tensor = Tensor("x", "FP64", shape, msgspec.Raw(msgspec.json.encode(data)))
    with pytest.raises(HTTPError, match=r"nested|does not fit"):
        unpack(tensor, memoryview(b""))


def test_nested_data_of_the_right_shape_are_flattened() -> None:
    tensor = Tensor("x", "FP64", [2, 3], msgspec.Raw(b"[[1,2,3],[4,5,6]]"))
    assert unpack(tensor, memoryview(b""))[0] == [1, 2, 3, 4, 5, 6]
