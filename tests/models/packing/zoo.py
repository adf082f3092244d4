"""Every kind of model that packing covers, on a small table with gaps and categories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import RFE, SelectFromModel, SelectKBest, VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Perceptron,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR, NuSVC, NuSVR, OneClassSVM
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from lockgate.contract.recipes import Requirements
from lockgate.contract.sections import CellRules
from lockgate.contract.tables import Column, Schema
from lockgate.data.cell_rules import build_cell_steps
from lockgate.data.columns.inputs import ColumnInput
from lockgate.modeling.training.anomaly_detector import AnomalyDetector

NUMBERS = ["x0", "x1", "x2", "x3", "level"]
CATEGORIES = ["colour", "side"]


def frame_of(rows: int = 1500, seed: int = 0, gaps: bool = True) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({f"x{k}": rng.normal(size=rows) * 10**k for k in range(4)})
    frame["level"] = rng.integers(0, 8, rows).astype(float)
    names = [*"abcdefg", "rare"]
    shares = [0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.09, 0.01]
    frame["colour"] = rng.choice(names, rows, p=shares).astype(object)
    frame["side"] = rng.choice(["u", "v"], rows).astype(object)
    if gaps:
        for name in (*NUMBERS[:4], "colour"):
            frame.loc[rng.random(rows) < 0.05, name] = np.nan
    return frame


def targets(frame: pd.DataFrame, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = frame.fillna(dict.fromkeys(NUMBERS, 0.0))
    noise = rng.normal(size=len(frame))
    signal = x["x0"] + x["x1"] / 10 + (x["colour"] == "a") + noise
    return {
        "two": np.where(signal > 0, "yes", "no"),
        "three": np.digitize(x["x0"] + x["level"] / 5 + noise, [0, 1]),
        "value": (3 * x["x0"] + x["level"] + 2 * (x["colour"] == "b") + noise).to_numpy(),
        "count": np.abs(3 * x["x0"] + x["level"] + noise).to_numpy(),
    }


def inputs(frame: pd.DataFrame) -> list[ColumnInput]:
    return [ColumnInput(name, "category" if name in CATEGORIES else "number") for name in frame]


def scaled(scale: bool = True) -> Any:
    steps: list[Any] = [SimpleImputer(strategy="median", add_indicator=True)]
    steps += [StandardScaler()] if scale else []
    names = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    )
    return make_column_transformer((make_pipeline(*steps), NUMBERS), (names, CATEGORIES))


def imputed() -> Any:
    return make_column_transformer((SimpleImputer(strategy="median"), NUMBERS))


def ordinal() -> Any:
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    )
    filled = SimpleImputer(strategy="constant", fill_value=-1)
    return make_column_transformer((filled, NUMBERS), (encoder, CATEGORIES))


def with_gaps() -> Any:
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan
    )
    return make_column_transformer(("passthrough", NUMBERS), (encoder, CATEGORIES))


def hot(*before: Any, **options: Any) -> Any:
    encoder = OneHotEncoder(**options)
    return make_column_transformer(
        (make_pipeline(SimpleImputer(), *before), NUMBERS), (encoder, CATEGORIES)
    )


def _two(*steps: Any) -> Any:
    return make_pipeline(*steps)


def own_cells(imputed: bool = True) -> Any:
    """Our own cell rules, all of them but dates."""
    schema = Schema(
        tuple(
            Column(name, "category" if name in CATEGORIES else "number")
            for name in (*NUMBERS, *CATEGORIES)
        )
    )
    rules = CellRules(clip=0.02, bins={"level": [2, 5]}, rare=20, indicator=imputed)
    needs = (
        Requirements() if imputed else Requirements(scaled=False, encoding="ordinal", imputed=False)
    )
    return build_cell_steps(schema, rules, needs)[0][1]


class Frozen:
    """Makes a voting classifier over a model that is fitted before and stays as it is."""

    def fit(self, frame: pd.DataFrame, target: Any) -> Any:
        inner = _two(scaled(), LogisticRegression()).fit(frame, target)
        calibrated = CalibratedClassifierCV(FrozenEstimator(inner), method="sigmoid")
        return calibrated.fit(frame, target)


MODELS: dict[str, tuple[Callable[[], Any], str]] = {
    "logistic": (lambda: _two(scaled(), LogisticRegression()), "two"),
    "logistic of three": (lambda: _two(scaled(), LogisticRegression()), "three"),
    "rare categories": (
        lambda: _two(
            hot(handle_unknown="infrequent_if_exist", min_frequency=50),
            MinMaxScaler(clip=True),
            LogisticRegression(),
        ),
        "two",
    ),
    "rare categories with a warning": (
        lambda: _two(hot(handle_unknown="warn", min_frequency=50), LogisticRegression()),
        "two",
    ),
    "selected by a model": (
        lambda: make_pipeline(
            make_pipeline(scaled(), RFE(LogisticRegression(), n_features_to_select=5)),
            LogisticRegression(),
        ),
        "two",
    ),
    "most categories": (
        lambda: _two(
            hot(handle_unknown="infrequent_if_exist", max_categories=3, drop="first"),
            MaxAbsScaler(),
            LogisticRegression(),
        ),
        "three",
    ),
    "dropped category": (
        lambda: _two(
            hot(handle_unknown="ignore", drop="if_binary"), RobustScaler(), RidgeClassifier()
        ),
        "two",
    ),
    "refused categories": (lambda: _two(hot(), LogisticRegression()), "two"),
    "encoded numbers": (
        lambda: _two(
            make_column_transformer(
                (SimpleImputer(), NUMBERS[:4]), (OneHotEncoder(), ["level", "side"])
            ),
            LogisticRegression(),
        ),
        "two",
    ),
    "target encoder": (
        lambda: _two(
            make_column_transformer(
                (make_pipeline(SimpleImputer(), KBinsDiscretizer(5)), NUMBERS),
                (TargetEncoder(), CATEGORIES),
            ),
            LogisticRegression(),
        ),
        "two",
    ),
    "target encoder of three": (
        lambda: _two(
            make_column_transformer(
                (make_pipeline(SimpleImputer(), KBinsDiscretizer(4, encode="ordinal")), NUMBERS),
                (TargetEncoder(), CATEGORIES),
            ),
            LogisticRegression(),
        ),
        "three",
    ),
    "normalized rows": (lambda: _two(scaled(), Normalizer(), LogisticRegression()), "two"),
    "selected": (
        lambda: _two(
            scaled(),
            VarianceThreshold(),
            SelectKBest(k=9),
            SelectFromModel(RidgeClassifier()),
            LogisticRegression(),
        ),
        "two",
    ),
    "known function": (
        lambda: _two(
            make_column_transformer(
                (make_pipeline(SimpleImputer(), FunctionTransformer(np.tanh)), NUMBERS),
            ),
            Ridge(),
        ),
        "value",
    ),
    "components": (lambda: _two(scaled(), PCA(4, whiten=True), LogisticRegression()), "two"),
    "singular vectors": (
        lambda: _two(scaled(), TruncatedSVD(3, random_state=0), LogisticRegression()),
        "two",
    ),
    "products": (
        lambda: _two(
            make_column_transformer(
                (make_pipeline(SimpleImputer(), StandardScaler(), PolynomialFeatures(2)), NUMBERS)
            ),
            Ridge(),
        ),
        "value",
    ),
    "linear": (lambda: _two(scaled(), LinearRegression()), "value"),
    "lasso": (lambda: _two(scaled(), Lasso(alpha=0.1)), "value"),
    "elastic net": (lambda: _two(scaled(), ElasticNet(alpha=0.1)), "value"),
    "poisson": (lambda: _two(scaled(), PoissonRegressor()), "count"),
    "linear svc": (lambda: _two(scaled(), LinearSVC()), "three"),
    "sgd": (lambda: _two(scaled(), SGDClassifier(loss="log_loss", random_state=0)), "three"),
    "svc": (lambda: _two(scaled(), SVC()), "two"),
    "svc of three": (lambda: _two(scaled(), SVC()), "three"),
    "svc with ties": (lambda: _two(scaled(), SVC(kernel="poly", break_ties=True)), "three"),
    "svc of pairs": (lambda: _two(scaled(), SVC(decision_function_shape="ovo")), "three"),
    "svr": (lambda: _two(scaled(), SVR()), "value"),
    "bayes": (lambda: _two(scaled(), GaussianNB()), "two"),
    "support vectors with probabilities": (
        lambda: _two(scaled(), SVC(probability=True, C=2)),
        "two",
    ),
    "pairs with probabilities": (lambda: _two(scaled(), NuSVC(nu=0.2, probability=True)), "three"),
    "powers": (lambda: _two(imputed(), PowerTransformer(), LogisticRegression()), "two"),
    "powers of positive numbers": (
        lambda: _two(
            imputed(),
            MinMaxScaler((10, 20)),
            PowerTransformer("box-cox", standardize=False),
            LogisticRegression(),
        ),
        "three",
    ),
    "powers with missing cells": (
        lambda: make_pipeline(
            make_column_transformer((PowerTransformer(), NUMBERS)), HistGradientBoostingClassifier()
        ),
        "two",
    ),
    "quantiles": (
        lambda: _two(imputed(), QuantileTransformer(n_quantiles=50), LogisticRegression()),
        "three",
    ),
    "normal quantiles": (
        lambda: _two(
            imputed(),
            QuantileTransformer(n_quantiles=200, output_distribution="normal"),
            LogisticRegression(),
        ),
        "two",
    ),
    **{
        f"splines, {extrapolation}": (
            lambda extrapolation=extrapolation: _two(  # type: ignore[misc]
                imputed(),
                SplineTransformer(4, extrapolation=extrapolation, include_bias=False),
                LogisticRegression(),
            ),
            "two",
        )
        for extrapolation in ("constant", "linear", "continue", "periodic")
    },
    "bernoulli": (lambda: _two(scaled(), BernoulliNB(binarize=0.1)), "three"),
    "quadratic": (
        lambda: _two(scaled(), PCA(4), QuadraticDiscriminantAnalysis(reg_param=0.1)),
        "two",
    ),
    "quadratic of three": (
        lambda: _two(scaled(), PCA(3), QuadraticDiscriminantAnalysis()),
        "three",
    ),
    "discriminant": (lambda: _two(scaled(), LinearDiscriminantAnalysis()), "three"),
    "network": (lambda: _two(scaled(), MLPClassifier((8,), max_iter=20, random_state=0)), "two"),
    "network of three": (
        lambda: _two(
            scaled(), MLPClassifier((8, 4), activation="tanh", max_iter=20, random_state=0)
        ),
        "three",
    ),
    "network of numbers": (
        lambda: _two(
            scaled(),
            MLPRegressor(
                hidden_layer_sizes=(8,), activation="logistic", max_iter=20, random_state=0
            ),
        ),
        "value",
    ),
    "tree": (lambda: _two(ordinal(), DecisionTreeClassifier(random_state=0)), "two"),
    "tree of numbers": (lambda: _two(ordinal(), DecisionTreeRegressor(random_state=0)), "value"),
    "tree with gaps": (
        lambda: _two(with_gaps(), DecisionTreeClassifier(max_depth=8, random_state=0)),
        "three",
    ),
    "forest": (lambda: _two(scaled(False), RandomForestClassifier(20, random_state=0)), "two"),
    "forest of three": (
        lambda: _two(ordinal(), RandomForestClassifier(15, max_depth=6, random_state=0)),
        "three",
    ),
    "forest with gaps": (
        lambda: _two(with_gaps(), RandomForestClassifier(15, random_state=0)),
        "two",
    ),
    "forest of numbers": (
        lambda: _two(ordinal(), RandomForestRegressor(10, random_state=0)),
        "value",
    ),
    "extra trees": (lambda: _two(ordinal(), ExtraTreesClassifier(15, random_state=0)), "three"),
    "extra trees of numbers": (
        lambda: _two(ordinal(), ExtraTreesRegressor(10, random_state=0)),
        "value",
    ),
    "gradient boosting": (
        lambda: _two(ordinal(), GradientBoostingClassifier(n_estimators=20, random_state=0)),
        "two",
    ),
    "gradient boosting of three": (
        lambda: _two(ordinal(), GradientBoostingClassifier(n_estimators=10, random_state=0)),
        "three",
    ),
    "gradient boosting of numbers": (
        lambda: _two(ordinal(), GradientBoostingRegressor(n_estimators=20, random_state=0)),
        "value",
    ),
    "boosting": (
        lambda: _two(with_gaps(), HistGradientBoostingClassifier(max_iter=30, random_state=0)),
        "two",
    ),
    "boosting with categories": (
        lambda: _two(
            with_gaps(),
            HistGradientBoostingClassifier(
                max_iter=30, categorical_features=[5, 6], random_state=0
            ),
        ),
        "two",
    ),
    "boosting of three": (
        lambda: _two(
            with_gaps(),
            HistGradientBoostingClassifier(max_iter=10, max_leaf_nodes=80, random_state=0),
        ),
        "three",
    ),
    "boosting of numbers": (
        lambda: _two(with_gaps(), HistGradientBoostingRegressor(max_iter=20, random_state=0)),
        "value",
    ),
    "boosting of counts": (
        lambda: _two(
            with_gaps(),
            HistGradientBoostingRegressor(loss="poisson", max_iter=20, random_state=0),
        ),
        "count",
    ),
    "calibrated": (lambda: _two(scaled(), CalibratedClassifierCV(LinearSVC(), cv=3)), "two"),
    "calibrated forest": (
        lambda: _two(
            scaled(),
            CalibratedClassifierCV(
                RandomForestClassifier(8, max_depth=5, random_state=0), method="isotonic", cv=3
            ),
        ),
        "two",
    ),
    "calibrated of three": (
        lambda: CalibratedClassifierCV(_two(scaled(), LogisticRegression()), cv=3),
        "three",
    ),
    "isotonic of three": (
        lambda: _two(
            ordinal(),
            CalibratedClassifierCV(
                DecisionTreeClassifier(max_depth=5, random_state=0), method="isotonic", cv=3
            ),
        ),
        "three",
    ),
    "votes of probabilities": (
        lambda: VotingClassifier(
            [
                ("a", _two(scaled(), LogisticRegression())),
                ("b", _two(ordinal(), RandomForestClassifier(8, random_state=0))),
            ],
            voting="soft",
            weights=[2, 1],
        ),
        "three",
    ),
    "hard votes": (
        lambda: _two(
            scaled(),
            VotingClassifier(
                [
                    ("a", LogisticRegression()),
                    ("b", DecisionTreeClassifier(random_state=0)),
                    ("c", GaussianNB()),
                ]
            ),
        ),
        "three",
    ),
    "votes of numbers": (
        lambda: _two(
            scaled(),
            VotingRegressor([("a", Ridge()), ("b", DecisionTreeRegressor(random_state=0))]),
        ),
        "value",
    ),
    "stack": (
        lambda: _two(
            scaled(),
            StackingClassifier(
                [("a", LogisticRegression()), ("b", DecisionTreeClassifier(max_depth=4))],
                passthrough=True,
                cv=3,
            ),
        ),
        "two",
    ),
    "stack of three": (
        lambda: _two(
            scaled(),
            StackingClassifier(
                [("a", LogisticRegression()), ("b", DecisionTreeClassifier(max_depth=4))], cv=3
            ),
        ),
        "three",
    ),
    "stack of numbers": (
        lambda: _two(
            scaled(),
            StackingRegressor([("a", Ridge()), ("b", DecisionTreeRegressor(max_depth=4))], cv=3),
        ),
        "value",
    ),
    "bag": (
        lambda: _two(
            scaled(),
            BaggingClassifier(
                DecisionTreeClassifier(max_depth=4), 5, max_features=0.5, random_state=0
            ),
        ),
        "three",
    ),
    "bag of numbers": (
        lambda: _two(scaled(), BaggingRegressor(n_estimators=5, random_state=0)),
        "value",
    ),
    "ada boost": (lambda: _two(scaled(), AdaBoostClassifier(n_estimators=8)), "two"),
    "ada boost of three": (lambda: _two(scaled(), AdaBoostClassifier(n_estimators=8)), "three"),
    "one against the rest": (
        lambda: _two(scaled(), OneVsRestClassifier(LogisticRegression())),
        "three",
    ),
    "planes against the rest": (lambda: _two(scaled(), OneVsRestClassifier(LinearSVC())), "three"),
    "search": (
        lambda: GridSearchCV(
            _two(scaled(), LogisticRegression()), {"logisticregression__C": [0.1, 1]}, cv=3
        ),
        "two",
    ),
    "tuned threshold": (
        lambda: TunedThresholdClassifierCV(
            _two(scaled(), LogisticRegression()), cv=3, scoring="balanced_accuracy"
        ),
        "two",
    ),
    "logarithm of the target": (
        lambda: TransformedTargetRegressor(
            _two(scaled(), Ridge()), func=np.log1p, inverse_func=np.expm1
        ),
        "count",
    ),
    "scaled target": (
        lambda: TransformedTargetRegressor(_two(scaled(), Ridge()), transformer=StandardScaler()),
        "value",
    ),
    "shares alone": (lambda: _two(scaled(), DummyClassifier()), "three"),
    "mean alone": (lambda: _two(scaled(), DummyRegressor()), "value"),
    "own cell rules": (lambda: _two(own_cells(), LogisticRegression()), "two"),
    "own cell rules for trees": (
        lambda: _two(own_cells(False), HistGradientBoostingClassifier(max_iter=10, random_state=0)),
        "two",
    ),
    "one tree at random": (lambda: _two(ordinal(), ExtraTreeClassifier(random_state=0)), "three"),
    "one tree of numbers at random": (
        lambda: _two(ordinal(), ExtraTreeRegressor(random_state=0)),
        "value",
    ),
    "union": (
        lambda: _two(
            scaled(),
            FeatureUnion(
                [("all", "passthrough"), ("two", PCA(2)), ("above", Binarizer(threshold=0.2))],
                transformer_weights={"two": 3.0},
            ),
            LogisticRegression(),
        ),
        "two",
    ),
    "gaps as columns": (
        lambda: _two(
            make_column_transformer(
                (MissingIndicator(), [*NUMBERS, "colour"]),
                (SimpleImputer(), NUMBERS),
            ),
            LogisticRegression(),
        ),
        "two",
    ),
    "sgd of numbers": (lambda: _two(scaled(), SGDRegressor(random_state=0)), "value"),
    "nu svc": (lambda: _two(scaled(), NuSVC()), "three"),
    "nu svr": (lambda: _two(scaled(), NuSVR(kernel="sigmoid", gamma=0.01)), "value"),
    "linear svr": (lambda: _two(scaled(), LinearSVR(random_state=0)), "value"),
    "perceptron": (lambda: _two(scaled(), Perceptron(random_state=0)), "three"),
    "fixed threshold": (
        lambda: FixedThresholdClassifier(_two(scaled(), LogisticRegression()), threshold=0.3),
        "two",
    ),
    "frozen": (lambda: Frozen(), "two"),
    "isotonic": (
        lambda: _two(
            make_column_transformer((SimpleImputer(), ["x0"])),
            IsotonicRegression(out_of_bounds="clip"),
        ),
        "value",
    ),
    "neighbors": (lambda: _two(scaled(), KNeighborsClassifier()), "three"),
    "neighbors by distance": (
        lambda: _two(imputed(), KNeighborsClassifier(9, weights="distance", p=1)),
        "two",
    ),
    "mean of neighbors": (
        lambda: _two(imputed(), StandardScaler(), KNeighborsRegressor(weights="distance")),
        "value",
    ),
    "cells of neighbors": (
        lambda: _two(
            make_column_transformer((KNNImputer(add_indicator=True), NUMBERS)),
            LogisticRegression(max_iter=500),
        ),
        "two",
    ),
    "cells of neighbors by distance": (
        lambda: _two(
            make_column_transformer((KNNImputer(n_neighbors=3, weights="distance"), NUMBERS)),
            StandardScaler(),
            LogisticRegression(),
        ),
        "two",
    ),
    "clusters": (lambda: _two(scaled(), KMeans(4, n_init=2, random_state=0)), ""),
    "clusters by batches": (
        lambda: _two(scaled(), MiniBatchKMeans(3, n_init=2, random_state=0)),
        "",
    ),
    "isolation forest": (lambda: _two(hot(), IsolationForest(random_state=0)), ""),
    "isolation forest of some columns": (
        lambda: _two(
            imputed(),
            IsolationForest(n_estimators=20, contamination=0.05, max_features=0.5, random_state=0),
        ),
        "",
    ),
    "one class": (lambda: _two(scaled(), OneClassSVM(nu=0.1)), ""),
    "one class, polynomial": (lambda: _two(scaled(), OneClassSVM(kernel="poly", nu=0.1)), ""),
    **{
        f"shares of {type(detector).__name__}": (
            lambda detector=detector: _two(scaled(), AnomalyDetector(detector)),
            "",
        )
        for detector in (
            IsolationForest(n_estimators=20, random_state=0),
            GaussianMixture(3, reg_covar=1e-3, random_state=0),
            OneClassSVM(nu=0.2),
        )
    },
}
"""Models by what they are, with the target that they are fitted to."""


def fitted(name: str, frame: pd.DataFrame) -> Any:
    make, target = MODELS[name]
    model = make()
    return model.fit(frame, targets(frame)[target]) if target else model.fit(frame)
