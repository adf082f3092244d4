"""Every model of ours: the metrics of a plain scikit-learn script, and packed with equal answers."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression
from sklearn.mixture import GaussianMixture as Mixture
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC, OneClassSVM
from sklearn.tree import DecisionTreeRegressor

import lockgate
from lockgate.contract.recipes import (
    BuildRequest,
    Candidate,
    Recipe,
    SearchRange,
    Task,
    is_fitted_to_each,
)
from lockgate.contract.requests import numpy_backend
from lockgate.contract.sections import CellRules
from lockgate.contract.tables import Column, Table
from lockgate.data.cell_checks import check_cell_rules
from lockgate.data.cell_rules import build_cell_steps
from lockgate.data.schema import fit_schema
from lockgate.modeling.training.fitting import check_task, check_weights, fit, loss_function
from lockgate.modeling.training.fusion import calibrate, fuse
from lockgate.modeling.training.quantiles import quantile_of
from lockgate.modeling.training.several_targets import fit_each_target
from lockgate.models.converters.convert import inputs_of, pack_estimator
from lockgate.models.converters.installed import Converters
from lockgate.models.converters.parity import check_parity
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.testing import check_installed
from lockgate.testing.examples import TASKS, example_table

ROWS = 20_000 if os.environ.get("LOCKGATE_SOAK") else 400
"""Plain rows, and as many at thresholds and beside."""

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL: dict[str, dict[str, Any]] = {
    "boosting": {"trees": 10},
    "extra-trees": {"trees": 10},
    "forest": {"trees": 10},
    "gradient-boosting": {"trees": 10},
    "isolation-forest": {"trees": 10},
    "lightgbm": {"trees": 10},
    "xgboost": {"trees": 10},
    "keras": {"hidden": [8], "epochs": 4, "batch_size": 32, "batch_normalization": True},
}
"""Settings that keep tests short."""

SINGLE: tuple[Task, ...] = ("binary", "multiclass", "regression")
SUPERVISED: tuple[Task, ...] = (*SINGLE, "multioutput")
TASKS_OF: dict[str, tuple[Task, ...]] = {
    "gaussian-mixture": ("anomaly", "clustering"),
    "isolation-forest": ("anomaly",),
    "k-means": ("clustering",),
    "linear": ("regression", "multioutput"),
    "logistic": ("binary", "multiclass"),
    "naive-bayes": ("binary", "multiclass"),
    "one-class-svm": ("anomaly",),
}
"""Tasks of models that do not solve all that have a target."""

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "boosting": [{}, {"quantile": 0.9}],
    "gradient-boosting": [{}, {"quantile": 0.9}],
    "lightgbm": [{}, {"quantile": 0.9}],
    "linear": [
        *({"penalty": name} for name in ("none", "ridge", "lasso", "elastic-net")),
        {"quantile": 0.9},
    ],
    "logistic": [
        *({"penalty": name} for name in ("ridge", "lasso", "elastic-net")),
        {"balanced": True},
    ],
    "svm": [{"kernel": "rbf"}, {"kernel": "linear"}, {"kernel": "rbf", "balanced": True}],
    "mlp": [{"hidden": [8], "epochs": 20}, {"hidden": [8, 4], "epochs": 20}],
}
"""Settings to try of models that have more than a number of trees."""

CONVERTERS = Converters(Catalogue.installed())
MODELS = sorted(entry.name for entry in Catalogue.installed() if entry.kind == "model")


def build(
    name: str, task: Task, table: Table, rules: CellRules | None = None, **settings: Any
) -> Recipe:
    plugin = check_installed("model", name)
    settings = {**SMALL.get(name, {}), **settings}
    by_target = is_fitted_to_each(plugin.tasks, task)
    asked: Task = "regression" if by_target else task
    request = BuildRequest(schema=table.schema, task=asked, seed=3, backend=numpy_backend())
    recipe: Recipe = plugin(**settings).build(request)
    if by_target:
        check_task(recipe, f"model.{name}")
        recipe = fit_each_target(recipe)
    steps = build_cell_steps(table.schema, rules or CellRules(), recipe.requirements, task)
    return replace(recipe, steps=(*steps, *recipe.steps))


def corners(recipe: Recipe) -> list[dict[str, Any]]:
    """The parameters at both ends of the search space, and its middle."""
    return [
        {
            name: allowed.at(share)
            if isinstance(allowed, SearchRange)
            else allowed[round(share * (len(allowed) - 1))]
            for name, allowed in recipe.space.items()
        }
        for share in (0.0, 0.5, 1.0)
    ]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_packed_with_equal_answers(name: str, task: Task) -> None:
    table, later = example_table(task), example_table(task, ROWS, seed=1)
    for settings in VARIANTS.get(name, [{}]):
        if task not in TASKS_OF.get(name, SUPERVISED):
            with pytest.raises(
                lockgate.DataError, match=r"choose model=|another model|only a regr"
            ):
                check_task(build(name, task, table, **settings), f"model.{name}")
            continue
        if task == "multioutput" and "quantile" in settings:
            with pytest.raises(lockgate.UsageError, match="quantiles of several targets"):
                quantile_of(build(name, task, table, **settings).estimator)
            continue
        if task != "regression" and "quantile" in settings:
            with pytest.raises(lockgate.DataError, match="only a regression has quantiles"):
                build(name, task, table, **settings)
            continue
        recipe = build(name, task, table, **settings)
        assert quantile_of(recipe.estimator) == settings.get("quantile")
        for params in corners(recipe):
            fitted = fit(recipe, params, table)
            packed = PackedModel(
                pack_estimator(
                    fitted, inputs_of(table.schema.features), library_converters=CONVERTERS
                ).raw
            )
            comparison = check_parity(fitted, packed, later.features, rows=ROWS)
            assert comparison.label_changes == 0
            assert comparison.rows >= ROWS // 2


def cells(*, scaled: bool, ordinal: bool = False) -> Any:
    """The preparation of the example rows that a user would write."""
    numbers: Any = SimpleImputer(strategy="median")
    if scaled:
        numbers = make_pipeline(numbers, StandardScaler())
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    )
    categories = encoder if ordinal else OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_column_transformer(
        (numbers, ["size", "price", "noise"]), (categories, ["colour"]), sparse_threshold=0
    )


SCALED = {"scaled": True}
TREES = {"scaled": False, "ordinal": True}


def scaled_target(regressor: Any) -> Any:
    return TransformedTargetRegressor(regressor, transformer=StandardScaler())


SCRIPTS: list[tuple[str, Task, dict[str, Any], dict[str, Any], dict[str, bool], Any]] = [
    (
        "linear",
        "regression",
        {"penalty": "lasso"},
        {"regressor__alpha": 0.01},
        SCALED,
        scaled_target(Lasso(0.01)),
    ),
    (
        "linear",
        "regression",
        {"penalty": "elastic-net"},
        {"regressor__alpha": 0.01, "regressor__l1_ratio": 0.1},
        SCALED,
        scaled_target(ElasticNet(alpha=0.01, l1_ratio=0.1)),
    ),
    (
        "logistic",
        "multiclass",
        {"penalty": "lasso"},
        {"C": 0.5},
        SCALED,
        LogisticRegression(C=0.5, solver="saga", l1_ratio=1.0, max_iter=1000, random_state=3),
    ),
    (
        "tree",
        "regression",
        {},
        {"max_depth": 3, "min_samples_leaf": 5},
        TREES,
        DecisionTreeRegressor(max_depth=3, min_samples_leaf=5, random_state=3),
    ),
    (
        "forest",
        "binary",
        {},
        {"min_samples_leaf": 5, "max_features": "sqrt"},
        TREES,
        RandomForestClassifier(10, min_samples_leaf=5, random_state=3),
    ),
    (
        "extra-trees",
        "binary",
        {"balanced": True},
        {"min_samples_leaf": 5},
        TREES,
        ExtraTreesClassifier(10, min_samples_leaf=5, class_weight="balanced", random_state=3),
    ),
    (
        "gradient-boosting",
        "regression",
        {},
        {"learning_rate": 0.2, "max_depth": 2},
        TREES,
        GradientBoostingRegressor(
            n_estimators=10, learning_rate=0.2, max_depth=2, subsample=0.8, random_state=3
        ),
    ),
    (
        "naive-bayes",
        "multiclass",
        {},
        {"var_smoothing": 1e-3},
        SCALED,
        GaussianNB(var_smoothing=1e-3),
    ),
    (
        "neighbors",
        "binary",
        {},
        {"n_neighbors": 7, "weights": "distance"},
        SCALED,
        KNeighborsClassifier(7, weights="distance", algorithm="brute"),
    ),
    (
        "mlp",
        "multiclass",
        {"hidden": [8], "epochs": 20},
        {"alpha": 0.01},
        SCALED,
        MLPClassifier((8,), alpha=0.01, max_iter=20, early_stopping=True, random_state=3),
    ),
]
"""Model, task, settings, parameters; the preparation and the estimator of a plain script."""


@pytest.mark.parametrize(
    ("name", "task", "settings", "params", "preparation", "estimator"),
    SCRIPTS,
    ids=[f"{case[0]}-{case[1]}" for case in SCRIPTS],
)
def test_a_model_is_that_of_a_plain_script(
    name: str,
    task: Task,
    settings: dict[str, Any],
    params: dict[str, Any],
    preparation: dict[str, bool],
    estimator: Any,
) -> None:
    table, later = example_table(task), example_table(task, 300, seed=1)
    ours = fit(build(name, task, table, **settings), params, table)
    script = make_pipeline(cells(**preparation), estimator).fit(table.features, table.target)
    assert np.array_equal(ours.predict(later.features), script.predict(later.features))
    if task != "regression":
        assert np.array_equal(
            ours.predict_proba(later.features), script.predict_proba(later.features)
        )


def test_clusters_are_those_of_a_plain_script() -> None:
    table, later = example_table("clustering"), example_table("clustering", 300, seed=1)
    k_means = fit(build("k-means", "clustering", table), {"n_clusters": 3}, table)
    mixture = fit(build("gaussian-mixture", "clustering", table), {"n_clusters": 3}, table)
    scripts = (
        (k_means, KMeans(3, n_init=10, random_state=3)),
        (mixture, Mixture(3, reg_covar=1e-3, n_init=3, random_state=3)),
    )
    for ours, estimator in scripts:
        script = make_pipeline(cells(scaled=True), estimator).fit(table.features)
        assert np.array_equal(ours.predict(later.features), script.predict(later.features))
        assert len(set(ours.predict(later.features))) == 3


@pytest.mark.parametrize(
    ("name", "scaled", "estimator"),
    [
        ("isolation-forest", False, IsolationForest(n_estimators=10, random_state=3)),
        ("one-class-svm", True, OneClassSVM(nu=0.05)),
        ("gaussian-mixture", True, Mixture(4, reg_covar=1e-3, n_init=3, random_state=3)),
    ],
)
def test_anomalies_are_those_of_a_plain_script(name: str, scaled: bool, estimator: Any) -> None:
    table, later = example_table("anomaly"), example_table("anomaly", 300, seed=1)
    ours = fit(build(name, "anomaly", table), {}, table)
    script = make_pipeline(cells(scaled=scaled), estimator).fit(table.features)
    *_, (_, last) = ours.steps
    expected = script.score_samples(later.features)
    scores = last.detector_.score_samples(ours[:-1].transform(later.features))
    assert np.array_equal(scores, expected)
    # the more anomalous of two rows has at least the higher score
    shares = ours.predict_proba(later.features)[:, 1]
    assert (np.diff(shares[np.argsort(-expected)]) >= 0).all()


@pytest.mark.parametrize("task", SINGLE)
@pytest.mark.parametrize("method", ["average", "vote", "stack"])
def test_a_fusion_is_that_of_a_plain_script_and_is_packed(task: Task, method: str) -> None:
    table, later = example_table(task), example_table(task, ROWS, seed=1)
    names = ("linear", "tree", "boosting") if task == "regression" else ("logistic", "tree", "svm")
    recipes = {name: build(name, task, table) for name in names}
    params = {name: corners(recipe)[1] for name, recipe in recipes.items()}
    if method == "vote" and task == "regression":
        with pytest.raises(lockgate.UsageError, match=r"use search.fusion=average"):
            fuse(recipes, params, method)
        return
    ours = fit(fuse(recipes, params, method), {}, table)
    members: list[tuple[str, Any]] = []
    for name, recipe in recipes.items():
        scaled = name in ("linear", "logistic", "svm")
        preparation = cells(scaled=scaled, ordinal=not scaled)
        estimator = clone(recipe.estimator).set_params(**params[name])
        if name == "boosting":  # takes missing cells
            preparation = clone(recipe.steps[0][1])
        members.append((name, make_pipeline(preparation, estimator)))
    regression = task == "regression"
    script: Any = {
        "average": VotingRegressor(members)
        if regression
        else VotingClassifier(members, voting="soft"),
        "vote": VotingClassifier(members),
        "stack": StackingRegressor(members)
        if regression
        else StackingClassifier(members, LogisticRegression(max_iter=1000)),
    }[method]
    script.fit(table.features, table.target)
    assert np.array_equal(ours.predict(later.features), script.predict(later.features))
    packed = PackedModel(pack_estimator(ours, inputs_of(table.schema.features)).raw)
    comparison = check_parity(ours, packed, later.features, rows=ROWS)
    assert comparison.label_changes == 0
    assert comparison.rows >= ROWS // 2


def test_quantiles_are_fused_with_their_like_alone() -> None:
    table = example_table("regression")
    recipes = {
        "boosting": build("boosting", "regression", table, quantile=0.9),
        "linear": build("linear", "regression", table, quantile=0.9),
    }
    params: dict[str, dict[str, Any]] = {name: {} for name in recipes}
    fused = fuse(recipes, params, "average")
    assert quantile_of(fused.estimator) == 0.9
    values = fit(fused, {}, table).predict(table.features)
    assert 0.8 < np.mean(table.target <= values) < 1
    with pytest.raises(lockgate.UsageError, match="a stack predicts means"):
        fuse(recipes, params, "stack")
    for other in ({"quantile": 0.8}, {}):
        mixed = {**recipes, "linear": build("linear", "regression", table, **other)}
        with pytest.raises(lockgate.UsageError, match="set the same quantile for each"):
            fuse(mixed, params, "average")


def test_a_member_gets_the_weights_and_a_stack_keeps_no_groups() -> None:
    plain = example_table("binary")
    recipes = {name: build(name, "binary", plain) for name in ("logistic", "tree")}
    params: dict[str, dict[str, Any]] = {name: {} for name in recipes}
    copies = np.where(plain.frame["size"] > 0, 4, 1)
    columns = (*plain.schema.columns, Column("times", "integer"))
    weighted = Table(
        plain.frame.assign(times=copies), replace(plain.schema, columns=columns, weight="times")
    )
    fused = fuse(recipes, params, "average")
    without, weights = (fit(fused, {}, table) for table in (plain, weighted))
    assert not np.allclose(
        without.predict_proba(plain.features), weights.predict_proba(plain.features)
    )
    with pytest.raises(lockgate.UsageError, match="folds that do not keep groups together"):
        fuse(recipes, params, "stack", grouped=True)
    clusters = {name: replace(recipe, task="clustering") for name, recipe in recipes.items()}
    with pytest.raises(lockgate.UsageError, match="cannot be fused"):
        fuse(clusters, params, "average")


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibrated_scores_are_closer_to_the_rates(method: str) -> None:
    """Naive Bayes on a column and its copies is far too sure."""
    table, later = example_table("binary", 2000), example_table("binary", 2000, seed=1)
    for part in (table, later):
        part.frame[["price", "noise"]] = part.frame[["size", "size"]].to_numpy()
    recipe = build("naive-bayes", "binary", table)
    calibrated = calibrate(Candidate(recipe, corners(recipe)[0]), method)
    losses = [
        loss_function(later, "log_loss", "binary", ("no", "yes"))(fit(part, {}, table))
        for part in (recipe, calibrated.recipe)
    ]
    assert losses[1] < losses[0] - 0.05
    packed = PackedModel(
        pack_estimator(fit(calibrated.recipe, {}, table), inputs_of(table.schema.features)).raw
    )
    assert packed.classes == ("no", "yes")
    with pytest.raises(lockgate.UsageError, match="regression has no probabilities"):
        calibrate(Candidate(replace(recipe, task="regression")), method)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        (name, task)
        for name in MODELS
        for task in TASKS_OF.get(name, SUPERVISED)
        if task != "multiclass"
    ],
)
def test_row_weights_are_used_or_refused(name: str, task: Task) -> None:
    plain = example_table(task)
    copies = 1 + (plain.frame["size"] > 0) * 3
    columns = (*plain.schema.columns, Column("times", "integer"))
    weighted = Table(
        plain.frame.assign(times=copies), replace(plain.schema, columns=columns, weight="times")
    )
    recipe = build(name, task, plain)
    # behind a scaled target the estimators of several targets are given no weights
    if name in ("neighbors", "gaussian-mixture") or (name, task) == ("svm", "multioutput"):
        with pytest.raises(lockgate.DataError, match="cannot weight rows.*and times is"):
            check_weights(recipe, weighted, f"model.{name}")
        return
    check_weights(recipe, weighted, f"model.{name}")
    params = corners(recipe)[1]
    models = [fit(recipe, params, table) for table in (plain, weighted)]
    without, with_weights = (
        model.predict_proba(plain.features)
        if hasattr(model, "predict_proba")
        else model.predict(plain.features)
        for model in models
    )
    assert (without != with_weights).any()


def test_the_scores_of_a_support_vector_machine_are_calibrated() -> None:
    table, later = example_table("binary", 600), example_table("binary", 4000, seed=1)
    fitted = fit(build("svm", "binary", table), {"estimator__C": 1.0}, table)
    scores = fitted.predict_proba(later.features)[:, 1]
    actual = later.target == "yes"
    for low, high in ((0.0, 0.2), (0.4, 0.6), (0.8, 1.0)):
        part = (scores >= low) & (scores <= high)
        assert part.sum() > 50
        assert abs(actual[part].mean() - scores[part].mean()) < 0.1
    margins = SVC(C=1.0).fit(ours_inputs(fitted, table), table.target)
    assert np.corrcoef(margins.decision_function(ours_inputs(fitted, later)), scores)[0, 1] > 0.9


def ours_inputs(fitted: Any, table: Table) -> np.ndarray:
    return np.asarray(fitted[:-1].transform(table.features))


WORDS = [
    "late",
    "parcel",
    "Größe",
    "refund",
    "thanks",
    "a",
    "\u5305\u88f9",
    "\u8fdf\u5230",
    "\u8c22\u8c22",
]


def texts_of(rows: int, seed: int) -> Table:
    """Rows with a number and a text in two scripts, some of them missing or empty."""
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, rng.integers(0, 7))) for _ in range(rows)]
    noise = rng.normal(size=rows)
    late = np.array(["late" in text or "\u8fdf\u5230" in text for text in texts])
    target = np.where(rng.random(rows) < 0.1, ~late, late)
    frame = pd.DataFrame({"noise": noise, "note": texts, "y": np.where(target, "yes", "no")})
    frame.loc[::17, "note"] = None
    loaded = lockgate.table(frame, target="y", kinds={"note": "text"})
    return Table(loaded.frame, fit_schema(loaded))


@pytest.mark.parametrize("encoding", ["words", "characters", "counts", "hashed"])
@pytest.mark.parametrize(
    ("name", "settings"),
    [("logistic", {}), ("svm", {"kernel": "linear"}), ("forest", {}), ("boosting", {})],
    ids=["logistic", "svm", "forest", "boosting"],
)
def test_models_of_texts_are_packed_with_equal_answers(
    encoding: str, name: str, settings: dict[str, Any]
) -> None:
    table, later = texts_of(300, 0), texts_of(ROWS, 1)
    rules = CellRules(texts={"note": encoding}, text_components=20)
    recipe = build(name, "binary", table, rules, **settings)
    fitted = fit(recipe, {}, table)
    packed = PackedModel(pack_estimator(fitted, inputs_of(table.schema.features)).raw)
    assert check_parity(fitted, packed, later.features, rows=ROWS).label_changes == 0
    assert (packed.predict(later.features).label == later.target).mean() > 0.65


DATED = {
    "computed": {"computed": {"per": "price / size", "gap": "price - noise", "age": "seen - born"}},
    "a ratio with zeros": {"computed": {"per": "price / zeros"}},
    "cyclic": {"dates": "cyclic"},
    "frequency": {"encodings": {"colour": "frequency"}},
    "clips": {"clips": {"size": 0.1}, "clip": 0.01},
}


@pytest.mark.parametrize("rules", DATED)
@pytest.mark.parametrize("name", ["logistic", "boosting"])
def test_rules_of_dates_and_computed_columns_are_packed(rules: str, name: str) -> None:
    def dated(rows: int, seed: int) -> Table:
        draw, plain = np.random.default_rng(seed), example_table("binary", rows, seed=seed)
        born = pd.Timestamp("1960-01-01") + pd.to_timedelta(draw.integers(0, 20_000, rows), "D")
        seen = pd.Timestamp("2024-01-01") + pd.to_timedelta(draw.integers(0, 20_000, rows), "h")
        frame = plain.frame.assign(born=born, seen=seen, zeros=draw.integers(0, 3, rows))
        frame.loc[::7, "born"] = pd.NaT
        made = lockgate.table(frame, target="target")
        return Table(made.frame, fit_schema(made))

    table, later = dated(240, 0), dated(ROWS, 1)
    later.frame.loc[::9, "colour"] = "mauve"  # unknown
    fitted = fit(build(name, "binary", table, CellRules(**DATED[rules])), {}, table)
    packed = PackedModel(pack_estimator(fitted, inputs_of(table.schema.features)).raw)
    comparison = check_parity(fitted, packed, later.features, rows=ROWS)
    assert comparison.label_changes == 0
    assert comparison.rows >= ROWS // 2
    plain = fit(build(name, "binary", table, CellRules()), {}, table)
    if name == "logistic":  # trees may cut where no row moved
        assert not np.array_equal(
            fitted.predict_proba(later.features), plain.predict_proba(later.features)
        )


def test_a_column_that_cannot_be_computed_is_refused() -> None:
    schema = example_table("binary").schema
    for text, words in {
        "size/price": "expected two columns with a sign between blanks",
        "size - nosie": "unknown feature 'nosie', did you mean 'noise'",
        "size - colour": "cannot subtract size .number. and colour .category.",
    }.items():
        with pytest.raises(lockgate.SchemaViolation, match=words):
            check_cell_rules(schema, CellRules(computed={"new": text}))
    with pytest.raises(lockgate.SchemaViolation, match="a feature has that name"):
        check_cell_rules(schema, CellRules(computed={"size": "price - noise"}))
    with pytest.raises(lockgate.SchemaViolation, match="expected a column of numbers"):
        check_cell_rules(schema, CellRules(clips={"colour": 0.1}))


@pytest.mark.parametrize(
    "rules",
    [
        {"encodings": {"colour": "target"}},
        {"encodings": {"colour": "ordinal"}},
        {"scale": "robust"},
        {"scale": "power"},
        {"scale": "quantile"},
        {"scale": "power", "encodings": {"colour": "target"}, "indicator": True},
    ],
    ids=["target", "ordinal", "robust", "power", "quantile", "all"],
)
@pytest.mark.parametrize("task", SINGLE)
def test_cell_rules_are_packed_with_equal_answers(rules: dict[str, Any], task: Task) -> None:
    table, later = example_table(task, 300), example_table(task, ROWS, seed=1)
    later.frame.loc[::9, "colour"] = "mauve"  # unknown
    later.frame.loc[::11, "colour"] = None
    name = "linear" if task == "regression" else "logistic"
    if task == "regression":  # whole numbers are numbers
        table.frame["target"] = (table.frame["target"] * 3).round()
    fitted = fit(build(name, task, table, CellRules(**rules)), {}, table)
    if task == "regression" and rules == {"encodings": {"colour": "target"}}:
        assert fitted[:-1].transform(table.features).shape[1] == 4
    packed = PackedModel(pack_estimator(fitted, inputs_of(table.schema.features)).raw)
    assert check_parity(fitted, packed, later.features, rows=ROWS).label_changes == 0


def test_what_several_targets_cannot_have_is_refused() -> None:
    table = example_table("multioutput")
    with pytest.raises(lockgate.SchemaViolation, match="the mean of a single target"):
        check_cell_rules(table.schema, CellRules(encodings={"colour": "target"}))
    recipes = {name: build(name, "multioutput", table) for name in ("linear", "tree")}
    with pytest.raises(lockgate.UsageError, match="multioutput cannot be fused"):
        fuse(recipes, {name: {} for name in recipes}, "average")


def test_a_calibration_that_cannot_weight_or_keep_groups_is_refused() -> None:
    plain = example_table("binary")
    recipes = {name: build(name, "binary", plain) for name in ("logistic", "tree")}
    columns = (*plain.schema.columns, Column("times", "integer"))
    weighted = Table(
        plain.frame.assign(times=2), replace(plain.schema, columns=columns, weight="times")
    )
    fused = Candidate(fuse(recipes, {name: {} for name in recipes}, "average"))
    check_weights(fused.recipe, weighted, "fusion")
    with pytest.raises(lockgate.DataError, match=r"cannot weight rows .VotingClassifier.fit"):
        check_weights(calibrate(fused, "sigmoid").recipe, weighted, "search.calibration")
    with pytest.raises(lockgate.UsageError, match="keep groups together"):
        calibrate(fused, "sigmoid", grouped=True)


@pytest.mark.parametrize("name", ["isolation-forest", "one-class-svm", "gaussian-mixture"])
def test_as_many_new_rows_are_flagged_as_was_said(name: str) -> None:
    """A detector takes the rows that it was fitted on for more usual than others like them."""
    shares = []
    for seed in range(3):
        table = example_table("anomaly", 400, seed=seed)
        later = example_table("anomaly", 4000, seed=100 + seed)
        fitted = fit(build(name, "anomaly", table), {}, table)
        shares.append(np.mean(fitted.predict_proba(later.features)[:, 1] >= 0.95))
    assert np.mean(shares) == pytest.approx(0.05, abs=0.02)


def test_a_linear_quantile_has_the_penalty_that_was_chosen() -> None:
    table = example_table("regression")
    plain = build("linear", "regression", table, quantile=0.9, penalty="none")
    assert (plain.space, plain.estimator.regressor.alpha) == ({}, 0.0)
    assert build("linear", "regression", table, quantile=0.9, penalty="lasso").space
    with pytest.raises(lockgate.DataError, match="no elastic net for a quantile"):
        build("linear", "regression", table, quantile=0.9, penalty="elastic-net")
