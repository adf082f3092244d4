"""The BentoML service: one worker, adaptive batching. PEER_MODEL names the joblib."""

import os

import bentoml
import joblib
import numpy as np
import pandas as pd
from pydantic import BaseModel

BATCHABLE = os.environ.get("PEER_BATCH", "1") == "1"


class Row(BaseModel):
    n0: float | None
    n1: float | None
    n2: float | None
    n3: float | None
    n4: float | None
    n5: float | None
    n6: float | None
    n7: float | None
    region: str
    product: str


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Scorer:
    def __init__(self) -> None:
        self.pipeline = joblib.load(os.environ["PEER_MODEL"])

    @bentoml.api(batchable=BATCHABLE, max_batch_size=1_000)
    def predict(self, rows: list[Row]) -> np.ndarray:
        frame = pd.DataFrame([row.__dict__ for row in rows])
        return self.pipeline.predict_proba(frame)[:, 1]
