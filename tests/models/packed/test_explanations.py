"""Explanations against all coalitions of inputs, and against LightGBM's own."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from lockgate.contract.explanation import Against
from lockgate.contract.tables import Column, ColumnKind
from lockgate.data.columns.parsing import read_columns
from lockgate.errors import NotApplicable, PackedFormatError
from lockgate.models.converters.convert import inputs_of, pack_estimator
from lockgate.models.packed.content import PackedContent
from lockgate.models.packed.explanation import cell_tables
from lockgate.models.packed.explanation.additive_terms import find_explained
from lockgate.models.packed.explanation.explainer import Explainer
from lockgate.models.packed.explanation.reference_walk import ReferenceWalk
from lockgate.models.packed.explanation.tree_paths import leaf_values
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.models.packed.runtime.tree_arrays import UnpackedForest

ROWS = 5
NUMBERS = [f"n{k}" for k in range(5)]
CATEGORIES = ["plan", "region"]


def people(seed: int = 0, rows: int = 600) -> tuple[pd.DataFrame, np.ndarray]:
    """Return rows with gaps and categories, and a number that depends on them together."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({name: rng.normal(size=rows) for name in NUMBERS})
    frame = frame.mask(rng.random(frame.shape) < 0.1)
    for name in CATEGORIES:
        frame[name] = rng.choice(["basic", "plus", "pro", "team"], rows)
    known = frame[NUMBERS].fillna(0)
    signal = known.n0 * known.n1 + known.n2 + (frame.plan == "pro") * (1 - known.n3)
    return frame, np.asarray(signal + rng.logistic(size=rows) / 2)


def one_hot() -> Any:
    """Fill gaps, with indicators, scale, and encode categories."""
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_column_transformer((numbers, NUMBERS), (encoder, CATEGORIES))


def as_codes() -> Any:
    """Leave gaps, and encode categories as codes."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    return make_column_transformer(("passthrough", NUMBERS), (encoder, CATEGORIES))


def packed(
    estimator: Any, frame: pd.DataFrame, kinds: Mapping[str, ColumnKind] | None = None
) -> PackedModel:
    """Pack a fitted pipeline."""
    if kinds is None:
        kinds = dict.fromkeys(CATEGORIES, "category")
    columns = [Column(str(name), kinds.get(str(name), "number")) for name in frame]
    return PackedModel(pack_estimator(estimator, inputs_of(columns)).raw)


def reference_of(frame: pd.DataFrame) -> dict[str, Any]:
    """Return medians and modes."""
    return {
        name: float(frame[name].median()) if name in NUMBERS else frame[name].mode()[0]
        for name in frame
    }


def by_all_coalitions(
    model: PackedModel, rows: pd.DataFrame, reference: dict[str, Any]
) -> np.ndarray:
    """Return Shapley values by their definition, from predictions of mixed rows."""
    explained, _ = find_explained(model.header, model.shapes)
    names = [column.name for column in model.inputs]
    players = range(len(names))
    values = []
    for row in rows.to_dict("records"):
        sets = [
            set(s) for size in range(len(names) + 1) for s in itertools.combinations(players, size)
        ]
        mixed = pd.DataFrame(
            [
                {n: row[n] if k in chosen else reference[n] for k, n in enumerate(names)}
                for chosen in sets
            ]
        )
        cells, count = read_columns(model.inputs, mixed)
        numbers = model.compute_operation(explained, cells, count).T
        worth = {frozenset(chosen): number for chosen, number in zip(sets, numbers, strict=True)}
        row_values = []
        for player in players:
            total = 0.0
            for chosen in (s for s in worth if player not in s):
                size = len(chosen)
                weight = math.factorial(size) * math.factorial(len(names) - size - 1)
                total = total + weight / math.factorial(len(names)) * (
                    worth[chosen | {player}] - worth[chosen]
                )
            row_values.append(total)
        values.append(row_values)
    return np.array(values)


MODELS: dict[str, Callable[[], Any]] = {
    "logistic": lambda: make_pipeline(one_hot(), LogisticRegression()),
    "ridge": lambda: make_pipeline(one_hot(), Ridge()),
    "components": lambda: make_pipeline(one_hot(), PCA(4), LinearRegression()),
    "tree": lambda: make_pipeline(one_hot(), DecisionTreeClassifier(max_depth=5, random_state=0)),
    "histograms": lambda: make_pipeline(as_codes(), HistGradientBoostingClassifier(max_iter=20)),
    "histograms by sets": lambda: make_pipeline(
        as_codes(), HistGradientBoostingClassifier(max_iter=20, categorical_features=[5, 6])
    ),
    "histograms on one-hot columns": lambda: make_pipeline(
        one_hot(), HistGradientBoostingRegressor(max_iter=20)
    ),
    "counts": lambda: make_pipeline(
        as_codes(), HistGradientBoostingRegressor(max_iter=10, loss="poisson")
    ),
    "gradient boosting": lambda: make_pipeline(
        one_hot(), GradientBoostingClassifier(n_estimators=15, random_state=0)
    ),
    "forest": lambda: make_pipeline(one_hot(), RandomForestClassifier(12, random_state=0)),
    "forest of values": lambda: make_pipeline(one_hot(), RandomForestRegressor(8, random_state=0)),
    "extra trees": lambda: make_pipeline(one_hot(), ExtraTreesRegressor(8, random_state=0)),
    "stumps": lambda: make_pipeline(one_hot(), AdaBoostClassifier(n_estimators=8, random_state=0)),
    "bagged margins": lambda: make_pipeline(
        one_hot(), BaggingClassifier(LogisticRegression(), 3, random_state=0)
    ),
    "kernel": lambda: make_pipeline(one_hot(), SVC()),
    "network": lambda: make_pipeline(
        one_hot(), MLPClassifier((5,), max_iter=400, tol=1e-2, random_state=0)
    ),
    "products": lambda: make_pipeline(
        one_hot(), PolynomialFeatures(2, include_bias=False), Ridge()
    ),
}


def fitted(name: str, classes: int = 2) -> tuple[PackedModel, pd.DataFrame]:
    """Fit and pack one of the models."""
    frame, signal = people()
    estimator = MODELS[name]()
    target: np.ndarray = signal
    if name == "counts":
        target = np.floor(np.exp(np.clip(signal, -3, 3)))
    elif (
        hasattr(estimator[-1], "classes_")
        or "Classifier" in type(estimator[-1]).__name__
        or name in ("logistic", "kernel")
    ):
        target = np.searchsorted(np.quantile(signal, np.arange(1, classes) / classes), signal)
    return packed(estimator.fit(frame, target), frame), frame


def check(model: PackedModel, frame: pd.DataFrame) -> Explainer:
    """Compare with all coalitions; values add up, and single rows get the same bits."""
    reference = reference_of(frame)
    rows = frame.head(ROWS)
    explainer = Explainer(model, read_columns(model.inputs, [reference])[0])
    cells, count = read_columns(model.inputs, rows)
    values = explainer.columns(cells, count)
    assert np.abs(values - by_all_coalitions(model, rows, reference)).max() <= 1e-9
    explained, _ = find_explained(model.header, model.shapes)
    predicted = model.compute_operation(explained, cells, count).T
    assert np.abs(values.sum(axis=1) + explainer.base - predicted).max() <= 1e-12 * max(
        1, np.abs(predicted).max()
    )
    for k in range(count):
        alone = explainer.columns([column[k : k + 1] for column in cells], 1)
        assert alone.tolist() == values[k : k + 1].tolist()
    return explainer


@pytest.mark.parametrize("name", sorted(MODELS))
def test_values_are_those_of_all_coalitions(name: str) -> None:
    model, frame = fitted(name)
    check(model, frame)


@pytest.mark.parametrize("name", ["logistic", "histograms", "forest", "tree"])
def test_every_class_is_explained(name: str) -> None:
    model, frame = fitted(name, classes=3)
    assert check(model, frame).outputs == 3


@pytest.mark.parametrize(
    "name", ["histograms", "histograms by sets", "histograms on one-hot columns", "forest"]
)
def test_walks_and_tables_agree(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, frame = fitted(name)
    reference = read_columns(model.inputs, [reference_of(frame)])[0]
    cells, rows = read_columns(model.inputs, frame.head(50))
    cases: tuple[tuple[Against, str], ...] = (
        ("reference", "walk of both rows"),
        ("training", "walk of all nodes"),
    )
    for against, walk in cases:
        monkeypatch.setattr(cell_tables, "UNIT_SIZES", (1 << 15, 1 << 12))
        tables = Explainer(model, reference, against)
        assert tables.engines == ["cell tables"]
        monkeypatch.setattr(cell_tables, "UNIT_SIZES", ())
        walks = Explainer(model, reference, against)
        assert walks.engines == [walk]
        assert np.abs(tables.columns(cells, rows) - walks.columns(cells, rows)).max() <= 1e-12
        assert np.array_equal(tables.base, walks.base)


def test_more_than_a_word_of_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(400, 150)), columns=[f"x{k}" for k in range(150)])
    target = frame.iloc[:, ::10].sum(axis=1) + frame.x0 * frame.x149
    forest = RandomForestRegressor(4, max_depth=9, max_features=0.1, random_state=0)
    model = packed(forest.fit(frame, target), frame, {})
    reference = read_columns(model.inputs, frame.tail(1))[0]
    cells, rows = read_columns(model.inputs, frame.head(20))
    tables = Explainer(model, reference)
    monkeypatch.setattr(cell_tables, "UNIT_SIZES", ())
    walk = Explainer(model, reference)
    assert tables.engines + walk.engines == ["cell tables", "walk of both rows"]
    values = tables.columns(cells, rows)
    assert np.abs(values - walk.columns(cells, rows)).max() <= 1e-12 * 10
    compared = {int(k) for tree in forest.estimators_ for k in tree.tree_.feature if k >= 0}
    contributing = set(np.flatnonzero(np.abs(values).sum(axis=(0, 2))).tolist())
    assert contributing <= compared
    assert max(contributing) > 128


def test_texts() -> None:
    frame, signal = people(rows=300)
    words = np.random.default_rng(1).choice(["late", "broken", "fine", "thanks", "again"], (300, 4))
    frame = pd.DataFrame({"n0": frame.n0.fillna(0), "message": [" ".join(row) for row in words]})
    late = frame.message.str.contains("late").to_numpy()
    target = (signal + 2 * late > 1).astype(int)
    columns = make_column_transformer((StandardScaler(), ["n0"]), (TfidfVectorizer(), "message"))
    model = packed(
        make_pipeline(columns, LogisticRegression()).fit(frame, target), frame, {"message": "text"}
    )
    check(model, frame.assign(message=frame.message))


def test_training_rows_by_lightgbm() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    pytest.importorskip("lockgate_treelite")
    from lockgate.models.converters.installed import Converters
    from lockgate.plugins.host.catalogue import Catalogue

    frame, signal = people()
    frame = frame.assign(
        **{name: frame[name].astype("category").cat.codes.astype(float) for name in CATEGORIES}
    )
    for categories in ([], [5, 6]):
        booster = lightgbm.LGBMRegressor(
            n_estimators=20, verbose=-1, n_jobs=1, min_data_per_group=5, max_cat_to_onehot=1
        )
        booster.fit(frame, signal, categorical_feature=categories)
        columns = [Column(name, "number") for name in frame]
        raw = pack_estimator(
            booster, inputs_of(columns), library_converters=Converters(Catalogue.installed())
        ).raw
        model = PackedModel(raw)
        cells, rows = read_columns(model.inputs, frame.head(200))
        explainer = Explainer(model, [column[:1] for column in cells], "training")
        expected = booster.predict(frame.head(200), pred_contrib=True)
        assert np.abs(explainer.columns(cells, rows)[:, :, 0] - expected[:, :-1]).max() <= 1e-9
        assert np.abs(explainer.base - expected[0, -1]).max() <= 1e-9


def path_values(tree: Any, row: np.ndarray, owners: list[int], players: int) -> np.ndarray:
    """Return Shapley values of the path-dependent game of one tree, by their definition.

    Players outside of a coalition let each training row go its way (Lundberg et al., 2020).
    """
    cover, value = tree.weighted_n_node_samples, tree.value[:, 0, 0]

    def expect(node: int, chosen: frozenset[int]) -> float:
        left, right = tree.children_left[node], tree.children_right[node]
        if left < 0:
            return float(value[node])
        column = tree.feature[node]
        if owners[column] in chosen:
            goes_left = np.float32(row[column]) <= tree.threshold[node]
            return expect(left if goes_left else right, chosen)
        parts = (cover[left] * expect(left, chosen), cover[right] * expect(right, chosen))
        return float(sum(parts) / cover[node])

    sets = [
        frozenset(s) for k in range(players + 1) for s in itertools.combinations(range(players), k)
    ]
    worth = {chosen: expect(0, chosen) for chosen in sets}
    values = np.zeros(players)
    for player in range(players):
        for chosen in (s for s in sets if player not in s):
            weight = 1 / (players * math.comb(players - 1, len(chosen)))
            values[player] += weight * (worth[chosen | {player}] - worth[chosen])
    return values


def test_training_rows_by_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    frame, signal = people(rows=300)
    frame = frame[["n0", "n1", "plan"]]
    numbers = SimpleImputer(add_indicator=True)
    encoder = OneHotEncoder(sparse_output=False)
    columns = make_column_transformer((numbers, ["n0", "n1"]), (encoder, ["plan"]))
    forest = RandomForestRegressor(3, max_depth=6, random_state=0)
    pipe = make_pipeline(columns, forest).fit(frame, signal)
    model = packed(pipe, frame, {"plan": "category"})
    owners = [0, 1, 0, 1, 2, 2, 2, 2]
    encoded = pipe[0].transform(frame.head(8))
    expected = np.array(
        [
            np.mean([path_values(t.tree_, row, owners, 3) for t in forest.estimators_], axis=0)
            for row in encoded
        ]
    )
    cells, rows = read_columns(model.inputs, frame.head(8))
    for sizes in ((1 << 15,), ()):
        monkeypatch.setattr(cell_tables, "UNIT_SIZES", sizes)
        explainer = Explainer(model, [column[:1] for column in cells], "training")
        assert np.abs(explainer.columns(cells, rows)[:, :, 0] - expected).max() <= 1e-12


def test_columns_that_act_together_in_pairs_have_no_limit() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 14)), columns=[f"x{k}" for k in range(14)])
    pipe = make_pipeline(PolynomialFeatures(2, include_bias=False), Ridge())
    model = packed(pipe.fit(frame, frame.x0 * frame.x1 + frame.x2), frame, {})
    cells, rows = read_columns(model.inputs, frame.head(3))
    explainer = Explainer(model, [column[-1:] for column in cells])
    values = explainer.columns(cells, rows)
    predicted = model.predict(frame.head(3)).label
    assert np.abs(values[:, :, 0].sum(axis=1) + explainer.base[0] - predicted).max() <= 1e-12
    # of a product of two numbers, each has half of what both together change
    weights = pipe[-1].coef_
    names = pipe[0].get_feature_names_out(frame.columns)
    by_hand = np.zeros(14)
    row, reference = frame.iloc[0].to_numpy(), frame.iloc[2].to_numpy()
    for name, weight in zip(names, weights, strict=True):
        columns = [int(part[1:].removesuffix("^2")) for part in name.split()]
        if len(columns) == 1:
            power = 2 if name.endswith("^2") else 1
            k = columns[0]
            by_hand[k] += weight * (row[k] ** power - reference[k] ** power)
            continue
        a, b = columns
        by_hand[a] += weight * (row[a] - reference[a]) * (row[b] + reference[b]) / 2
        by_hand[b] += weight * (row[b] - reference[b]) * (row[a] + reference[a]) / 2
    assert np.abs(values[0, :, 0] - by_hand).max() <= 1e-12


def test_shares_are_tabulated_for_ways_that_a_tree_has() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 1000)), columns=[f"x{k}" for k in range(1000)])
    forest = ExtraTreesRegressor(100, max_depth=8, max_features=0.02, random_state=0)
    model = packed(forest.fit(frame, frame.sum(axis=1)), frame, {})
    ((_, op),) = PackedContent(model.header, model.arrays).operations("forest")
    unpacked = UnpackedForest.unpack(op, model.arrays)
    values = leaf_values(unpacked, np.eye(1))
    codes = [0] * int((unpacked.counts > 0).sum())
    walk = ReferenceWalk(unpacked, values, np.arange(1000), codes, 1000)
    # 8 levels: not a thousand by a thousand, one share for each pair of inputs
    assert walk.gain.shape == walk.loss.shape == (9, 9)


def test_covers_of_the_format_are_positive() -> None:
    frame, signal = people(rows=100)
    pipe = MODELS["histograms"]().fit(frame, signal > 0)
    columns = [Column(n, "category" if n in CATEGORIES else "number") for n in frame]
    content = PackedContent.read(pack_estimator(pipe, inputs_of(columns)).raw)
    ((_, forest),) = content.operations("forest")
    covers = content.arrays[forest.covers].copy()
    covers[3] = 0.0
    with pytest.raises(PackedFormatError, match="a cover that is not positive"):
        content.with_arrays({forest.covers: covers}).write()


def test_what_cannot_be_explained_says_why() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(100, 13)), columns=[f"x{k}" for k in range(13)])
    target = (frame.sum(axis=1) > 0).astype(int)
    model = packed(SVC().fit(frame, target), frame, {})
    reference = read_columns(model.inputs, frame.tail(1))[0]
    with pytest.raises(NotApplicable, match=r"13 inputs \(x0, x1, x2, ...\) act together"):
        Explainer(model, reference)
    voting = VotingClassifier([("tree", DecisionTreeClassifier(max_depth=2))])
    labels = packed(voting.fit(frame, target), frame, {})
    with pytest.raises(NotApplicable, match="labels alone"):
        Explainer(labels, reference)
    linear = packed(LogisticRegression().fit(frame, target), frame, {})
    with pytest.raises(NotApplicable, match="against its reference"):
        Explainer(linear, reference, "training")
