"""A model fitted elsewhere becomes a bundle in one call, without Hydra, DVC or Git."""

import decimal
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier, RadiusNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from skops import io as skops_io

import lockgate
from lockgate.models.packing.row_files import read_as_fitted
from tests.conftest import Run
from tests.in_process import run_here
from tests.models.packing import zoo


@pytest.fixture(scope="module")
def rows() -> tuple[pd.DataFrame, pd.Series]:
    frame = zoo.frame_of(600)
    return frame, pd.Series(zoo.targets(frame)["two"], name="bought")


@pytest.fixture(scope="module")
def model(rows: tuple[pd.DataFrame, pd.Series]) -> object:
    return zoo.MODELS["boosting"][0]().fit(*rows)


def test_a_fitted_pipeline_is_packed_with_all_about_it(
    rows: tuple[pd.DataFrame, pd.Series], model: object, tmp_path: Path
) -> None:
    X, y = rows
    bundle = lockgate.pack(
        model,
        X[:400],
        y[:400],
        name="shop",
        path=tmp_path / "shop",
        tune=(X[400:500], y[400:500]),
        test=(X[500:], y[500:]),
        threshold="f1",
        lineage={"commit": "1a2b3c"},
    )
    manifest = bundle.manifest
    assert manifest.schema.target == "bought"
    assert {column.name for column in manifest.schema.columns} == {*X, "bought"}
    assert {column.name for column in manifest.inputs.columns} == set(X)
    assert manifest.inputs.target is None
    assert manifest.schema["colour"].categories == tuple(sorted(X["colour"].dropna().unique()))
    assert manifest.schema["x0"].bounds is not None
    assert manifest.hashes.declared == {"commit": "1a2b3c"}
    assert manifest.hashes.params is None
    assert bundle.metrics()["classification"]["roc_auc"]["estimate"] > 0.7
    assert bundle.reference().n == 400
    card = (bundle.path / "card.md").read_text()
    assert "- commit: declared: 1a2b3c" in card
    assert "- parameters: unknown" in card
    score = bundle.predict(X).score
    assert score is not None
    np.testing.assert_allclose(score, model.predict_proba(X)[:, 1], atol=1e-12)
    one = bundle.predict_one(X.iloc[3].to_dict())
    assert (one.label, one.score) == (bundle.predict(X).label[3], score[3])
    assert one.label == ("yes" if one.score >= manifest.threshold else "no")


def test_the_same_call_gives_the_same_bytes(
    rows: tuple[pd.DataFrame, pd.Series], model: object, tmp_path: Path
) -> None:
    made = [lockgate.pack(model, *rows, path=tmp_path / name) for name in ("a", "b")]
    assert made[0].digest == made[1].digest


def test_without_a_threshold_labels_are_the_estimators_own(
    rows: tuple[pd.DataFrame, pd.Series], model: object, tmp_path: Path
) -> None:
    bundle = lockgate.pack(model, *rows, path=tmp_path / "b")
    assert bundle.predict(rows[0]).label.tolist() == model.predict(rows[0]).tolist()


def test_arrays_texts_and_clusters_are_packed_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(200, 3))
    clusters = lockgate.pack(KMeans(3, n_init=1).fit(numbers), numbers, path=tmp_path / "k")
    assert clusters.manifest.task == "clustering"
    assert {column.name for column in clusters.manifest.schema.features} == {"x0", "x1", "x2"}
    texts = pd.Series(["late order", "good pizza", "late pizza", "good order"] * 5)
    fitted = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [0, 1, 0, 1] * 5)
    bundle = lockgate.pack(fitted, texts, [0, 1, 0, 1] * 5, path=tmp_path / "t")
    assert bundle.predict_one({"text": "my order is late"}).label == 0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: RadiusNeighborsClassifier(),
            "sklearn.RadiusNeighborsClassifier has no packed form",
        ),
        (
            lambda: make_pipeline(FunctionTransformer(lambda x: x * 2), LogisticRegression()),
            "functiontransformer: the function '<lambda>' has no packed form.*numpy.log1p",
        ),
        (lambda: LogisticRegression(), "not fitted"),
    ],
)
def test_what_is_not_covered_is_named_with_what_to_do(
    make: object, words: str, tmp_path: Path
) -> None:
    X = pd.DataFrame({"a": [0.0, 1, 2, 3, 4, 5], "b": [1.0, 0, 1, 0, 2, 3]})
    model = make()
    if "not fitted" not in words:
        model.fit(X, [0, 1, 0, 1, 0, 1])
    with pytest.raises(lockgate.NotCovered, match=words):
        lockgate.pack(model, X, [0, 1, 0, 1, 0, 1], path=tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_folder_of_something_else_is_left_alone(
    rows: tuple[pd.DataFrame, pd.Series], model: object, tmp_path: Path
) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(lockgate.UsageError, match="is not a bundle; choose another path"):
        lockgate.pack(model, *rows, path=tmp_path)
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"threshold": 1.5}, "from 0 to 1"),
        ({"threshold": "f1"}, "together with tune"),
        ({"threshold": "best"}, "expected a number, or 'f1'"),
    ],
)
def test_thresholds_that_make_no_sense_are_refused(
    rows: tuple[pd.DataFrame, pd.Series],
    model: object,
    tmp_path: Path,
    arguments: dict[str, object],
    words: str,
) -> None:
    with pytest.raises(lockgate.UsageError, match=words):
        lockgate.pack(model, *rows, path=tmp_path / "b", **arguments)


def test_a_notebook_shows_the_bundle_and_escapes_its_texts(
    rows: tuple[pd.DataFrame, pd.Series], model: object, tmp_path: Path
) -> None:
    bundle = lockgate.pack(
        model, *rows, name="<b>shop</b>", path=tmp_path / "b", lineage={"data": "<script>"}
    )
    shown = bundle._repr_html_()
    assert "&lt;b&gt;shop" in shown
    assert "<script>" not in shown
    assert "colour" in shown


def test_a_packed_bundle_is_read_and_run_with_numpy_and_msgspec_alone(
    rows: tuple[pd.DataFrame, pd.Series], model: object, tmp_path: Path
) -> None:
    lockgate.pack(model, *rows, path=tmp_path / "b")
    row = rows[0].dropna().iloc[0].to_dict()
    script = (
        "import sys\nbefore = set(sys.modules)\nimport lockgate\n"
        f"bundle = lockgate.open({str(tmp_path / 'b')!r})\n"
        f"bundle.predict_one({row!r})\n"
        f"bundle.predict({{name: [value] * 50 for name, value in {row!r}.items()}})\n"
        "import sysconfig\nplace = sysconfig.get_path('purelib')\n"
        "names = {name.partition('.')[0] for name, one in sys.modules.items()\n"
        "         if (getattr(one, '__file__', None) or '').startswith(place)}\n"
        "print(sorted(names - {'lockgate', '_distutils_hack'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    # pluggy is what `import lockgate` itself is made of: the plugin author's contract
    assert set(eval(done.stdout)) <= {"numpy", "msgspec", "pluggy", "typing_extensions"}


class Payload:
    """Runs code when it is opened."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> object:
        return (exec, (f"open({str(self.place)!r}, 'w').write('ran')",))


@pytest.fixture(scope="module")
def files(
    rows: tuple[pd.DataFrame, pd.Series], model: object, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("files")
    X, y = rows
    X.assign(bought=y).to_csv(folder / "train.csv", index=False)
    joblib.dump(model, folder / "shop.joblib")
    skops_io.dump(zoo.fitted("logistic", X), folder / "shop.skops")
    near = make_pipeline(zoo.scaled(), RadiusNeighborsClassifier()).fit(X, y)
    joblib.dump(near, folder / "near.joblib")
    joblib.dump(Payload(folder / "payload-ran"), folder / "bad.joblib")
    return folder


def test_the_command_packs_a_joblib_file_only_when_told_to_trust_it(call: Run, files: Path) -> None:
    words = ["lockgate", "pack", "shop.joblib", "--data", "train.csv", "--target", "bought"]
    refused = call(*words, cwd=files, code=2)
    assert "runs any code in it" in refused.stderr
    done = call(*words, "--trust-code", "--test", "train.csv", "--declare", "commit=1a", cwd=files)
    assert "HistGradientBoostingClassifier" in done.stdout
    assert "0 labels differ" in done.stderr
    bundle = lockgate.open(files / "shop")
    assert bundle.manifest.hashes.declared == {"commit": "1a"}
    assert "classification" in bundle.metrics()


def test_an_untrusted_file_runs_nothing(call: Run, files: Path) -> None:
    words = ["lockgate", "pack", "bad.joblib", "--data", "train.csv", "--target", "bought"]
    call(*words, cwd=files, code=2)
    assert not (files / "payload-ran").exists()
    trusted = call(*words, "--trust-code", cwd=files, code=2)
    assert "bad.joblib" in trusted.stderr or "NoneType" in trusted.stderr


def test_the_command_packs_a_skops_file_without_trust(call: Run, files: Path) -> None:
    call(
        "lockgate",
        "pack",
        "shop.skops",
        "--data",
        "train.csv",
        "--target",
        "bought",
        "--out",
        "logistic",
        "--threshold",
        "0.4",
        cwd=files,
    )
    assert lockgate.open(files / "logistic").manifest.threshold == 0.4


def test_the_command_takes_how_a_file_is_written(call: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"km": rng.integers(1000, 9000, 200) / 1000, "age": rng.integers(18, 90, 200)})
    y = X["km"] + X["age"] / 100 + rng.normal(size=200) > 5
    joblib.dump(LogisticRegression().fit(X, y), tmp_path / "model.joblib")
    # all numbers have three digits after the comma: 1,512 may be 1512 to others
    X.assign(bought=y).to_csv(
        tmp_path / "rows.csv", index=False, sep=";", decimal=",", float_format="%.3f"
    )
    arguments = ["pack", "model.joblib", "--data", "rows.csv", "--target", "bought", "--trust-code"]
    refused = run_here(*arguments, cwd=tmp_path, code=2)
    assert "decimal" in refused.stderr
    run_here(*arguments, "--set", "decimal=,", cwd=tmp_path)
    bundle = lockgate.open(tmp_path / "model")
    assert bundle.manifest.schema.csv.decimal == ","
    unknown = run_here(*arguments, "--set", "decimla=,", cwd=tmp_path, code=2)
    assert "did you mean 'decimal'" in unknown.stderr
    invalid = run_here(*arguments, "--set", "decimal=x", cwd=tmp_path, code=2)
    assert "a setting of CSV files is not valid" in invalid.stderr


def test_a_dry_run_lists_what_is_covered_and_writes_nothing(call: Run, files: Path) -> None:
    words = ["--data", "train.csv", "--target", "bought", "--trust-code", "--dry-run"]
    done = run_here("pack", "near.joblib", *words, cwd=files, code=2)
    assert "model.radiusneighborsclassifier: RadiusNeighborsClassifier, not covered" in done.stdout
    assert "model.columntransformer: ColumnTransformer, covered" in done.stdout
    assert not (files / "near").exists()
    fine = run_here("pack", "shop.joblib", *words, "--out", "dry", cwd=files)
    assert "every step is supported" in fine.stdout
    assert not (files / "dry").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none.skops", "--data", "train.csv"], "none.skops does not exist"),
        (["train.csv", "--data", "train.csv", "--trust-code"], "cannot be opened"),
        (["shop.skops", "--data", "none.csv", "--target", "bought"], "none.csv"),
        (["shop.skops", "--data", "train.csv", "--target", "bougth"], "unknown column bougth"),
        (
            ["shop.skops", "--data", "train.csv", "--declare", "commit"],
            "--declare 'commit': expected NAME=VALUE",
        ),
        (["shop.skops", "--data", "train.csv", "--threshold", "high"], "from 0 to 1, or f1"),
    ],
)
def test_mistakes_are_said_in_a_line(call: Run, files: Path, words: list[str], said: str) -> None:
    done = run_here("pack", *words, cwd=files, code=2)
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3


def test_the_manifest_says_what_answers_depend_on(
    rows: tuple[pd.DataFrame, pd.Series], model: object, tmp_path: Path
) -> None:
    lockgate.pack(model, *rows, path=tmp_path / "b")
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    assert set(manifest["environment"]["answers"]) == {"numpy", "packed reader", "python"}
    assert "scikit-learn" in manifest["environment"]["training"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"numpy": "1.26.4"}, r"numpy 1.26.4 \(installed: 2.*\); pip install 'numpy==1.26.4'"),
        (
            {"packed reader": "2"},
            r"packed reader 2 \(installed: 1\); pip install --upgrade lockgate",
        ),
        ({"python": "2.7.18"}, "use Python 2.7.18"),
        (
            {"nothing-like-that": "1.0"},
            r"\(installed: none\); install what it needs, if you trust where it comes from",
        ),
    ],
)
def test_an_environment_that_will_not_do_is_refused_with_the_command_that_makes_it(
    rows: tuple[pd.DataFrame, pd.Series],
    model: object,
    tmp_path: Path,
    change: dict[str, str],
    words: str,
) -> None:
    lockgate.pack(model, *rows, path=tmp_path / "b")
    path = tmp_path / "b" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["environment"]["answers"] |= change
    path.write_text(json.dumps(manifest))
    with pytest.raises(lockgate.EnvironmentMismatch, match=words):
        lockgate.open(tmp_path / "b")


def test_a_compatible_environment_is_a_note_and_the_same_is_silent(
    rows: tuple[pd.DataFrame, pd.Series],
    model: object,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="lockgate.open")
    lockgate.pack(model, *rows, path=tmp_path / "b")
    assert caplog.messages == []
    path = tmp_path / "b" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["environment"]["answers"]["numpy"] = "2.0.0"
    path.write_text(json.dumps(manifest))
    lockgate.open(tmp_path / "b")
    assert "numpy 2.0.0 (installed: " in caplog.messages[0]


def test_an_estimator_fitted_on_decimals_is_refused_in_a_line(tmp_path: Path) -> None:
    cells = [decimal.Decimal("1.1"), decimal.Decimal(2), None] * 60
    frame = pd.DataFrame({"c": cells, "n": np.arange(180.0)})
    y = np.tile([0, 1, 1], 60)
    encoder = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    )
    columns = make_column_transformer((encoder, ["c"]), remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression()).fit(frame, y)
    with pytest.raises(lockgate.NotCovered, match="a step of this model cannot be packed"):
        lockgate.pack(model, frame, y, path=tmp_path / "m")


def test_a_column_is_read_as_the_author_read_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"zip": rng.choice(["1067", "80331", "20095"], 300), "x": rng.normal(size=300)}
    )
    y = (X["zip"] == "1067").astype(int).to_numpy() ^ (rng.random(300) < 0.1)
    encoder = make_column_transformer((OneHotEncoder(), ["zip"]), remainder="passthrough")
    fitted = make_pipeline(encoder, LogisticRegression()).fit(X, y)
    joblib.dump(fitted, tmp_path / "model.joblib")
    X.assign(bought=y).to_csv(tmp_path / "rows.csv", index=False)
    arguments = ["pack", "model.joblib", "--data", "rows.csv", "--target", "bought", "--trust-code"]
    run_here(*arguments, "--kind", "zip=category", cwd=tmp_path)
    bundle = lockgate.open(tmp_path / "model")
    assert bundle.manifest.schema["zip"].kind == "category"
    assert np.array_equal(bundle.predict(X).label, fitted.predict(X))
    unknown = run_here(*arguments, "--kind", "zpi=category", cwd=tmp_path, code=2)
    assert "did you mean 'zip'" in unknown.stderr


@pytest.mark.parametrize("format", ["packed", "skops"])
def test_metrics_and_thresholds_are_of_the_positive_class(
    rows: tuple[pd.DataFrame, pd.Series], model: Any, format: str, tmp_path: Path
) -> None:
    X, y = rows
    negative = sorted(set(y))[0]
    bundle = lockgate.pack(
        model,
        X[:400],
        y[:400],
        path=tmp_path / "b",
        tune=(X[400:500], y[400:500]),
        test=(X[500:], y[500:]),
        threshold="f1",
        positive=negative,
        format=format,
    )
    assert bundle.classes[1] == negative
    scores = model.predict_proba(X[500:])[:, 0]
    output = bundle.predict(X[500:])
    np.testing.assert_allclose(output.score, scores, atol=1e-12)
    measured = bundle.metrics()["classification"]
    assert measured["prevalence"]["estimate"] == pytest.approx((y[500:] == negative).mean())
    assert bundle.manifest.threshold is not None
    assert (output.label == negative).tolist() == (scores >= bundle.manifest.threshold).tolist()
    assert f"positive class: `{negative}`" in (bundle.path / "card.md").read_text()
    with pytest.raises(lockgate.UsageError, match="the positive class is 'maybe', expected"):
        lockgate.pack(model, X[:400], y[:400], path=tmp_path / "c", positive="maybe")


def test_predictions_take_texts_as_estimators_do(tmp_path: Path) -> None:
    texts = pd.Series(["good film", "bad film", "fine", "awful"] * 10, name="review")
    labels = pd.Series([1, 0, 1, 0] * 10, name="liked")
    fitted = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels)
    bundle = lockgate.pack(fitted, texts, labels, path=tmp_path / "b")
    expected = fitted.predict_proba(texts)
    for rows in (
        texts,
        texts.rename("other"),
        texts.tolist(),
        texts.to_numpy(object),
        texts.to_frame(),
    ):
        np.testing.assert_allclose(bundle.predict_proba(rows), expected, atol=1e-12)
    numbers = pd.DataFrame({"a": [1.0, 2, 3, 4], "b": [4.0, 3, 2, 1]})
    bundle = lockgate.pack(
        LogisticRegression().fit(numbers, [0, 1, 0, 1]), numbers, path=tmp_path / "n"
    )
    np.testing.assert_array_equal(
        bundle.predict(numbers.to_numpy().tolist()).score, bundle.predict(numbers).score
    )
    with pytest.raises(lockgate.SchemaViolation, match="row 1 is 1 cells, expected 2 cells"):
        bundle.predict([[1.0, 2.0], [3.0]])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda X, y: GridSearchCV(LogisticRegression(), {"C": [1]}, refit=False).fit(X, y),
            "refit=True",
        ),
        (lambda X, y: DummyClassifier().fit(X, [1] * len(X)), "a single class, 1"),
        (lambda X, y: KNeighborsClassifier().fit(X, np.c_[y, y]), "several targets at once"),
    ],
)
def test_refusals_name_the_true_reason(make: Any, words: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 2)), columns=["a", "b"])
    y = (X["a"] > 0).astype(int).to_numpy()
    model = make(X, y)
    target = np.c_[y, y] if "targets" in words else y
    with pytest.raises(lockgate.NotCovered, match=words):
        lockgate.pack(model, X, target, path=tmp_path / "b")


def test_calibrated_lightgbm_takes_names_with_blanks(tmp_path: Path) -> None:
    lightgbm = pytest.importorskip("lightgbm", reason="needs lightgbm")
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["mean radius", "worst area"])
    y = (X["mean radius"] > 0).astype(int)
    model = CalibratedClassifierCV(lightgbm.LGBMClassifier(n_estimators=3, verbose=-1), cv=2).fit(
        X, y
    )
    bundle = lockgate.pack(model, X, y, path=tmp_path / "b")
    assert [column.name for column in bundle.manifest.inputs.columns] == list(X)


def test_the_contract_is_of_the_model_and_of_all_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(80, 2)), columns=["a", "b"])
    y = pd.Series((X["a"] > 0).astype(int), name="y")
    fitted = LogisticRegression().fit(X, y)
    other = lockgate.DataContract(1, {"other": lockgate.ColumnRule("number")})
    with pytest.raises(lockgate.SchemaViolation, match="no rule for column a, b"):
        lockgate.pack(fitted, X, y, path=tmp_path / "b", contract=other)
    contract = lockgate.infer_contract(X.assign(y=y))
    far = X.assign(a=1e9)
    with pytest.raises(
        lockgate.SchemaViolation, match="rows of test violate the data contract; column a"
    ):
        lockgate.pack(fitted, X, y, path=tmp_path / "b", contract=contract, test=(far, y))
    bundle = lockgate.pack(fitted, X, y, path=tmp_path / "b", contract=contract, test=(X, y))
    card = (bundle.path / "card.md").read_text()
    assert "They hold the data contract of 3 columns" in card
    assert "evaluated on 80 others" in card


def test_declared_dates_are_read_in_the_order_in_which_all_exist(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('day\n25/07/2024\n02/07/2024\n""\n')
    dates = read_as_fitted(path, lockgate.CSVFormat(), {"day": "date"})["day"]
    assert [str(date)[:10] for date in dates] == ["2024-07-25", "2024-07-02", "NaT"]
    path.write_text("day\n03/07/2024\n02/07/2024\n")
    with pytest.raises(lockgate.SchemaViolation, match="day first or month first"):
        read_as_fitted(path, lockgate.CSVFormat(), {"day": "date"})


def test_a_card_has_the_metadata_of_hugging_face(tmp_path: Path) -> None:
    import yaml
    from sklearn.linear_model import LogisticRegression

    frame = pd.DataFrame({"x": np.arange(100.0)})
    target = pd.Series(np.arange(100) % 7 > 2, name="y")
    model = LogisticRegression().fit(frame, target)
    name = "a: 'b' --- # c"
    card = lockgate.pack(
        model, frame, target, test=(frame, target), name="m", path=tmp_path / "m"
    ).path.joinpath("card.md")
    _, text, rest = card.read_text().split("---\n", 2)
    content = yaml.safe_load(text)
    assert content["pipeline_tag"] == "tabular-classification"
    (entry,) = content["model-index"]
    (result,) = entry["results"]
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert 0 <= values["accuracy"] <= 1
    assert rest.lstrip().startswith("# m\n")
    from lockgate.models.bundle.card import front_matter

    metrics = {"classification": {"accuracy": {"estimate": 0.5}}}
    odd = yaml.safe_load(front_matter(name, "binary", metrics).strip().strip("-"))
    assert odd["model-index"][0]["name"] == name
