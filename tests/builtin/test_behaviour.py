"""What our plugins do, beyond the contract."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

import lockgate
from lockgate.builtin.compressors.lasso import Lasso
from lockgate.builtin.compressors.prune import Prune
from lockgate.builtin.evaluators.business import Business
from lockgate.builtin.evaluators.classification import Classification
from lockgate.builtin.evaluators.cost import Cost
from lockgate.builtin.evaluators.fairness import Fairness
from lockgate.builtin.evaluators.importance import Importance
from lockgate.builtin.evaluators.regression import Regression
from lockgate.builtin.evaluators.slices import Slices
from lockgate.builtin.evaluators.stability import Stability
from lockgate.builtin.loaders.csv import Csv
from lockgate.builtin.optimizers.grid import Grid
from lockgate.builtin.optimizers.random import Random
from lockgate.testing import example_requests


def test_the_grid_measures_every_point_and_takes_the_best() -> None:
    problem = example_requests("optimizer")["binary"]
    search = Grid(points=4).optimize(problem)
    assert len(search.trials) == 4
    assert min(t.loss for t in search.trials) == next(
        t.loss for t in search.trials if t.params == search.candidate.params
    )


def test_a_grid_that_is_too_large_says_what_to_do() -> None:
    problem = example_requests("optimizer")["binary"]
    with pytest.raises(lockgate.UsageError, match="optimizer=random"):
        Grid(points=9, max_points=5).optimize(problem)


def test_random_trials_follow_the_seed_alone() -> None:
    problem = example_requests("optimizer")["binary"]
    one, same, other = (
        [t.params for t in Random(trials=3).optimize(replace(problem, seed=s)).trials]
        for s in (1, 1, 2)
    )
    assert one == same != other


def test_a_search_stops_when_its_time_is_up() -> None:
    problem = example_requests("optimizer")["binary"]
    search = Random(trials=50).optimize(replace(problem, budget=lockgate.Budget(1e-9)))
    assert len(search.trials) == 1


def test_lasso_drops_the_feature_that_is_noise() -> None:
    request = example_requests("compressor")["binary"]
    candidate = Lasso().compress(request)
    parts = candidate.recipe.steps[0][1].transformers
    kept = {name for _, _, names in parts for name in names}
    assert "size" in kept
    assert "noise" not in kept
    assert request.loss(candidate.estimator) <= request.loss(request.candidate.estimator) + 0.05


def test_lasso_says_when_every_feature_is_needed() -> None:
    request = replace(example_requests("compressor")["binary"], max_loss=-1.0)
    with pytest.raises(lockgate.NotApplicable, match="no smaller set of the 4 features"):
        Lasso().compress(request)


def test_prune_keeps_as_few_trees_as_the_budget_allows() -> None:
    request = example_requests("compressor")["binary-trees"]
    candidate = Prune(min_trees=1).compress(request)
    assert len(candidate.estimator[-1]._predictors) < 20
    assert len(request.candidate.estimator[-1]._predictors) == 20
    assert request.loss(candidate.estimator) <= request.loss(request.candidate.estimator) + 0.05


def test_prune_has_nothing_to_do_without_trees() -> None:
    with pytest.raises(lockgate.NotApplicable, match="LogisticRegression has no trees"):
        Prune().compress(example_requests("compressor")["binary"])


def test_evaluators_refuse_tasks_that_are_not_theirs() -> None:
    exams = example_requests("evaluator")
    with pytest.raises(lockgate.DataError, match=r"choose evaluator=\[regression\]"):
        Classification().evaluate(exams["regression"])
    with pytest.raises(lockgate.DataError, match="needs a binary task"):
        Business().evaluate(exams["multiclass"])


def test_business_needs_to_know_what_outcomes_are_worth() -> None:
    exam = replace(example_requests("evaluator")["binary"], value_matrix=lockgate.ValueMatrix())
    with pytest.raises(lockgate.UsageError, match=r"decision\.value_matrix\.true_positive"):
        Business().evaluate(exam)


def test_figures_of_the_machine_are_marked_as_such() -> None:
    report = Cost(repeats=1, rows=100).evaluate(example_requests("evaluator")["binary"])
    assert report.nondeterministic
    assert report.metrics["model_kb"].estimate == 1.0


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "raw" / "rows.csv").write_text(
        "when,a,y\n2026-01-01,1,0\n2026-01-02,2,1\n"
    )
    return tmp_path


def load(root: Path, **settings: object) -> lockgate.Table:
    return Csv(path="data/raw/rows.csv", **settings).load(lockgate.LoadRequest(root=str(root)))


def test_a_time_column_is_read_as_dates(csv: Path) -> None:
    table = load(csv, target="y", time="when")
    assert table.schema["when"].kind == "date"


def test_a_missing_file_names_its_neighbours(csv: Path) -> None:
    with pytest.raises(
        lockgate.DataError, match=r"row\.csv is missing; available: data/raw/rows\.csv"
    ):
        Csv(path="data/raw/row.csv").load(lockgate.LoadRequest(root=str(csv)))


def test_a_changed_file_names_both_digests(csv: Path) -> None:
    with pytest.raises(lockgate.DigestMismatch, match="expected sha256 abc, got"):
        load(csv, sha256="abc")


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b'a,b\n"1,2\n'])
def test_a_damaged_file_is_named(csv: Path, content: bytes) -> None:
    (csv / "data" / "raw" / "rows.csv").write_bytes(content)
    with pytest.raises(lockgate.DataError):
        load(csv, target="y")


def test_the_examples_hold_what_was_known_at_the_cut() -> None:
    from lockgate_datasets.cdnow import Purchases, Spend

    table = Purchases().load(lockgate.LoadRequest())
    frame = table.frame
    assert frame.groupby("cut").size().tolist() == [23570, 23570]
    assert (frame["recency_days"] >= 1).all()
    assert (frame["recency_days"] <= frame["tenure_days"]).all()
    assert frame.groupby("cut")["buys"].mean().between(0.1, 0.3).all()
    spend = Spend().load(lockgate.LoadRequest()).frame["spend"]
    assert ((spend > 0).to_numpy() == frame["buys"].to_numpy()).all()


def test_a_cut_whose_outcome_is_not_known_is_refused() -> None:
    from lockgate_datasets.cdnow import Purchases

    with pytest.raises(lockgate.DataError, match="orders are known from 1997-01-01 to 1998-06-30"):
        Purchases(cuts=["1998-03-01"]).load(lockgate.LoadRequest())


def test_flights_hold_no_leak() -> None:
    from lockgate_datasets.flights import Flights

    request = lockgate.LoadRequest(since="2013-01-01", until="2013-01-03")
    table = Flights().load(request)
    leaks = {"dep_delay", "dep_time", "arr_time", "arr_delay", "air_time"}
    assert not leaks & set(table.schema.names)
    when = pd.to_datetime(table.frame["scheduled"])
    assert when.min() >= pd.Timestamp("2013-01-01")
    assert when.max() < pd.Timestamp("2013-01-03")
    assert table.schema["late"].kind == "boolean"


def test_malignant_is_the_rarer_side() -> None:
    from lockgate_datasets.diagnosis import Diagnosis

    table = Diagnosis().load(lockgate.LoadRequest())
    assert len(table) == 569
    assert int(np.sum(table.target)) == 212


@pytest.mark.parametrize("path", ["rows.csv", "/etc/passwd", "data/raw/../../rows.csv"])
def test_files_lie_below_data_raw(csv: Path, path: str) -> None:
    with pytest.raises(lockgate.DataError, match="not below data/raw"):
        Csv(path=path).load(lockgate.LoadRequest(root=str(csv)))


def test_rows_of_a_group_count_once_in_the_intervals_of_money() -> None:
    exam = example_requests("evaluator")["binary"]
    assert isinstance(exam, lockgate.EvaluateRequest)
    rows = np.repeat(np.arange(len(exam.table)), 8)
    frame = exam.table.frame.iloc[rows].reset_index(drop=True).assign(who=rows)
    who = lockgate.Column("who", "integer")
    schema = replace(exam.table.schema, columns=(*exam.table.schema.columns, who), group="who")
    assert exam.output.score is not None
    output = lockgate.Output(exam.output.label[rows], exam.output.score[rows])
    repeated = replace(exam, table=lockgate.Table(frame, schema), output=output)

    def width(given: lockgate.EvaluateRequest) -> float:
        money = Business().evaluate(given).metrics["per_1000"]
        assert money.low is not None
        assert money.high is not None
        return money.high - money.low

    assert width(repeated) == pytest.approx(width(exam), rel=0.25)


def test_the_best_f1_counts_weights() -> None:
    from lockgate.modeling.metrics.decisions import best_f1_threshold

    truth = np.array([True, False, True, False])
    score = np.array([0.9, 0.8, 0.3, 0.2])
    heavy = np.array([1.0, 50.0, 1.0, 1.0])
    assert best_f1_threshold(truth, score, None) == (0.2 + 0.3) / 2
    assert best_f1_threshold(truth, score, heavy) == (0.8 + 0.9) / 2


@pytest.mark.parametrize(("rows", "grouped"), [(19, False), (60, True), (20, False)])
def test_a_regression_on_few_rows_or_groups_has_no_intervals(rows: int, grouped: bool) -> None:
    request = example_requests("evaluator")["regression"]
    frame = request.table.frame.iloc[:rows].assign(g=np.arange(rows) % 10)
    schema = replace(request.table.schema, group="g") if grouped else request.table.schema
    output = lockgate.Output(request.output.label[:rows])
    report = Regression(resamples=50).evaluate(
        replace(request, table=lockgate.Table(frame, schema), output=output)
    )
    few = grouped or rows < 20
    assert (report.metrics["rmse"].low is None) == few
    noted = "only 10 groups" if grouped else "only 19 rows"
    assert any(noted in message for message in report.messages) == few


def test_slices_name_where_the_model_fails_also_by_a_column_that_it_leaves_out() -> None:
    request = example_requests("evaluator")["binary"]
    rows = request.rows.assign(
        branch=np.where(np.arange(240) % 5, "town", "harbour"),
        visits=np.where(np.arange(240) % 4, np.arange(240.0), np.nan),
    )
    harbour = (rows["branch"] == "harbour").to_numpy()
    score = request.output.score.copy()
    score[harbour] = 1 - score[harbour]
    labels = np.where(score >= 0.5, "yes", "no")
    wrong = replace(request, rows=rows, output=lockgate.Output(labels, score))
    report = Slices(min_rows=40).evaluate(wrong)
    assert report.messages[0].startswith("worse where branch is harbour: Brier score ")
    table = report.tables["slices"]
    first = next(row for row in table if row["column"] == "branch")
    truth = (request.table.target == "yes").astype(float)
    assert first["Brier score"] == pytest.approx(((score - truth) ** 2)[harbour].mean())
    assert (first["value"], first["rows"], first["p"] < 0.01) == ("harbour", 48, True)
    assert "target" not in {row["column"] for row in table}
    assert {"missing"} <= {row["value"] for row in table if row["column"] == "visits"}
    chosen = Slices(columns=["region"]).evaluate(replace(request, rows=rows))
    assert {row["column"] for row in chosen.tables["slices"]} <= {"region"}
    with pytest.raises(lockgate.UsageError, match="unknown column 'regoin'"):
        Slices(columns=["regoin"]).evaluate(wrong)
    few = Slices(min_rows=200).evaluate(wrong)
    assert few.messages == ("no column has values with at least 200 test rows each",)


@pytest.mark.parametrize("task", ["multiclass", "regression", "multioutput"])
def test_slices_of_every_task_have_a_loss(task: str) -> None:
    report = Slices(min_rows=20).evaluate(example_requests("evaluator")[task])
    assert report.metrics["slices"].estimate > 3
    assert all(row["p"] > 0 for row in report.tables["slices"])


def test_importance_is_what_the_model_loses_without_a_column(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(400, 3)), columns=["strong", "weak", "none"])
    frame["value"] = 3 * frame.strong + frame.weak
    features = frame[["strong", "weak", "none"]]
    model = LinearRegression().fit(features, frame.value)
    model.coef_[2] = 0.0
    bundle = lockgate.pack(model, features, frame.value, path=tmp_path / "bundle")
    columns = tuple(lockgate.Column(name, "number") for name in frame)
    request = lockgate.EvaluateRequest(
        predictor=bundle.predictor,
        table=lockgate.Table(frame, lockgate.Schema(columns, target="value")),
        output=bundle.predict(features),
        task="regression",
    )
    report = Importance(repeats=50).evaluate(request)
    increase = {
        row["column"]: row["increase of absolute error"] for row in report.tables["importance"]
    }
    # of a model without error: the mean difference of two cells, times the coefficient
    strong = frame.strong.to_numpy()
    expected = 3 * np.abs(strong[:, None] - strong[None, :]).mean()
    assert increase["strong"] == pytest.approx(expected, rel=0.02)
    assert list(increase) == ["strong", "weak", "none"]
    assert increase["none"] == 0
    assert report.metrics["useful_columns"].estimate == 2
    assert "columns that change no prediction: none" in report.messages
    sizes = {
        row["column"]: row["mean size of contributions"] for row in report.tables["importance"]
    }
    assert 0 < sizes["weak"] < sizes["strong"]
    assert sizes["none"] == 0
    slopes = next(plot for plot in report.plots if plot.name == "contributions-1").series[0]
    assert np.diff(slopes.y) / np.diff(slopes.x) == pytest.approx(3.0)

    request = replace(
        request, predictor=lockgate.FunctionPredictor(request.table.schema, bundle.predict)
    )
    plain = Importance(repeats=1, max_rows=50).evaluate(request)
    assert plain.messages[-1].startswith("contributions are not measured: the predictor was not")
    assert "mean size of contributions" not in plain.tables["importance"][0]


def test_fairness_shows_the_rates_of_groups_by_a_column_that_is_left_out() -> None:
    request = example_requests("evaluator")["binary"]
    rows = request.rows.assign(age=np.where(np.arange(240) % 5, "young", None))
    report = Fairness(column="region").evaluate(request)
    table = report.tables["rates by region"]
    assert [row["group"] for row in table] == ["north", "south"]
    predicted = request.output.label == "yes"
    south = (rows["region"] == "south").to_numpy()
    rates = [predicted[~south].mean(), predicted[south].mean()]
    assert [row["selection rate"] for row in table] == pytest.approx(rates)
    difference = report.metrics["demographic_parity_difference"]
    assert difference.estimate == pytest.approx(abs(rates[0] - rates[1]))
    assert difference.low <= difference.estimate <= difference.high
    by_age = Fairness(column="age").evaluate(replace(request, rows=rows)).tables["rates by age"]
    assert [(row["group"], row["rows"]) for row in by_age] == [("missing", 48), ("young", 192)]
    few = Fairness(column="region", min_rows=200).evaluate(request)
    assert few.messages == ("fewer than two groups of region have 200 test rows",)
    with pytest.raises(lockgate.UsageError, match="unknown column 'gender'"):
        Fairness(column="gender").evaluate(request)


def in_periods(worse: int | None) -> lockgate.EvaluateRequest:
    """A request whose rows come in eight months, in one of which the scores are turned around."""
    request = example_requests("evaluator")["binary"]
    months = np.arange(240) // 30
    day = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(240), "D")
    order = np.random.default_rng(1).permutation(240)  # rows need not be in the order of time
    score = request.output.score.copy()
    score[order[months == worse]] = 1 - score[order[months == worse]]
    rows = request.rows.assign(day=pd.Series(day, index=order).sort_index().to_numpy())
    output = lockgate.Output(np.where(score >= 0.5, "yes", "no"), score)
    return replace(request, rows=rows, output=output)


def test_stability_names_the_period_in_which_the_model_is_worse() -> None:
    evaluator = Stability(column="day", min_rows=20)
    report = evaluator.evaluate(in_periods(5))
    table = report.tables["periods"]
    assert [row["rows"] for row in table] == [30] * 8
    assert [row["from"] for row in table][:2] == ["2026-01-01", "2026-01-31"]
    assert [row["p"] <= 0.05 for row in table] == [False] * 5 + [True] + [False] * 2
    assert report.messages[0].startswith(f"worse from {table[5]['from']} to {table[5]['to']}: ")
    assert all(row["low"] <= row["Brier score"] <= row["high"] for row in table)
    assert report.plots[0].series[0].y == tuple(row["Brier score"] for row in table)
    steady = evaluator.evaluate(in_periods(None))
    assert steady.messages == ("none of 8 periods is worse than chance would make it",)


def test_stability_needs_times() -> None:
    request = in_periods(None)
    with pytest.raises(lockgate.UsageError, match="needs times"):
        Stability().evaluate(request)
    with pytest.raises(lockgate.UsageError, match="unknown column 'dya'"):
        Stability(column="dya").evaluate(request)
    with pytest.raises(lockgate.DataError, match="column size holds no times"):
        Stability(column="size").evaluate(request)
    few = Stability(column="day", min_rows=200).evaluate(request)
    assert few.messages == (
        "the test rows have too few different times for two periods of 200 rows",
    )
    rows = request.rows.assign(day=request.rows["day"].where(np.arange(240) < 100))
    report = Stability(column="day").evaluate(replace(request, rows=rows))
    assert sum(row["rows"] for row in report.tables["periods"]) == 100
    same = request.rows.assign(day=pd.Timestamp("2026-01-01"))
    assert not Stability(column="day").evaluate(replace(request, rows=same)).tables


def test_errors_are_tabulated_and_drawn() -> None:
    request = example_requests("evaluator")["regression"]
    report = Regression(resamples=0).evaluate(request)
    errors = request.output.label - request.table.target
    rows = report.tables["quantiles of the errors"]
    assert [row["error"] for row in rows] == pytest.approx(
        np.quantile(errors, [row["quantile"] for row in rows])
    )
    by_name = {plot.name: plot for plot in report.plots}
    assert sum(by_name["errors"].series[0].y) == pytest.approx(0.98, abs=0.02)
    low, median, high = (series.y for series in by_name["residuals"].series)
    assert all(a <= b <= c for a, b, c in zip(low, median, high, strict=True))


def test_classes_and_scores_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import precision_recall_curve, precision_recall_fscore_support

    for task in ("binary", "multiclass"):
        request = example_requests("evaluator")[task]
        report = Classification(resamples=0).evaluate(request)
        expected = precision_recall_fscore_support(
            request.table.target, request.output.label, labels=request.classes
        )
        rows = report.tables["classes"]
        for key, values in zip(("precision", "recall", "F1", "rows"), expected, strict=True):
            assert [row[key] for row in rows] == pytest.approx(values.tolist())
    request = example_requests("evaluator")["binary"]
    plots = {plot.name: plot for plot in Classification(resamples=0).evaluate(request).plots}
    (curve,) = plots["precision-recall"].series
    precision, recall, _ = precision_recall_curve(
        request.table.target == request.classes[1], request.output.score
    )
    known = {(round(r, 9), round(p, 9)) for r, p in zip(recall, precision, strict=True)}
    assert {(round(r, 9), round(p, 9)) for r, p in zip(curve.x, curve.y, strict=True)} <= known
    assert [series.name for series in plots["scores"].series] == ["actual no", "actual yes"]
    assert all(sum(series.y) == pytest.approx(1) for series in plots["scores"].series)


def test_columns_of_values_are_added_up_over_the_rows_that_are_acted_on() -> None:
    request = example_requests("evaluator")["binary"]
    calls = pd.Series(np.arange(240) % 7, dtype=float).where(np.arange(240) % 11 > 0)
    request = replace(request, rows=request.rows.assign(calls=calls, name="x"), value_matrix=None)
    report = Business(columns={"calls": "calls"}, resamples=50).evaluate(request)
    acted = np.asarray(request.output.label) == "yes"
    expected = calls.fillna(0)[acted].sum()
    assert report.metrics["calls_per_1000"].estimate == pytest.approx(1000 * expected / 240)
    assert report.metrics["calls_share"].estimate == pytest.approx(expected / calls.sum())
    (row,) = report.tables["columns of values"]
    assert (row["column"], row["unit"]) == ("calls", "calls")
    assert row["low"] <= row["per 1,000 rows"] <= row["high"]
    assert "calls of calls per 1,000 rows" in report.messages[0]
    for column, error in (("cals", lockgate.UsageError), ("name", lockgate.DataError)):
        with pytest.raises(error, match=column):
            Business(columns={column: "EUR"}).evaluate(request)
    infinite = replace(request, rows=request.rows.assign(calls=np.inf))
    with pytest.raises(lockgate.DataError, match="infinite"):
        Business(columns={"calls": "calls"}).evaluate(infinite)
    both = replace(request, value_matrix=lockgate.ValueMatrix(true_positive=2.0))
    report = Business(columns={"calls": "calls"}, resamples=0).evaluate(both)
    assert {"per_1000", "calls_per_1000"} <= set(report.metrics)


def test_the_loss_of_a_period_counts_the_weights_of_its_rows() -> None:
    request = in_periods(5)
    weight = np.random.default_rng(2).uniform(0.1, 3, 240)
    schema = request.table.schema.with_columns(
        (*request.table.schema.columns, lockgate.Column("w", "number"))
    )
    table = lockgate.Table(request.table.frame.assign(w=weight), replace(schema, weight="w"))
    report = Stability(column="day", min_rows=20).evaluate(replace(request, table=table))
    truth = (request.table.target == "yes").astype(float)
    loss = (request.output.score - truth) ** 2
    days = request.rows["day"].to_numpy()
    for row in report.tables["periods"]:
        inside = (days >= np.datetime64(row["from"])) & (days <= np.datetime64(row["to"]))
        assert row["rows"] == inside.sum()
        expected = np.average(loss[inside], weights=weight[inside])
        assert row["Brier score"] == pytest.approx(expected)


def test_periods_hold_all_rows_with_a_time() -> None:
    request = in_periods(None)
    days = pd.Timestamp("2026-01-01") + pd.to_timedelta(
        np.repeat([0, 1, 2, 3], [35, 95, 5, 105]), "D"
    )
    rows = request.rows.assign(day=days)
    table = Stability(column="day", min_rows=20).evaluate(replace(request, rows=rows)).tables
    counts = [row["rows"] for row in table["periods"]]
    assert sum(counts) == 240
    assert min(counts) >= 20
    known = rows.assign(day=rows["day"].where(np.arange(240) % 10 > 0))
    report = Stability(column="day", min_rows=20).evaluate(replace(request, rows=known))
    assert sum(row["rows"] for row in report.tables["periods"]) == 216
    assert report.messages[-1] == "24 rows have no time, and are in no period"
    without = np.arange(240) % 10 == 0
    score = np.where(without, 1 - request.output.score, request.output.score)
    output = lockgate.Output(request.output.label, score)
    other = Stability(column="day", min_rows=20).evaluate(
        replace(request, rows=known, output=output)
    )
    assert other.tables == report.tables  # they are not among the others, either
