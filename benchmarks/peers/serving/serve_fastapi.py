"""Serve a fitted pipeline with FastAPI on uvicorn (uvloop, httptools), one process.

The endpoint is a plain ``def``: FastAPI runs it in its thread pool, as its documentation
advises for blocking work. ``--inline`` makes it ``async def`` instead, for comparison.
"""

import argparse
import os
from typing import Annotated

import joblib
import pandas as pd
import uvicorn
from fastapi import Body, FastAPI
from pydantic import BaseModel
from sklearn.pipeline import Pipeline


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


class Answer(BaseModel):
    probabilities: list[float]


def create_app(pipeline: Pipeline, inline: bool = False) -> FastAPI:
    app = FastAPI()

    def score(rows: list[Row]) -> Answer:
        frame = pd.DataFrame([row.__dict__ for row in rows])
        return Answer(probabilities=pipeline.predict_proba(frame)[:, 1].tolist())

    if inline:

        @app.post("/predict")
        async def predict_inline(rows: Annotated[list[Row], Body(embed=True)]) -> Answer:
            return score(rows)
    else:

        @app.post("/predict")
        def predict(rows: Annotated[list[Row], Body(embed=True)]) -> Answer:
            return score(rows)

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--inline", action="store_true", help="score on the event loop")
    options = parser.parse_args()
    app = create_app(joblib.load(options.model), options.inline)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=options.port,
        loop="uvloop",
        http="httptools",
        log_level=os.environ.get("PEER_LOG", "warning"),
        access_log=False,
    )


if __name__ == "__main__":
    main()
