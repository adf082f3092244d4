"""A format of a third party, written from the documentation: ONNX through onnxruntime."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import lockgate
from lockgate.models.bundle.table_model import TableModel
from lockgate.plugins.host.catalogue import Catalogue
from tests.conftest import ROOT, Run
from tests.serving.running import serving

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
PAGE = ROOT / "docs" / "how-to" / "write-a-format.md"
ALLOWED = {"LOCKGATE_ALLOW_PLUGINS": "lockgate,acme-onnx,broken"}

BROKEN = '''
import lockgate


class Answers:
    servable = True

    def __init__(self, request, answer):
        self.schema, self.answer = request.schema, answer

    def predict(self, columns):
        return self.answer(len(next(iter(columns.values()))))


@lockgate.plugin
class Reader:
    """Opens, and cannot write."""

    @lockgate.hookimpl
    def open(self, request):
        return Answers(request, lambda n: lockgate.Output([1] * n))
'''


def distribution(folder: Path, name: str, code: str, entry: str, kind: str = "format") -> None:
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(code)
    about = folder / f"{module}-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    (about / "RECORD").write_text(f"{module}.py,,\n")
    (about / "entry_points.txt").write_text(f"[lockgate.{kind}]\n{entry}\n")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed packages: the documented one, and one that cannot write."""
    folder = tmp_path_factory.mktemp("site")
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 40
    distribution(folder, "acme-onnx", code, "onnx = acme_onnx:Onnx")
    distribution(folder, "broken", BROKEN, "reader = broken:Reader")
    return folder


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    for key, value in ALLOWED.items():
        monkeypatch.setenv(key, value)
    Catalogue.forget()
    yield site
    Catalogue.forget()


def rows_of(count: int = 400) -> tuple[pd.DataFrame, pd.Series]:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=count),
            "b": rng.normal(size=count),
            "shop": rng.choice(["x", "y", "z"], count),
        }
    )
    return frame, pd.Series((frame["a"] + (frame["shop"] == "x") > 0.5).astype(int), name="bought")


def fitted(last: Any) -> Any:
    frame, target = rows_of()
    encode = make_column_transformer(
        (StandardScaler(), ["a", "b"]), (OneHotEncoder(handle_unknown="ignore"), ["shop"])
    )
    return make_pipeline(encode, last).fit(frame, target)


@pytest.fixture
def bundle(installed: Path, tmp_path: Path) -> Any:
    frame, target = rows_of()
    path = tmp_path / "shop"
    return lockgate.pack(
        fitted(LogisticRegression()),
        frame,
        target,
        name="shop",
        path=path,
        format="onnx",
        threshold=0.3,
    )


def test_a_model_is_packed_and_predicts_in_every_way(bundle: Any, tmp_path: Path) -> None:
    frame, _ = rows_of()
    expected = fitted(LogisticRegression()).predict_proba(frame)[:, 1]
    output = bundle.predict(frame)
    np.testing.assert_allclose(output.score, expected, atol=1e-5)
    assert output.label.tolist() == (output.score >= 0.3).astype(int).tolist()
    alone = [bundle.predict_one(row) for row in frame[:5].to_dict("records")]
    assert [row.score for row in alone] == pytest.approx(output.score[:5].tolist(), abs=1e-7)
    assert bundle.manifest.environment.answers["acme-onnx"] == "0.1.0"
    assert bundle.manifest.environment.answers["onnxruntime"]
    frame.to_csv(tmp_path / "rows.csv", index=False)
    result = lockgate.predict_file(
        bundle, tmp_path / "rows.csv", tmp_path / "out.csv", part_rows=128
    )
    assert (result.predicted_rows, result.rejected_rows) == (400, 0)
    np.testing.assert_allclose(pd.read_csv(tmp_path / "out.csv")["score"], output.score, atol=1e-7)


def test_cells_mean_what_they_mean_elsewhere(bundle: Any) -> None:
    one = bundle.predict_one({"a": np.float32(1.5), "b": 2, "shop": "q"})
    other = bundle.predict_one({"a": 1.5, "b": 2.0, "shop": "unheard of"})
    assert one == other
    with pytest.raises(lockgate.SchemaViolation, match="column a holds 'high'"):
        bundle.predict_one({"a": "high", "b": 2, "shop": "x"})
    with pytest.raises(lockgate.SchemaViolation, match="no number in row 0"):
        bundle.predict([{"a": None, "b": 2, "shop": "x"}])
    output = bundle.predict({"a": [1.0, 2.0], "b": [0.0, 0.0], "shop": ["x", "q"]})
    assert output.unknown == {"shop": 1}


def test_a_server_accepts_a_format_that_says_it_can(bundle: Any, tmp_path: Path) -> None:
    deployed = lockgate.deploy(bundle.path, tmp_path / "live", version="1.0.0")
    assert deployed.event is not None
    frame, _ = rows_of(30)
    with serving(tmp_path / "live") as server:
        _, together, _ = server.ask("POST", "/predict", {"rows": frame.to_dict("records")})
        np.testing.assert_allclose(together["scores"], bundle.predict(frame).score, atol=1e-7)
        alone = server.predict(frame.iloc[0].to_dict())
        assert alone["score"] == pytest.approx(together["scores"][0], abs=1e-7)
        status, refused, _ = server.ask(
            "POST", "/predict", {"row": {"a": None, "b": 1, "shop": "x"}}
        )
        assert (status, refused["problems"][0][:28]) == (422, "the model predicts no number")
        _, described, _ = server.ask("GET", "/v2/models/shop")
        assert described["platform"] == "lockgate_onnx"
        assert [output["name"] for output in described["outputs"]] == ["label", "score"]


def test_a_pipeline_writes_it(installed: Path, call: Run, project: Path) -> None:
    env = {"PYTHONPATH": str(installed), **ALLOWED}
    call("lockgate", "run", "model=logistic", "format=onnx", cwd=project, **env)
    manifest = json.loads((project / "bundle" / "manifest.json").read_bytes())
    assert (manifest["format"], manifest["model"]) == ("onnx", ["model.onnx"])
    refused = call("lockgate", "run", "--dry", "format=reader", cwd=project, code=2, **env)
    assert "reader of broken 0.1.0 only opens them" in refused.stderr


def test_predictions_that_differ_are_refused(installed: Path, tmp_path: Path) -> None:
    frame, target = rows_of()
    frame["a"] = 1e9 + frame["a"]  # 32 bits hold only every 64th of these numbers
    encode = make_column_transformer((StandardScaler(), ["a", "b"]))
    model = make_pipeline(encode, LogisticRegression()).fit(frame, target)
    with pytest.raises(
        lockgate.NotCovered,
        match="format onnx: predictions of the written model differ.*e.g. for a=",
    ):
        lockgate.pack(model, frame, target, path=tmp_path / "m", format="onnx")
    assert not (tmp_path / "m").exists()


def test_regressions_and_several_classes_go_through_it(installed: Path, tmp_path: Path) -> None:
    frame, _ = rows_of()
    encode = make_column_transformer((StandardScaler(), ["a", "b"]))
    spend = pd.Series(frame["a"] * 3 + frame["b"], name="spend")
    model = make_pipeline(encode, LinearRegression()).fit(frame, spend)
    bundle = lockgate.pack(model, frame, spend, path=tmp_path / "spend", format="onnx")
    np.testing.assert_allclose(bundle.predict(frame).label, spend, atol=1e-4)
    kinds = pd.Series(np.digitize(frame["a"], [-0.5, 0.5]), name="kind").map(
        ["low", "mid", "top"].__getitem__
    )
    three = make_pipeline(encode, LogisticRegression()).fit(frame, kinds)
    bundle = lockgate.pack(three, frame, kinds, path=tmp_path / "kind", format="onnx")
    output = bundle.predict(frame)
    assert output.label.tolist() == three.predict(frame).tolist()
    assert output.score is not None
    assert output.score.shape == (400, 3)


def test_a_format_that_cannot_write_is_refused(installed: Path, tmp_path: Path) -> None:
    frame, target = rows_of()
    with pytest.raises(lockgate.UsageError, match="format reader opens models, and cannot write"):
        lockgate.pack(
            fitted(LogisticRegression()), frame, target, path=tmp_path / "m", format="reader"
        )
    with pytest.raises(lockgate.UnknownPlugin, match="did you mean 'onnx'"):
        lockgate.pack(
            fitted(LogisticRegression()), frame, target, path=tmp_path / "m", format="onx"
        )


WRONG: dict[str, tuple[Callable[[int], object], str]] = {
    "None": (lambda n: None, "returned NoneType; predict must return lockgate.Output"),
    "a row less": (
        lambda n: lockgate.Output(np.zeros(n - 1)),
        r"returned label of shape \(2,\) for 3 rows",
    ),
    "scores of both classes": (
        lambda n: lockgate.Output(np.zeros(n), np.zeros((n, 2))),
        r"returned score of shape \(3, 2\) for 3 rows; expected \(3,\)",
    ),
    "another label": (
        lambda n: lockgate.Output(np.full(n, 7)),
        r"returned labels 7; expected \[0, 1\]",
    ),
    "an error": (lambda n: 1 // 0, "failed to predict 3 rows: ZeroDivisionError"),
    "an exit": (lambda n: exit(3), "failed to predict 3 rows: SystemExit"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_answers_do_not_leave(what: str, bundle: Any) -> None:
    answer, message = WRONG[what]

    class Wrong:
        schema = bundle.manifest.schema

        def predict(self, columns: Any) -> Any:
            return answer(len(columns["a"]))

    request = lockgate.OpenRequest(
        directory=bundle.path,
        files=(),
        schema=bundle.manifest.schema,
        task="binary",
        classes=(0, 1),
    )
    with pytest.raises(lockgate.PluginFailed, match=f"format wrong {message}"):
        TableModel(Wrong(), request, "wrong").predict(rows_of(3)[0])
