"""Serve a fitted pipeline with ``mlflow models serve`` and the current environment.

The joblib is saved once as an MLflow model beside it (``<model>.mlflow``) and served from there;
``--prepare-only`` stops after the saving, so that it need not count as start-up time.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path


def prepare(model: Path) -> Path:
    """The MLflow model directory of a joblib, written anew if the joblib is younger."""
    saved = model.with_suffix(".mlflow")
    if saved.exists() and saved.stat().st_mtime >= model.stat().st_mtime:
        return saved
    import joblib
    import mlflow.sklearn
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    shutil.rmtree(saved, ignore_errors=True)
    pipeline = joblib.load(model)
    columns = [
        ColSpec("double" if name == "numbers" else "string", column)
        for name, _, of_kind in pipeline[0].transformers
        for column in of_kind
    ]
    mlflow.sklearn.save_model(
        pipeline,
        saved,
        pyfunc_predict_fn="predict_proba",
        signature=ModelSignature(inputs=Schema(columns)),
        serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_CLOUDPICKLE,
        pip_requirements=["mlflow", "scikit-learn"],
    )
    saved.touch()
    return saved


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--port", type=int)
    parser.add_argument("--prepare-only", action="store_true")
    options = parser.parse_args()
    saved = prepare(options.model.resolve())
    if options.prepare_only:
        return
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.environ.setdefault("UVICORN_LOG_LEVEL", os.environ.get("PEER_LOG", "warning"))
    arguments = ["models", "serve", "-m", str(saved), "--env-manager", "local"]
    arguments += ["--host", "127.0.0.1", "--port", str(options.port), "--workers", "1"]
    os.execvp("mlflow", ["mlflow", *arguments])


if __name__ == "__main__":
    main()
