"""The built-in plugins pass the checks that every plugin must pass."""

import contextlib
import hashlib
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import lockgate
from lockgate.contract.kinds import KINDS
from lockgate.models.converters.convert import inputs_of, pack_estimator
from lockgate.models.skops_file import write_estimator
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.testing import FittedExample, check_installed, check_plugin, example_requests
from lockgate.testing.examples import example_table

try:
    import cupy

    CUDA = cupy.is_available()
except ImportError:
    CUDA = False
SMALL = (
    *("boosting", "extra-trees", "forest", "gradient-boosting", "isolation-forest"),
    *("lightgbm", "xgboost"),
)
"""Models of trees, with few of which the checks are short."""
INSTALLED = [(entry.kind, entry.name) for entry in Catalogue.installed() if entry.kind]


def given_database(
    name: str, frame: pd.DataFrame, folder: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings of a loader of queries, and a request for rows that lie in the folder."""
    raw = folder / "data" / "raw"
    raw.mkdir(parents=True)
    request = {"project": lockgate.LoadRequest(root=str(folder))}
    if name == "duckdb":
        frame.to_csv(raw / "rows.csv", index=False)
        return {"query": "SELECT * FROM 'data/raw/rows.csv' ORDER BY a", "target": "y"}, request
    with contextlib.closing(sqlite3.connect(raw / "rows.db")) as connection:
        frame.to_sql("rows", connection, index=False)
    query = "SELECT * FROM rows ORDER BY a"
    return {"url": "sqlite:///data/raw/rows.db", "query": query, "target": "y"}, request


def given_models(name: str, folder: Path) -> dict[str, Any]:
    """Models for a format to write, and files for it to open."""
    if name == "keras":
        return {"network": network_request()}
    examples: dict[str, Any] = dict(example_requests("format"))
    if name == "skops":  # fewer, as skops takes its time
        examples = {key: examples[key] for key in ("binary", "regression-trees")}
    return {**examples, "model": model_files(name, folder)}


def given(kind: str, name: str, folder: Path) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Settings without a default, and requests where the examples do not fit."""
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "y": [0, 1, 0]})
    if name in ("csv", "excel", "parquet"):
        file = folder / "data" / "raw" / f"rows.{'xlsx' if name == 'excel' else name}"
        file.parent.mkdir(parents=True)
        write = {"csv": frame.to_csv, "excel": frame.to_excel, "parquet": frame.to_parquet}[name]
        write(file, index=False, **({"engine": "xlsxwriter"} if name == "excel" else {}))
        request = lockgate.LoadRequest(root=str(folder))
        return {"path": f"data/raw/{file.name}", "target": "y"}, {"project": request}
    if name in ("duckdb", "sql"):
        return given_database(name, frame, folder)
    if name == "remote":
        frame.to_csv(folder / "rows.csv", index=False)
        request = lockgate.LoadRequest(scratch=folder)
        return {"url": (folder / "rows.csv").as_uri(), "target": "y"}, {"file": request}
    if name == "package":
        path = lockgate.installed_file("matplotlib", "matplotlib/mpl-data/sample_data/msft.csv")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return {
            "distribution": "matplotlib",
            "path": "matplotlib/mpl-data/sample_data/msft.csv",
            "sha256": digest,
        }, None
    if kind == "format":
        return {}, given_models(name, folder)
    if kind == "converter":
        return {}, fitted_models(name)
    if name == "latency":
        return {"repeats": 10}, None
    if kind == "model" and name in SMALL:
        return {"trees": 10}, None
    needed = {
        "keras": {"hidden": [4], "epochs": 2},
        "random": {"trials": 3},
        "grid": {"points": 2},
        "bound": {"metric": "example.score", "at_least": 0.5},
        "fairness": {"column": "colour"},
        "stability": {"column": "day"},
    }
    return needed.get(name, {}), None


def fitted_models(library: str) -> dict[str, FittedExample]:
    table = example_table("multiclass", 120)
    rows = table.features[["size", "noise"]]
    classes = table.target.astype(int)
    options: dict[str, Any] = {"n_estimators": 5}
    if library == "lightgbm":
        from lightgbm import LGBMClassifier as Classifier
        from lightgbm import LGBMRegressor as Regressor
    elif library == "xgboost":
        from xgboost import XGBClassifier as Classifier
        from xgboost import XGBRegressor as Regressor
    else:
        from lockgate_keras.estimators import DenseClassifier as Classifier
        from lockgate_keras.estimators import DenseRegressor as Regressor

        options = {"hidden": (4,), "epochs": 2}
    return {
        "classes": FittedExample(Classifier(**options).fit(rows, classes), rows),
        "numbers": FittedExample(Regressor(**options).fit(rows, rows["size"]), rows),
    }


def network_request() -> lockgate.WriteRequest:
    """A network behind a scaler, to be written."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from lockgate_keras.compiled import import_keras
    from lockgate_keras.networks import NetworkClassifier

    layers = import_keras().layers
    network = import_keras().Sequential(
        [layers.Input((2,)), layers.Dense(4, "gelu"), layers.Dense(3, "softmax")]
    )
    rows = example_table("multiclass", 120).features[["size", "noise"]]
    model = make_pipeline(StandardScaler().fit(rows), NetworkClassifier(network, ["a", "b", "c"]))
    schema = lockgate.Schema(tuple(lockgate.Column(key, "number") for key in rows))
    return lockgate.WriteRequest(
        estimator=model,
        schema=schema,
        task="multiclass",
        classes=("a", "b", "c"),
        features=rows,
    )


def model_files(name: str, folder: Path) -> lockgate.OpenRequest:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    table = example_table("binary")
    schema = table.schema.with_columns(
        tuple(c for c in table.schema.columns if c.name in ("size", "noise", "target"))
    )
    fitted = Pipeline([("model", LogisticRegression())]).fit(
        table.frame[["size", "noise"]], table.target
    )
    if name == "packed":
        raw = pack_estimator(fitted, inputs_of(schema.features)).raw
        (folder / "model").write_bytes(raw)
    else:
        write_estimator(folder / "model", fitted)
    return lockgate.OpenRequest(
        directory=folder,
        files=("model",),
        schema=schema,
        task="binary",
        classes=("no", "yes"),
        threshold=0.5,
    )


@pytest.mark.parametrize(("kind", "name"), INSTALLED)
def test_plugin_keeps_to_the_contract(kind: str, name: str, tmp_path: Path) -> None:
    settings, requests = given(kind, name, tmp_path)
    unavailable = (
        {"check_predictions": "no CUDA device here"} if name == "cupy" and not CUDA else {}
    )
    check_plugin(
        kind,
        check_installed(kind, name),
        settings=settings,
        requests=requests,
        expected_failures=unavailable,
    )


def test_there_is_a_plugin_of_every_kind() -> None:
    assert {kind for kind, _ in INSTALLED} == {kind.name for kind in KINDS}
