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

import lockgate
from lockgate.deployment.directory import Deployment
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
