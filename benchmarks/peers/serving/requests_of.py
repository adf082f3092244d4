"""What each peer is asked and how its answer is read. Standard library only.

For every peer: ``body(rows)`` is the JSON to POST to ``path`` as ``content_type``, and
``read(answer)`` takes the probabilities of the second class out of the answer's bytes.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Peer:
    """One peer's side of the conversation."""

    path: str
    body: Callable[[list[Row]], bytes]
    read: Callable[[bytes], list[float]]
    method: str = "POST"
    content_type: str = "application/json"


def rows_body(rows: list[Row]) -> bytes:
    return json.dumps({"rows": rows}).encode()


def read_probabilities(answer: bytes) -> list[float]:
    return json.loads(answer)["probabilities"]


def read_list(answer: bytes) -> list[float]:
    return json.loads(answer)


def split_body(rows: list[Row]) -> bytes:
    columns = list(rows[0])
    data = [[row[column] for column in columns] for row in rows]
    return json.dumps({"dataframe_split": {"columns": columns, "data": data}}).encode()


def read_predictions(answer: bytes) -> list[float]:
    return [pair[1] for pair in json.loads(answer)["predictions"]]


def v2_body(rows: list[Row]) -> bytes:
    """An Open Inference Protocol request: one input per column."""
    inputs = []
    for column in rows[0]:
        values = [row[column] for row in rows]
        text = any(isinstance(value, str) for value in values)
        one: dict[str, Any] = {"name": column, "shape": [len(rows), 1], "data": values}
        one["datatype"] = "BYTES" if text else "FP64"
        if text:
            one["parameters"] = {"content_type": "str"}
        inputs.append(one)
    request = {
        "parameters": {"content_type": "pd"},
        "inputs": inputs,
        "outputs": [{"name": "predict_proba"}],
    }
    return json.dumps(request).encode()


def read_v2(answer: bytes) -> list[float]:
    """The second column of the flattened (rows, 2) output."""
    return json.loads(answer)["outputs"][0]["data"][1::2]


PEERS: dict[str, Peer] = {
    "fastapi": Peer("/predict", rows_body, read_probabilities),
    "mlserver": Peer("/v2/models/model/infer", v2_body, read_v2),
    "bentoml": Peer("/predict", rows_body, read_list),
    "mlflow": Peer("/invocations", split_body, read_predictions),
    "litserve": Peer("/predict", rows_body, read_probabilities),
}
