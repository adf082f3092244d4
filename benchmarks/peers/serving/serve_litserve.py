"""Serve a fitted pipeline with LitServe: one API process, one inference worker, batching.

A request carries a list of rows. The batch given to ``predict`` is a list of such lists; they are
scored as one frame and the answers are cut apart again.
"""

import argparse
import itertools
import os
import signal
from types import FrameType
from typing import Any

import joblib
import litserve as ls
import pandas as pd

Rows = list[dict[str, Any]]


class Scorer(ls.LitAPI):
    def __init__(self, model: str, **options: Any) -> None:
        super().__init__(**options)
        self.model = model

    def setup(self, device: str) -> None:  # noqa: ARG002  # LitServe's
        self.pipeline = joblib.load(self.model)

    def decode_request(self, request: dict[str, Rows]) -> Rows:
        return request["rows"]

    def predict(self, x: Any) -> Any:
        if self.max_batch_size == 1:
            return self.score(x)
        scores = iter(self.score(list(itertools.chain.from_iterable(x))))
        return [list(itertools.islice(scores, len(rows))) for rows in x]

    def score(self, rows: Rows) -> list[float]:
        return self.pipeline.predict_proba(pd.DataFrame(rows))[:, 1].tolist()

    def encode_response(self, output: list[float]) -> dict[str, list[float]]:
        return {"probabilities": output}


def interrupt_on_term() -> None:
    """Turn SIGTERM into the interrupt that LitServe shuts its processes down for."""
    first = os.getpid()

    def end(_: int, __: FrameType | None) -> None:
        if os.getpid() == first:
            raise KeyboardInterrupt
        os._exit(0)

    signal.signal(signal.SIGTERM, end)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--batch", type=int, default=16, help="most requests in one batch")
    parser.add_argument("--wait", type=float, default=0.005, help="seconds a batch may wait")
    parser.add_argument("--no-fast-queue", action="store_true", help="leave ZeroMQ out")
    options = parser.parse_args()
    interrupt_on_term()
    wait = options.wait if options.batch > 1 else 0.0
    server = ls.LitServer(
        Scorer(options.model, max_batch_size=options.batch, batch_timeout=wait),
        accelerator="cpu",
        workers_per_device=1,
        fast_queue=not options.no_fast_queue,
    )
    server.run(
        host="127.0.0.1",
        port=options.port,
        num_api_servers=1,
        log_level=os.environ.get("PEER_LOG", "warning"),
        generate_client_file=False,
        access_log=False,
    )


if __name__ == "__main__":
    main()
