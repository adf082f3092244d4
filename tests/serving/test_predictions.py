"""The first thing that a server does: answer as the bundle does."""

from __future__ import annotations

import html
import io
import json
import re
import shlex
import urllib.request
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sklearn.linear_model import QuantileRegressor

import lockgate
from lockgate.deployment.directory import Deployment
from lockgate.prediction_log.trace import trace
from tests.serving.conftest import rows
from tests.serving.running import serving

ROW = {"months": 3, "charge": 80.5, "calls": None, "plan": "plus", "abroad": "yes"}


def test_a_row_gets_the_bundles_answer_an_id_and_its_version(
    deployed: Deployment, bundles: dict[str, Path]
) -> None:
    expected = lockgate.open(bundles["logistic"]).predict_one(ROW)
    with serving(deployed.path) as server:
        said = server.predict(ROW)
        assert (said["label"], said["score"]) == (expected.label, expected.score)
        assert (said["model"], said["version"]) == ("churn", "1.0.0")
        assert said["filled"] == {"gaps": {"calls": 1}}
        assert server.predict(list(ROW.values()))["score"] == expected.score
        assert server.predict(ROW)["id"] != said["id"]


def test_every_protocol_says_what_training_did_not_have(deployed: Deployment) -> None:
    row = ROW | {"plan": "pluss"}
    sentence = (
        "column plan: 1 of 1 cells (100.0%) hold categories that training did not have: 'pluss', "
        "did you mean 'plus'?"
    )
    counts = {"gaps": {"calls": 1}, "unknown": {"plan": 1}}
    v2 = {
        "inputs": [
            {"name": name, "shape": [1, 1], "datatype": "BYTES", "data": [value]}
            if isinstance(value, str)
            else {"name": name, "shape": [1, 1], "datatype": "FP64", "data": [value]}
            for name, value in row.items()
        ]
    }
    sink = io.BytesIO()
    table = pa.Table.from_pylist([row])
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    arrow = "application/vnd.apache.arrow.stream"
    with serving(deployed.path) as server:
        for path, body in (
            ("/predict", {"row": row}),
            ("/predict", {"rows": [row]}),
            ("/invocations", {"dataframe_records": [row]}),
        ):
            _, answered, _ = server.ask("POST", path, body)
            assert (answered["filled"], answered["warnings"]) == (counts, [sentence])
        _, answered, _ = server.ask("POST", "/v2/models/churn/infer", v2)
        texts = answered["parameters"]
        assert [json.loads(texts[key]) for key in ("filled", "warnings")] == [counts, [sentence]]
        headers = {"content-type": arrow, "accept": arrow}
        _, raw, _ = server.ask("POST", "/predict", sink.getvalue(), **headers)
        metadata = pa.ipc.open_stream(raw).schema.metadata
        assert json.loads(metadata[b"warnings"]) == [sentence]
        assert "warnings" not in server.predict(ROW)


def test_tabs_may_separate_the_cells_of_a_body(deployed: Deployment) -> None:
    frame = rows(20, seed=2)
    commas = frame.to_csv(index=False).encode()
    tabs = frame.to_csv(index=False, sep="\t").encode()
    with serving(deployed.path) as server:
        expected = server.ask("POST", "/predict", commas, content_type="text/csv")[1]["scores"]
        for kind in ("text/csv", "text/tab-separated-values"):
            answered = server.ask("POST", "/predict", tabs, content_type=kind)[1]
            assert answered["scores"] == expected


def test_rows_and_columns_get_what_one_row_gets(deployed: Deployment) -> None:
    frame = rows(50, seed=1).astype(object).where(lambda f: f.notna(), None)
    records: list[Any] = frame.to_dict("records")
    with serving(deployed.path) as server:
        alone = [server.predict(one)["score"] for one in records]
        _, many, _ = server.ask("POST", "/predict", {"rows": records})
        _, columns, _ = server.ask("POST", "/predict/churn", {"columns": frame.to_dict("list")})
    assert many["scores"] == columns["scores"] == alone
    assert many["labels"] == columns["labels"]


@pytest.mark.parametrize("cell", [b"1e400", b'"\xff"', b'[{"a": 1e400}]'])
def test_a_column_that_the_model_does_not_take_is_ignored_by_every_form(
    deployed: Deployment, bundles: dict[str, Path], cell: bytes
) -> None:
    expected = lockgate.open(bundles["logistic"]).predict_one(ROW).score
    names = list(ROW)
    cells = {name: json.dumps(cell).encode() for name, cell in ROW.items()}
    nested = b'{"months": [1]}'

    def forms(cells: dict[str, bytes]) -> dict[tuple[str, str], bytes]:
        row = b"{%b}" % b", ".join(b'"%b": %b' % (k.encode(), v) for k, v in cells.items())
        columns = b"{%b}" % b", ".join(b'"%b": [%b]' % (k.encode(), v) for k, v in cells.items())
        split = b"[%b]" % b", ".join(cells.values())
        return {
            ("/predict", "row"): b'{"row": %b}' % row,
            ("/predict", "rows"): b'{"rows": [%b]}' % row,
            ("/predict", "partial"): b'{"rows": [%b, %b], "partial": true}' % (row, nested),
            ("/predict", "columns"): b'{"columns": %b}' % columns,
            ("/invocations", "records"): b'{"dataframe_records": [%b]}' % row,
            ("/invocations", "inputs"): b'{"inputs": %b}' % columns,
            ("/invocations", "split"): b'{"dataframe_split": {"columns": %b, "data": [%b]}}'
            % (json.dumps(list(cells)).encode(), split),
        }

    with serving(deployed.path) as server:
        for (path, form), body in forms({**cells, "note": cell}).items():
            status, answer, _ = server.ask("POST", path, body)
            assert status == 200, (form, answer)
            if path == "/predict":
                assert answer.get("score", answer.get("scores", [None])[0]) == expected, form
        for (path, form), body in forms({**cells, names[1]: cell}).items():
            status, answer, _ = server.ask("POST", path, body)
            assert status in (400, 422), (form, answer)


def test_the_front_page_shows_a_request_that_works_as_it_stands(
    deployed: Deployment, tmp_path: Path
) -> None:
    with serving(deployed.path) as server:
        _, raw, head = server.ask("GET", "/", accept="text/html")
        assert "default-src 'none'" in head["content-security-policy"]
        (command,) = re.findall(r"<pre>(.*?)</pre>", raw.decode(), re.DOTALL)
        words = shlex.split(html.unescape(command))
        assert words[0] == "curl"
        address, body = words[1], words[-1]
        request = urllib.request.Request(
            address, body.encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["version"] == "1.0.0"
        listed = server.ask("GET", "/")[1]["served"]
        assert [one["model"] for one in listed] == ["churn"]


@pytest.mark.parametrize("key", ["spend", "logistic", "three"])
def test_intervals_and_sets_are_those_of_the_bundle_by_every_protocol(
    key: str, fitted: dict[str, Any], tmp_path: Path
) -> None:
    estimator, frame, y = fitted[key]
    tune = frame[:300], y[:300]
    path = tmp_path / key
    bundle = lockgate.pack(estimator, frame, y, name=key, path=path, tune=tune, coverage=0.9)
    deployed = Deployment(tmp_path / "live")
    deployed.deploy(path, version="1.0.0")
    records = rows(3, seed=5).astype(object).where(lambda part: part.notna(), None)
    wanted = records.to_dict("records")
    expected = bundle.predict_frame(wanted)
    regression = key == "spend"
    members = [] if regression else [[*map(str, json.loads(text))] for text in expected["set"]]
    bounds = expected[["low", "high"]].to_numpy().tolist() if regression else []
    one = bundle.predict_one(wanted[0])
    assert one.interval == (bounds[0] if regression else None)
    v2 = {
        "inputs": [
            {
                "name": name,
                "shape": [3, 1],
                "datatype": "BYTES" if isinstance(wanted[0][name], str) else "FP64",
                "data": [row[name] for row in wanted],
            }
            for name in frame
        ]
    }
    sink = io.BytesIO()
    table = pa.Table.from_pylist(wanted)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    arrow = "application/vnd.apache.arrow.stream"
    with serving(deployed.path) as server:
        alone = server.predict(wanted[0])
        together = server.ask("POST", "/predict", {"rows": wanted})[1]
        tensors = server.ask("POST", f"/v2/models/{key}/infer", v2)[1]["outputs"]
        described = server.ask("GET", "/openapi.json")[1]["info"]["description"]
        raw = server.ask("POST", "/predict", sink.getvalue(), content_type=arrow, accept=arrow)[1]
    outputs = {tensor["name"]: tensor for tensor in tensors}
    by_arrow = pa.ipc.open_stream(raw).read_all().to_pydict()
    if regression:
        assert alone["interval"] == bounds[0]
        assert together["intervals"] == bounds
        assert [
            list(pair) for pair in zip(by_arrow["low"], by_arrow["high"], strict=True)
        ] == bounds
        assert outputs["low"]["data"] == [low for low, _ in bounds]
    else:
        texts = [[str(label) for label in labels] for labels in together["sets"]]
        assert [str(label) for label in alone["set"]] == members[0]
        assert texts == members
        assert by_arrow["set"] == expected["set"].tolist()
        flags = [[str(label) in part for label in bundle.classes] for part in members]
        assert outputs["set"]["shape"] == [3, len(bundle.classes)]
        assert outputs["set"]["data"] == [flag for part in flags for flag in part]
    record = trace(deployed, alone["id"])
    assert record is not None
    assert record["interval" if regression else "set"] == alone["interval" if regression else "set"]
    assert "hold the truth for 90 % of like rows" in described
    with pytest.raises(lockgate.UsageError, match=r"pass tune=\(X, y\)"):
        lockgate.pack(estimator, frame, y, path=tmp_path / "other", coverage=0.9)
    with pytest.raises(lockgate.UsageError, match="between 0 and 1"):
        lockgate.pack(estimator, frame, y, path=tmp_path / "other", coverage=90, tune=tune)


def test_a_server_says_which_quantile_it_predicts(fitted: dict[str, Any], tmp_path: Path) -> None:
    _, frame, y = fitted["spend"]
    numbers = frame[["months", "charge"]].fillna(0)
    model = QuantileRegressor(quantile=0.75, alpha=0).fit(numbers, y)
    lockgate.pack(model, numbers, y, name="spend", path=tmp_path / "spend")
    deployed = Deployment(tmp_path / "live")
    deployed.deploy(tmp_path / "spend", version="1.0.0")
    with serving(deployed.path) as server:
        assert server.ask("GET", "/")[1]["served"][0]["quantile"] == 0.75
        assert server.ask("GET", "/v2/models/spend")[1]["parameters"]["quantile"] == 0.75
        described = server.ask("GET", "/openapi.json")[1]["info"]["description"]
    assert "Values of spend@1.0.0 are the 0.75 quantile" in described
