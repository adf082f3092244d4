"""Runs in an environment of its own: converts to ONNX, and answers when it is asked.

Reads one JSON line a command from standard input and writes one a result:
``{"convert": "model.joblib", "to": "model.onnx", "features": 20}``,
``{"load": "model.onnx", "rows": "rows.npy"}``, ``{"time": rows, "repeats": n}``.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import numpy as np


def convert(command: dict) -> dict:
    import joblib
    import onnx.helper
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    plain = onnx.helper.make_attribute

    def make_attribute(key: str, value: object, *rest: object, **named: object) -> object:
        # onnx refuses the booleans that skl2onnx writes for histogram boosting
        if key == "nodes_missing_value_tracks_true":
            value = [int(one) for one in value]
        return plain(key, value, *rest, **named)

    onnx.helper.make_attribute = make_attribute
    model = joblib.load(command["convert"])
    if type(model).__module__.startswith("lightgbm"):
        from onnxmltools import convert_lightgbm
        from onnxmltools.convert.common.data_types import FloatTensorType as Floats

        made = convert_lightgbm(
            model, initial_types=[("x", Floats([None, command["features"]]))], zipmap=False
        )
    else:
        made = to_onnx(
            model,
            initial_types=[("x", FloatTensorType([None, command["features"]]))],
            options={"zipmap": False},
        )
    with open(command["to"], "wb") as file:
        file.write(made.SerializeToString())
    return {"done": True}


def main() -> None:
    warnings.simplefilter("ignore")
    session = rows = None
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if "convert" in command:
                result = convert(command)
            elif "load" in command:
                import onnxruntime

                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = options.inter_op_num_threads = 1
                options.log_severity_level = 3
                started = time.perf_counter()
                session = onnxruntime.InferenceSession(command["load"], options)
                seconds = time.perf_counter() - started
                rows = np.load(command["rows"]).astype(np.float32)
                result = {"seconds": seconds}
            else:
                some = rows[: command["time"]]
                started = time.perf_counter()
                for _ in range(command["repeats"]):
                    session.run(None, {"x": some})
                result = {"seconds": (time.perf_counter() - started) / command["repeats"]}
        except Exception as error:
            result = {"error": f"{type(error).__name__}: {str(error)[:120]}"}
        print(json.dumps(result), flush=True)


main()
