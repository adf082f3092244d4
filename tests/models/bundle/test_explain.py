"""`bundle.explain`: reasons in the user's own columns, against one row or another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import lockgate
from lockgate.data.transformers import DateParts
from lockgate.errors import BundleError, LockgateError, NotApplicable, SchemaViolation, UsageError
from lockgate.models.bundle.explain import Explainers
from lockgate.models.bundle.open_format import model_of


@pytest.fixture(scope="module")
def loans() -> tuple[pd.DataFrame, np.ndarray]:
    """Return loans, and whether they were late."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "income": rng.lognormal(10, 0.5, 500).round(),
            "years": rng.integers(0, 30, 500),
            "plan": rng.choice(["basic", "plus"], 500, p=[0.7, 0.3]),
            "<b>owner</b>": rng.random(500) < 0.4,
        }
    )
    late = (frame.years < 10) & (frame.plan == "basic") | (rng.random(500) < 0.1)
    frame.loc[frame.index % 9 == 0, "income"] = np.nan
    return frame, np.asarray(late, dtype=int)


def linear() -> Any:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer(
        (numbers, ["income", "years"]), (OneHotEncoder(), ["plan"]), remainder="passthrough"
    )
    return make_pipeline(columns, LogisticRegression())


@pytest.fixture(scope="module")
def bundle(
    loans: tuple[pd.DataFrame, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> lockgate.Bundle:
    frame, late = loans
    return lockgate.pack(
        linear().fit(frame, late), frame, late, path=tmp_path_factory.mktemp("loans") / "bundle"
    )


def test_the_reference_row_has_medians_and_modes(
    bundle: lockgate.Bundle, loans: tuple[pd.DataFrame, np.ndarray]
) -> None:
    frame, _ = loans
    assert bundle.manifest.reference_row == {
        "income": float(frame.income.quantile(interpolation="lower")),
        "years": float(frame.years.quantile(interpolation="lower")),
        "plan": "basic",
        "<b>owner</b>": False,
    }


def test_reasons_add_up_to_the_margin(
    bundle: lockgate.Bundle, loans: tuple[pd.DataFrame, np.ndarray]
) -> None:
    frame, _ = loans
    rows = frame.head(50)
    explanation = bundle.explain(rows)
    assert (explanation.explained, len(explanation)) == ("margin", 50)
    total = explanation.contributions().sum(axis=1) + explanation.base[0]
    assert np.abs(total - bundle.predict(rows).margin).max() <= 1e-12
    row = explanation.frame().iloc[7]
    reasons = explanation.reasons(7, limit=9)
    assert [abs(reason.contribution) for reason in reasons] == sorted(abs(row[row != 0]))[::-1]
    years = next(reason for reason in reasons if reason.column == "years")
    assert (years.value, years.reference) == (
        frame.years[7],
        bundle.manifest.reference_row["years"],
    )
    missing = bundle.explain(frame.iloc[[9]]).reasons(limit=9)
    assert [reason.value for reason in missing if reason.column == "income"] in ([None], [])
    assert next(iter(explanation.importance())) == "years"


def test_a_row_of_the_reference_has_no_reasons(bundle: lockgate.Bundle) -> None:
    typical = pd.DataFrame([bundle.manifest.reference_row])
    assert bundle.explain(typical).reasons() == []


def test_a_chosen_reference(
    bundle: lockgate.Bundle, loans: tuple[pd.DataFrame, np.ndarray]
) -> None:
    frame, _ = loans
    row = frame.iloc[[3]]
    explanation = bundle.explain(row, against=frame.iloc[3].to_dict())
    assert explanation.reasons() == []
    changed = bundle.explain(row, against={"years": 29})
    assert changed.reference == {**bundle.manifest.reference_row, "years": 29}


@pytest.mark.parametrize(
    ("against", "error", "message"),
    [
        ("median", UsageError, "against is 'median'; expected reference, training, or a row"),
        (np.array(["reference"]), UsageError, "against is a ndarray; expected reference"),
        (pd.DataFrame({"years": [1]}), UsageError, "against is a DataFrame; expected"),
        (
            {"height": 1},
            UsageError,
            "height, which the model does not take; expected some of income",
        ),
        (
            {"years": "many"},
            SchemaViolation,
            "the reference row: column years holds 'many', expected",
        ),
        ("training", NotApplicable, "only sums of trees"),
    ],
)
def test_refused_references(
    bundle: lockgate.Bundle,
    loans: tuple[pd.DataFrame, np.ndarray],
    against: Any,
    error: type[LockgateError],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        bundle.explain(loans[0].head(2), against=against)


def test_notebooks_show_names_as_text(
    bundle: lockgate.Bundle, loans: tuple[pd.DataFrame, np.ndarray]
) -> None:
    owned = loans[0][loans[0]["<b>owner</b>"]]
    for rows in (owned.head(1), loans[0]):
        page = bundle.explain(rows)._repr_html_()
        assert "<b>owner" not in page
        assert "&lt;b&gt;owner" in page


def test_several_classes_and_targets(
    loans: tuple[pd.DataFrame, np.ndarray], tmp_path: Path
) -> None:
    frame, late = loans
    numbers = frame[["years", "<b>owner</b>"]].astype(float)
    three = np.array(["low", "middle", "high"])[late + (frame.years > 20)]
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(numbers, three)
    bundle = lockgate.pack(tree, numbers, three, path=tmp_path / "three")
    explanation = bundle.explain(numbers)
    predicted = bundle.predict(numbers)
    assert [explanation.outputs[k] for k in explanation.chosen] == predicted.label.tolist()
    total = explanation.values.sum(axis=1) + explanation.base
    assert np.abs(total - predicted.score).max() <= 1e-12
    assert explanation.reasons(0, output="low") != explanation.reasons(0, output="high")

    targets = pd.DataFrame({"cost": frame.years * 2.0, "delay": late * 3.0})
    forest = RandomForestRegressor(5, random_state=0).fit(numbers, targets)
    both = lockgate.pack(forest, numbers, targets, path=tmp_path / "both")
    explanation = both.explain(numbers.head(20), against="training")
    assert explanation.outputs == ("cost", "delay")
    total = explanation.values.sum(axis=1) + explanation.base
    assert np.abs(total - both.predict(numbers.head(20)).label).max() <= 1e-12 * 100
    assert explanation.reference is None
    assert explanation.against == "training"
    assert both.explain(numbers)._repr_html_().count("<table>") == 2
    with pytest.raises(UsageError, match="name one as output: cost, delay"):
        explanation.importance()


def test_a_format_that_is_not_packed(
    bundle: lockgate.Bundle, loans: tuple[pd.DataFrame, np.ndarray], tmp_path: Path
) -> None:
    frame, late = loans
    other = lockgate.pack(
        linear().fit(frame, late), frame, late, path=tmp_path / "skops", format="skops"
    )
    rows = frame.head(5)
    exact, mixed = bundle.explain(rows), other.explain(rows)
    assert mixed.explained == "score"
    total = mixed.values.sum(axis=(1, 2)) + mixed.base[0]
    assert np.abs(total - other.predict(rows).score).max() <= 1e-12
    # the score rises with the margin: the largest reasons point in the same direction
    for row in range(5):
        a, b = exact.reasons(row, 1)[0], mixed.reasons(row, 1)[0]
        assert (a.column, a.contribution > 0) == (b.column, b.contribution > 0)
    with pytest.raises(NotApplicable, match="do not count training rows"):
        other.explain(rows, against="training")


def test_values_are_said_as_people_write_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "since": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 365, 200), "D"),
            "message": rng.choice(["late again", "thank you", "it broke"], 200),
            "plan": rng.choice(["basic", "plus"], 200),
        }
    )
    target = (frame.message == "it broke") | (frame.plan == "plus") & (frame.since.dt.month > 6)
    columns = make_column_transformer(
        (DateParts(), ["since"]),
        (CountVectorizer(), "message"),
        (OneHotEncoder(handle_unknown="ignore"), ["plan"]),
        sparse_threshold=0,
    )
    model = make_pipeline(columns, RandomForestClassifier(10, random_state=0))
    labels = target.astype(int).to_numpy()
    bundle = lockgate.pack(model.fit(frame, labels), frame, labels, path=tmp_path / "bundle")
    assert bundle.manifest.reference_row["message"] == ""
    assert str(bundle.manifest.reference_row["since"]).startswith("2024-")
    row = pd.DataFrame(
        {"since": [pd.Timestamp("2024-12-01")], "message": ["it broke"], "plan": ["pro"]}
    )
    reasons = {reason.column: reason for reason in bundle.explain(row).reasons()}
    assert reasons["since"].value == "2024-12-01T00:00:00"
    assert (reasons["message"].value, reasons["message"].reference) == ("it broke", "")
    assert bundle.explain(row).cells["plan"] == ["(unknown)"]


def test_no_rows_and_unknown_outputs(
    bundle: lockgate.Bundle, loans: tuple[pd.DataFrame, np.ndarray]
) -> None:
    nothing = bundle.explain(loans[0].head(0))
    assert (len(nothing), nothing.frame().shape) == (0, (0, 4))
    assert "no rows" in nothing._repr_html_()
    with pytest.raises(UsageError, match="no rows were explained"):
        nothing.importance()
    explanation = bundle.explain(loans[0].head(2))
    assert repr(explanation) == "<Explanation of 2 rows, 4 columns: margin against reference>"
    with pytest.raises(UsageError, match="row is 2, and 2 rows were explained"):
        explanation.reasons(2)
    with pytest.raises(UsageError, match="output is 'late', expected one of: 1"):
        explanation.reasons(0, output="late")
    with pytest.raises(UsageError, match="limit is -1"):
        explanation.reasons(0, -1)


def test_a_row_may_be_a_series_and_columns_may_be_numbers(tmp_path: Path) -> None:
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(100, 3)), index=range(100, 200))
    y = X[0] * 2 + X[2]
    model = LinearRegression().fit(X.to_numpy(), y)
    bundle = lockgate.pack(model, X, y, path=tmp_path / "bundle")
    for against in ({0: 100.0}, {"0": 100.0}, pd.Series({0: 100.0})):
        explanation = bundle.explain(X.head(2), against=against)
        assert explanation.base[0] > 190
        assert explanation.against == "row"
        assert explanation.reference is not None
        assert explanation.reference["0"] == 100.0
    assert bundle.explain(X.tail(3)).frame().index.tolist() == [197, 198, 199]


def test_a_damaged_reference_row_is_named(
    bundle: lockgate.Bundle, loans: tuple[pd.DataFrame, np.ndarray]
) -> None:
    with pytest.raises(BundleError, match="no cell of income, years"):
        Explainers(model_of(bundle.predictor), {"plan": "basic", "<b>owner</b>": True})
