"""Paths by which the rows of a file reach a model, and the scores that come back."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq

import lockgate
from lockgate.batch.predict_file import predict_file
from lockgate.contract.requests import numpy_backend
from lockgate.deployment.directory import Deployment
from lockgate.modeling.statistics.histograms import count_window
from lockgate.models.bundle.labelled_rows import read_rows, table_of
from lockgate.models.bundle.open import Bundle
from lockgate.serving.application import Application
from lockgate.serving.endpoints import all_routes
from lockgate.serving.http.connection_pool import ConnectionPool
from lockgate.serving.prediction.model_store import LoadedModel, ModelStore
from lockgate.serving.settings import ServeSettings
from lockgate.serving.telemetry.metrics import PAGE, MetricsRecorder

ARROW = "application/vnd.apache.arrow.stream"


@dataclasses.dataclass
class Case:
    """A training file, the bundle that was made of it, and a folder for files."""

    file: Path
    table: lockgate.Table
    bundle: Bundle
    folder: Path

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.bundle.manifest.schema.features]

    @property
    def cells(self) -> dict[str, list[Any]]:
        """The table's cells as plain Python values; a missing one is None."""
        return {name: [_plain(cell) for cell in self.table.frame[name]] for name in self.names}

    @property
    def records(self) -> list[dict[str, Any]]:
        columns = self.cells
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(cell: Any) -> Any:
    if cell is None or cell is pd.NaT or cell != cell:
        return None
    if isinstance(cell, pd.Timestamp):
        return cell.to_pydatetime()
    return cell.item() if isinstance(cell, np.generic) else cell


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime.datetime) else value


def _json_columns(case: Case) -> dict[str, list[Any]]:
    return {name: [_json(cell) for cell in cells] for name, cells in case.cells.items()}


def _json_records(case: Case) -> list[dict[str, Any]]:
    return [{name: _json(cell) for name, cell in row.items()} for row in case.records]


def _scores(output: lockgate.Output) -> list[float]:
    assert output.score is not None
    return list(output.score)


def data_frame(case: Case) -> list[float]:
    return _scores(case.bundle.predict(case.table.features))


def arrow_table(case: Case) -> list[float]:
    return _scores(case.bundle.predict(pa.table(case.cells)))  # type: ignore[arg-type]  # packed models take it


def arrow_backed_frame(case: Case) -> list[float]:
    frame = pa.table(case.cells).to_pandas(types_mapper=pd.ArrowDtype)
    return _scores(case.bundle.predict(frame))


def nullable_frame(case: Case) -> list[float]:
    return _scores(case.bundle.predict(case.table.features.convert_dtypes()))


def categorical_frame(case: Case) -> list[float]:
    frame = case.table.features.copy()
    for column in case.bundle.manifest.schema.features:
        if column.kind == "category":
            frame[column.name] = frame[column.name].astype("category")
    return _scores(case.bundle.predict(frame))


def object_frame(case: Case) -> list[float]:
    return _scores(case.bundle.predict(pd.DataFrame(case.cells, dtype=object)))


def records(case: Case) -> list[float]:
    return _scores(case.bundle.predict(case.records))  # type: ignore[arg-type]  # packed models take it


def columns_of_lists(case: Case) -> list[float]:
    return _scores(case.bundle.predict(case.cells))


def one_by_one(case: Case) -> list[float]:
    return [case.bundle.predict_one(row).score for row in case.records]


def evaluate(case: Case) -> list[float]:
    rows = read_rows(case.file, case.bundle.manifest.schema)
    return _scores(case.bundle.predict(table_of(case.bundle, rows).features))


def _predict_file(case: Case, source: Path) -> list[float]:
    target = case.folder / "out.parquet"
    done = predict_file(case.bundle, source, target, force=True)
    assert not done.rejected_rows, done.rejected and done.rejected.read_text()
    return list(pq.read_table(target)["score"].to_pylist())


def training_file(case: Case) -> list[float]:
    return _predict_file(case, case.file)


def compressed_csv_file(case: Case) -> list[float]:
    import gzip

    if case.file.suffix != ".csv":
        return training_file(case)
    path = case.folder / "in.csv.gz"
    path.write_bytes(gzip.compress(case.file.read_bytes()))
    return _predict_file(case, path)


def parquet_file(case: Case) -> list[float]:
    pq.write_table(pa.table(case.cells), case.folder / "in.parquet")
    return _predict_file(case, case.folder / "in.parquet")


def arrow_file(case: Case) -> list[float]:
    pa.feather.write_feather(pa.table(case.cells), str(case.folder / "in.feather"))
    return _predict_file(case, case.folder / "in.feather")


def ndjson_file(case: Case) -> list[float]:
    lines = [json.dumps(row) + "\n" for row in _json_records(case)]
    (case.folder / "in.ndjson").write_text("".join(lines))
    return _predict_file(case, case.folder / "in.ndjson")


def monitor_counts(case: Case) -> list[float]:
    """Count the file's rows as monitors do: they are those that the reference was made of."""
    reference = case.bundle.reference()
    rows = table_of(case.bundle, read_rows(case.file, case.bundle.manifest.schema))
    counts = count_window(reference, rows.features, numpy_backend())
    for bins in reference.columns:
        assert counts[bins.column].counts == bins.counts, bins.column
    return evaluate(case)


# over HTTP: the server's own application, on a socket


def ask(case: Case, path: str, body: bytes, kind: str, **headers: str) -> Any:
    """Send a request to the server; JSON is decoded."""
    return asyncio.run(_ask(case, path, body, kind, headers))


async def _ask(case: Case, path: str, body: bytes, kind: str, headers: dict[str, str]) -> Any:
    metrics = MetricsRecorder(bytearray(2 * PAGE), 1)  # type: ignore[arg-type]  # memory of one process
    app = Application(ModelStore([_loaded(case)]), ServeSettings(), metrics)
    app.mount(all_routes(app))
    pool = ConnectionPool(app, app.settings.limits)
    socket = case.folder / "s"
    server = await asyncio.get_running_loop().create_unix_server(pool.make, socket)
    reader, writer = await asyncio.open_unix_connection(socket)
    lines = [f"POST {path} HTTP/1.1", "host: localhost", f"content-type: {kind}"]
    lines += [f"content-length: {len(body)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    reply = await reader.read()
    writer.close()
    server.close()
    head, _, content = reply.partition(b"\r\n\r\n")
    assert b" 200 " in head.partition(b"\r\n")[0], content
    if b"inference-header-content-length" in head:
        return content
    answer = json.loads(content)
    assert "unknown" not in answer.get("filled", {}), answer["filled"]
    return answer


LOADED: dict[Path, LoadedModel] = {}


def _loaded(case: Case) -> LoadedModel:
    if case.bundle.path not in LOADED:
        deployment = Deployment(case.folder / "live")
        (slot,) = deployment.deploy(case.bundle.path, version="1.0.0").slots
        LOADED[case.bundle.path] = LoadedModel(slot, deployment.bundle(slot.digest))
    return LOADED[case.bundle.path]


def _ask_json(case: Case, path: str, body: Any) -> Any:
    return ask(case, path, msgspec.json.encode(body), "application/json")


def http_row(case: Case) -> list[float]:
    return [_ask_json(case, "/predict", {"row": row})["score"] for row in _json_records(case)[:12]]


def http_rows(case: Case) -> list[float]:
    return list(_ask_json(case, "/predict", {"rows": _json_records(case)})["scores"])


def http_rows_in_order(case: Case) -> list[float]:
    rows = [list(row.values()) for row in _json_records(case)]
    return list(_ask_json(case, "/predict", {"rows": rows})["scores"])


def http_columns(case: Case) -> list[float]:
    return list(_ask_json(case, "/predict", {"columns": _json_columns(case)})["scores"])


def _csv_body(case: Case) -> bytes:
    if case.file.suffix == ".csv":
        return case.file.read_bytes()
    sink = io.BytesIO()
    columns = {name: pa.array(cells) for name, cells in _json_columns(case).items()}
    pa.csv.write_csv(pa.table(columns), sink)
    return sink.getvalue()


def http_csv(case: Case) -> list[float]:
    return list(ask(case, "/predict", _csv_body(case), "text/csv")["scores"])


def http_arrow(case: Case) -> list[float]:
    table, sink = pa.table(case.cells), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return list(ask(case, "/predict", sink.getvalue().to_pybytes(), ARROW)["scores"])


def _tensors(case: Case) -> list[dict[str, Any]]:
    kinds = {column.name: column.kind for column in case.bundle.manifest.schema.features}
    types = {"number": "FP64", "integer": "FP64", "boolean": "BOOL"}
    return [
        {
            "name": name,
            "datatype": types.get(kinds[name], "BYTES"),
            "shape": [len(cells), 1],
            "data": [bool(c) if c is not None and kinds[name] == "boolean" else c for c in cells],
        }
        for name, cells in _json_columns(case).items()
    ]


def v2_json(case: Case) -> list[float]:
    answer = _ask_json(case, "/v2/models/m/infer", {"inputs": _tensors(case)})
    return list({one["name"]: one for one in answer["outputs"]}["score"]["data"])


def v2_binary(case: Case) -> list[float]:
    inputs, raws = [], []
    for tensor in _tensors(case):
        cells = tensor.pop("data")
        if tensor["datatype"] == "BYTES" and None not in cells:
            texts = [cell.encode() for cell in cells]
            raw = b"".join(struct.pack("<I", len(text)) + text for text in texts)
        elif tensor["datatype"] == "FP64":
            raw = np.array(cells, dtype=float).tobytes()
        else:  # binary texts and truth values cannot be missing
            inputs.append({**tensor, "data": cells})
            continue
        inputs.append({**tensor, "parameters": {"binary_data_size": len(raw)}})
        raws.append(raw)
    outputs = [{"name": "score", "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": inputs, "outputs": outputs}).encode()
    content = ask(
        case,
        "/v2/models/m/infer",
        head + b"".join(raws),
        "application/octet-stream",
        inference_header_content_length=str(len(head)),
    )
    return list(np.frombuffer(content[-8 * len(case.table) :], float))


def _invocations(case: Case, body: dict[str, Any]) -> list[float]:
    answer = _ask_json(
        case, "/invocations", {**body, "params": {"predict_method": "predict_proba"}}
    )
    return [second for _, second in answer["predictions"]]


def mlflow_split(case: Case) -> list[float]:
    rows = [list(row.values()) for row in _json_records(case)]
    return _invocations(case, {"dataframe_split": {"columns": case.names, "data": rows}})


def mlflow_records(case: Case) -> list[float]:
    return _invocations(case, {"dataframe_records": _json_records(case)})


def mlflow_inputs(case: Case) -> list[float]:
    return _invocations(case, {"inputs": _json_columns(case)})


def mlflow_instances(case: Case) -> list[float]:
    return _invocations(case, {"instances": _json_records(case)})


PATHS: list[Callable[[Case], list[float]]] = [
    *(data_frame, arrow_table, arrow_backed_frame, nullable_frame, categorical_frame),
    *(object_frame, records, columns_of_lists, one_by_one, evaluate, training_file),
    *(compressed_csv_file, parquet_file, arrow_file, ndjson_file, monitor_counts),
    *(http_row, http_rows, http_rows_in_order, http_columns, http_csv, http_arrow),
    *(v2_json, v2_binary, mlflow_split, mlflow_records, mlflow_inputs, mlflow_instances),
]
