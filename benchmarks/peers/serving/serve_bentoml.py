"""Start ``bentoml serve`` on the service in bentoml_service.py.

The service lives in a file of its own so that this script imports nothing heavy before it turns
into ``bentoml``; the options reach the worker process in the environment.
"""

import argparse
import os
import sys
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--no-batch", action="store_true", help="one request at a time")
    options = parser.parse_args()
    os.environ.update(
        PEER_MODEL=str(options.model.resolve()),
        PEER_BATCH="0" if options.no_batch else "1",
        BENTOML_DO_NOT_TRACK="True",
        PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    )
    here = Path(__file__).resolve().parent
    arguments = ["serve", "bentoml_service:Scorer", "--working-dir", str(here)]
    arguments += ["--host", "127.0.0.1", "--port", str(options.port)]
    os.execvp("bentoml", ["bentoml", *arguments])


if __name__ == "__main__":
    main()
