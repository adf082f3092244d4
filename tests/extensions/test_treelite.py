"""LightGBM and XGBoost in packed form answer as the originals do."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

import lockgate
from lockgate.models.converters.installed import Converters
from lockgate.models.converters.parity import check_parity
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.models.packing.pack import packed_bytes
from lockgate.models.packing.rows import table_from
from lockgate.models.skops_file import read_estimator, write_estimator
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.testing.examples import example_table
from tests.models.packing import zoo

lightgbm = pytest.importorskip("lightgbm", reason="LightGBM is not installed")
xgboost = pytest.importorskip("xgboost", reason="XGBoost is not installed")

LIGHT = {"n_estimators": 25, "verbose": -1, "random_state": 0, "n_jobs": 1}
XGB = {"n_estimators": 25, "random_state": 0, "n_jobs": 1}


def held(model: object, frame: pd.DataFrame) -> PackedModel:
    table, rows = table_from(frame)
    raw, _ = packed_bytes(model, table.schema)
    packed = PackedModel(raw)
    if os.environ.get("LOCKGATE_SOAK"):
        drawn = [
            rows[name].sample(20_000, replace=True, random_state=k).reset_index(drop=True)
            for k, name in enumerate(rows)
        ]
        many = pd.concat(drawn, axis=1)  # other combinations of the same cells
        assert check_parity(model, packed, many, rows=20_000).label_changes == 0
    found = check_parity(model, packed, rows)
    assert found.label_changes == 0
    columns, single = (
        packed.predict(rows, engine="columns"),
        packed.predict(rows[:50], engine="rows"),
    )
    assert np.array_equal(columns.label[:50], single.label)
    return packed


NUMERIC = zoo.NUMBERS


@pytest.mark.parametrize("target", ["two", "three"])
@pytest.mark.parametrize("options", [{}, {"num_leaves": 100, "min_child_samples": 2}])
def test_lightgbm_classifiers(target: str, options: dict[str, int]) -> None:
    frame = zoo.frame_of()
    model = lightgbm.LGBMClassifier(**LIGHT, **options)
    held(model.fit(frame[NUMERIC], zoo.targets(frame)[target]), frame[NUMERIC])


@pytest.mark.parametrize("objective", ["regression", "poisson", "l1", "quantile"])
def test_lightgbm_regressors(objective: str) -> None:
    frame = zoo.frame_of()
    model = lightgbm.LGBMRegressor(**LIGHT, objective=objective)
    held(model.fit(frame[NUMERIC], zoo.targets(frame)["count"]), frame[NUMERIC])


def test_lightgbm_without_gaps_in_training_takes_gaps_as_zeros() -> None:
    frame = zoo.frame_of(gaps=False)[NUMERIC]
    model = lightgbm.LGBMClassifier(**LIGHT).fit(frame, zoo.targets(zoo.frame_of())["two"])
    held(model, zoo.frame_of()[NUMERIC])


@pytest.mark.parametrize("target", ["two", "three"])
def test_lightgbm_with_categories_of_pandas(target: str) -> None:
    frame = zoo.frame_of().astype(dict.fromkeys(zoo.CATEGORIES, "category"))
    frame["level"] = pd.Categorical(frame["level"].astype(int))
    model = lightgbm.LGBMClassifier(**LIGHT, min_data_per_group=5, cat_smooth=1)
    model.fit(frame, zoo.targets(zoo.frame_of())[target])
    packed = held(model, frame)
    plain = frame.astype({"colour": object, "side": object, "level": object})
    assert np.array_equal(packed.predict(plain).score, packed.predict(frame).score)


def test_lightgbm_stopped_early_keeps_its_best_trees() -> None:
    frame = zoo.frame_of()
    target = np.unique(zoo.targets(frame)["two"], return_inverse=True)[1]
    model = lightgbm.LGBMClassifier(**{**LIGHT, "n_estimators": 300}, learning_rate=0.3)
    model.fit(
        frame[NUMERIC][:1000],
        target[:1000],
        eval_X=frame[NUMERIC][1000:],
        eval_y=target[1000:],
        callbacks=[lightgbm.early_stopping(5, verbose=False)],
    )
    assert model.best_iteration_ < 300
    held(model, frame[NUMERIC])


def test_lightgbm_at_the_end_of_a_pipeline_and_of_one_against_all() -> None:
    frame = zoo.frame_of()
    model = make_pipeline(
        zoo.with_gaps(), lightgbm.LGBMClassifier(**LIGHT, objective="multiclassova")
    )
    held(model.set_output(transform="pandas").fit(frame, zoo.targets(frame)["three"]), frame)


@pytest.mark.parametrize("objective", ["binary", "multiclassova"])
def test_lightgbms_sigmoid_keeps_its_64_bits(objective: str) -> None:
    frame = zoo.frame_of()
    target = zoo.targets(frame)["two" if objective == "binary" else "three"]
    model = lightgbm.LGBMClassifier(**LIGHT, objective=objective, sigmoid=0.7)
    packed = held(model.fit(frame[NUMERIC], target), frame[NUMERIC])
    assert packed.header.tolerance == 1e-12


@pytest.mark.parametrize("target", ["two", "three"])
def test_xgboost_classifiers(target: str) -> None:
    frame = zoo.frame_of()
    truth = np.unique(zoo.targets(frame)[target], return_inverse=True)[1]
    model = xgboost.XGBClassifier(**XGB).fit(frame[NUMERIC], truth)
    packed = held(model, frame[NUMERIC])
    assert packed.header.tolerance == 1e-6


@pytest.mark.parametrize("objective", ["reg:squarederror", "reg:absoluteerror"])
def test_xgboost_regressors(objective: str) -> None:
    frame = zoo.frame_of()
    model = xgboost.XGBRegressor(**XGB, objective=objective)
    held(model.fit(frame[NUMERIC], zoo.targets(frame)["count"]), frame[NUMERIC])


def test_xgboost_with_a_logarithmic_link_keeps_the_bound() -> None:
    frame, target = zoo.frame_of()[NUMERIC], zoo.targets(zoo.frame_of())["count"]
    small = xgboost.XGBRegressor(**{**XGB, "n_estimators": 5}, objective="count:poisson")
    assert held(small.fit(frame, target), frame).header.tolerance == 1e-6
    large = xgboost.XGBRegressor(**{**XGB, "n_estimators": 300}, objective="count:poisson")
    packed = held(large.fit(frame, target), frame)
    assert packed.header.tolerance == 300 * 2.0**-24  # each sum in 32 bits is rounded


def test_xgboost_with_categories_as_numbers_and_stopped_early() -> None:
    frame, target = zoo.frame_of(), zoo.targets(zoo.frame_of())["count"]
    model = xgboost.XGBRegressor(
        **{**XGB, "n_estimators": 200},
        feature_types=["q", "q", "q", "q", "c"],
        enable_categorical=True,
        max_cat_to_onehot=1,
        early_stopping_rounds=3,
    )
    numbers = frame[NUMERIC].to_numpy()
    model.fit(
        numbers[:1000], target[:1000], eval_set=[(numbers[1000:], target[1000:])], verbose=False
    )
    packed = pack_numbers(model, numbers)
    assert proved_on_numbers(model, packed, numbers) <= 1e-6


def test_xgboost_with_pandas_categories(tmp_path: Path) -> None:
    frame, target = zoo.frame_of(), (zoo.targets(zoo.frame_of())["two"] == "yes").astype(int)
    sizes = np.resize([7, 30, 2], len(frame))
    typed = frame[NUMERIC].assign(
        colour=frame["colour"].astype("category"), size=pd.Categorical(sizes)
    )
    model = xgboost.XGBClassifier(**XGB, enable_categorical=True).fit(typed, target)
    bundle = lockgate.pack(model, typed, target, path=tmp_path / "m")
    for colour, size in (("b", 30), (None, 7), ("rare", 2)):
        cells = {"colour": pd.Categorical([colour], typed["colour"].cat.categories)}
        changed = typed.iloc[:1].assign(**cells, size=pd.Categorical([size], [2, 7, 30]))
        expected = model.predict_proba(changed)[0, 1]
        row = {**typed.iloc[0].to_dict(), "colour": colour, "size": size}
        assert bundle.predict_one(row).score == pytest.approx(expected, abs=1e-6)
    with pytest.raises(lockgate.SchemaViolation, match="'purple'"):
        bundle.predict_one({**typed.iloc[0].to_dict(), "colour": "purple"})
    by_codes = xgboost.XGBClassifier(**XGB, enable_categorical=True)
    content = json.loads(model.get_booster().save_raw("json"))
    content["learner"]["gradient_booster"]["model"].pop("cats")  # as before 3.1
    (tmp_path / "old.json").write_text(json.dumps(content))
    by_codes.load_model(tmp_path / "old.json")
    with pytest.raises(lockgate.NotCovered, match="XGBoost before 3.1"):
        lockgate.pack(by_codes, typed, target, path=tmp_path / "old")


def test_xgboost_stopped_early_keeps_its_categories(tmp_path: Path) -> None:
    frame, target = zoo.frame_of(), (zoo.targets(zoo.frame_of())["two"] == "yes").astype(int)
    typed = frame[NUMERIC].assign(colour=frame["colour"].astype("category"))
    model = xgboost.XGBClassifier(
        **{**XGB, "n_estimators": 300}, enable_categorical=True, early_stopping_rounds=3
    )
    model.fit(typed[:1000], target[:1000], eval_set=[(typed[1000:], target[1000:])], verbose=False)
    bundle = lockgate.pack(model, typed, target, path=tmp_path / "m")
    expected = model.predict_proba(typed)[:, 1]
    assert np.abs(np.asarray(bundle.predict(typed).score) - expected).max() <= 1e-6


@pytest.mark.parametrize("stop", ["callback", "file"])
def test_xgboost_stops_at_its_best_iteration_however_it_came(stop: str, tmp_path: Path) -> None:
    frame, target = (
        zoo.frame_of()[NUMERIC],
        (zoo.targets(zoo.frame_of())["two"] == "yes").astype(int),
    )
    late = [(frame[1000:], target[1000:])]
    options: dict[str, Any] = {"early_stopping_rounds": 3}
    if stop == "callback":
        options = {"callbacks": [xgboost.callback.EarlyStopping(rounds=3)]}
    model = xgboost.XGBClassifier(**{**XGB, "n_estimators": 300}, **options)
    model.fit(frame[:1000], target[:1000], eval_set=late, verbose=False)
    assert model.best_iteration < 290
    if stop == "file":
        model.save_model(tmp_path / "m.json")
        model = xgboost.XGBClassifier()
        model.load_model(tmp_path / "m.json")
    bundle = lockgate.pack(model, frame, target, path=tmp_path / "m")
    expected = model.predict_proba(frame)[:, 1]
    assert np.abs(np.asarray(bundle.predict(frame).score) - expected).max() <= 1e-6


def pack_numbers(model: object, numbers: np.ndarray) -> PackedModel:
    return PackedModel(packed_bytes(model, table_from(numbers)[0].schema)[0])


def proved_on_numbers(model: object, packed: PackedModel, numbers: np.ndarray) -> float:
    # XGBoost itself refuses codes between categories, so plain rows alone are compared
    theirs = model.predict(numbers)
    ours = packed.predict(numbers).label
    return float((np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))).max())


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: xgboost.XGBRegressor(booster="gblinear"), "booster='gblinear'; use gbtree"),
        (lambda: xgboost.XGBRegressor(missing=-1.0), "missing=-1.0; use NaN"),
        (lambda: xgboost.XGBRanker(), "use XGBClassifier or XGBRegressor"),
    ],
)
def test_what_is_not_covered_is_named(model: object, words: str) -> None:
    frame = zoo.frame_of(200)[NUMERIC]
    made = model()
    if not isinstance(made, xgboost.XGBRanker):
        made.set_params(n_estimators=2).fit(frame, zoo.targets(zoo.frame_of(200))["value"])
    with pytest.raises(lockgate.NotCovered, match=words):
        packed_bytes(made, table_from(frame)[0].schema)


def test_a_library_without_a_converter_is_named_with_what_to_install() -> None:
    converters = Converters(Catalogue.installed())
    assert {"lightgbm", "xgboost"} <= set(converters)
    with pytest.raises(KeyError):
        converters["catboost"]


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_a_booster_between_two_stages_has_the_same_bytes_each_time(
    name: str, tmp_path: Path
) -> None:
    table = example_table("binary")
    plugin = Catalogue.installed().find("model", name).load()
    request = lockgate.BuildRequest(schema=table.schema, task="binary")
    rows = table.frame[["size", "noise"]]
    for file in ("first", "again"):
        model = plugin(trees=5).build(request).estimator.fit(rows, table.target)
        write_estimator(tmp_path / file, model, between_stages=True)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "again").read_bytes()
    with pytest.raises(lockgate.BundleError, match=f"types that a model file.*{name}"):
        read_estimator(tmp_path / "first")  # a file of a stranger may crash the library
    read = read_estimator(tmp_path / "first", between_stages=True)
    assert np.array_equal(read.predict_proba(rows), model.predict_proba(rows))
    assert set(read.predict(rows)) == {"no", "yes"}
