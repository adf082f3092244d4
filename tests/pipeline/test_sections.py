"""Every setting of every section, set once: what it changes in what the stages leave behind."""

import copy
import dataclasses
import functools
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_pinball_loss, r2_score

import lockgate
from lockgate.contract.prediction import Output, Predictor
from lockgate.contract.requests import no_progress, numpy_backend
from lockgate.contract.sections import SECTIONS
from lockgate.data.io.prepared import read_with_left_out, write_left_out
from lockgate.modeling.metrics.losses import EVALUATORS
from lockgate.pipeline import compress, evaluate, load, monitor, optimize, package
from lockgate.pipeline.stage import STAGES, Stage
from lockgate.pipeline.workspace import Workspace
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.host import Host
from lockgate.plugins.host.parameters import Parameters
from lockgate.plugins.host.params_file import read_params, write_params
from tests.conftest import Run

WORK = {
    "load": load.work,
    "optimize": optimize.work,
    "compress": compress.work,
    "evaluate": evaluate.work,
    "package": package.work,
    "monitor": monitor.work,
}
ROWS, DOUBLED, FIRST_DAY = 240, 12, pd.Timestamp("2026-01-01")
SET: set[str] = set()
"""Settings that the projects of the test now running have set."""
EXERCISED: dict[str, list[str]] = {}
"""Tests by the setting whose effect they look at."""


def option(key: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Say whose effect a test looks at, and hold it to setting that."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        EXERCISED.setdefault(key, []).append(test.__name__)

        @functools.wraps(test)
        def checked(*args: Any, **kwargs: Any) -> None:
            SET.clear()
            test(*args, **kwargs)
            assert key in SET, f"{test.__name__} never sets {key}"

        return checked

    return decorate


def field_names(cls: type, at: str) -> Iterator[str]:
    """Dotted names of a section's fields, those of nested sections included."""
    for field in dataclasses.fields(cls):
        value = field.default_factory() if callable(field.default_factory) else field.default
        if dataclasses.is_dataclass(value):
            yield from field_names(type(value), f"{at}.{field.name}")
        else:
            yield f"{at}.{field.name}"


def rows(seed: int = 7) -> pd.DataFrame:
    """Rows with numbers, gaps, categories, dates, each role, doubles and a far outlier."""
    rng = np.random.default_rng(seed)
    size = rng.normal(50, 10, ROWS)
    count = rng.integers(0, 4, ROWS)
    colour = rng.choice(["blue", "green", "red"], ROWS, p=[0.5, 0.3, 0.2])
    colour[[20, 70]] = ["mauve", "teal"]
    signal = (size - 50) / 10 + (colour == "red") + count / 2 + rng.normal(scale=0.8, size=ROWS)
    frame = pd.DataFrame(
        {
            "size": size.round(3),
            "count": count,
            "colour": colour.astype(object),
            "price": rng.gamma(2.0, 10.0, ROWS).round(2),
            "born": (FIRST_DAY - pd.to_timedelta(rng.integers(1, 9000, ROWS), "D")).strftime(
                "%Y-%m-%d"
            ),
            "always": "same",
            "day": (FIRST_DAY + pd.to_timedelta(np.arange(ROWS), "D")).strftime("%Y-%m-%d"),
            "household": rng.integers(0, 80, ROWS),
            "weight": rng.uniform(0.5, 2, ROWS).round(2),
            "bought": np.where(signal > 1.0, "yes", "no"),
        }
    )
    frame.loc[::9, "price"] = np.nan
    frame.loc[::11, "born"] = None
    frame.loc[[100, 150, 200], "size"] = 125.0
    return pd.concat([frame, frame.iloc[:DOUBLED]], ignore_index=True)


FEATURES = ("size", "count", "colour", "price", "born", "always")
OTHERS = ["day", "household", "weight"]


@pytest.fixture(scope="session")
def table_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    rows().to_csv(path, index=False)
    return path


@dataclasses.dataclass
class Project:
    """A folder with parameters and rows, whose stages run in this process."""

    root: Path
    probes: dict[str, object] = dataclasses.field(default_factory=dict)

    def stage(self, name: str) -> Stage:
        """Build a stage as the pipeline does; a probe takes the place of a chosen plugin."""
        raw = read_params(self.root / "params.yaml")
        document = Parameters.check(raw, Catalogue.installed())
        host = Host(name)
        for kind in STAGES[name]:
            for chosen in document.chosen[kind]:
                host.register(kind, chosen.name, self.probes.get(kind) or chosen.build())
        return Stage(name, self.root, document, raw, host, logging.getLogger(name), no_progress)

    def run(self, *names: str) -> dict[str, float]:
        """Run stages in order and return the figures of the last."""
        figures: dict[str, float] = {}
        for name in names:
            figures = WORK[name](self.stage(name))
        return figures

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.root)

    @property
    def facts(self) -> dict[str, Any]:
        return self.workspace.facts()

    def part(self, name: str) -> pd.DataFrame:
        return self.workspace.table(name, self.workspace.schema()).frame

    @property
    def columns(self) -> dict[str, str]:
        return {column.name: column.kind for column in self.workspace.schema().features}

    def estimator(self) -> Any:
        stored = self.workspace.read_model("candidate", numpy_backend())
        return stored.candidate.estimator

    def cells(self, part: str = "train") -> np.ndarray:
        """What the estimator is given for the features of a part."""
        stored = self.workspace.read_model("candidate", numpy_backend())
        features = self.workspace.table(part, stored.schema).features
        cells = stored.candidate.estimator[:-1].transform(features)
        return np.asarray(cells.toarray() if hasattr(cells, "toarray") else cells, dtype=float)

    def trials(self) -> pd.DataFrame:
        return pd.read_csv(self.root / "models" / "trials.csv")


Make = Callable[..., Project]

OF_NUMBERS: dict[str, Any] = {"evaluator": {"regression": {"plugin": "regression"}}}


@pytest.fixture
def make(tmp_path: Path, table_file: Path) -> Make:
    """Make a project; its arguments are settings by dotted name, and the loader's roles."""
    numbers = iter(range(100))

    def build(
        settings: dict[str, Any] | None = None,
        *,
        target: str | list[str] | None = "bought",
        probes: dict[str, object] | None = None,
        model: str = "logistic",
        **roles: str,
    ) -> Project:
        settings = {"data.leave_out": [n for n in OTHERS if n not in roles.values()]} | (
            settings or {}
        )
        evaluator = EVALUATORS.get(settings.get("project.task", "auto"), "classification")
        if target == "size" and settings.get("project.task", "auto") == "auto":
            evaluator = "regression"
        options = {} if evaluator in ("clustering", "anomaly") else {"resamples": 0}
        raw: dict[str, Any] = {
            "loader": {
                "csv": {"plugin": "csv", "path": "data/raw/rows.csv", "target": target, **roles}
            },
            "model": {model: {"plugin": model}},
            "optimizer": {"random": {"plugin": "random", "trials": 2}},
            "compressor": {},
            "evaluator": {evaluator: {"plugin": evaluator, **options}},
            "monitor": {"drift": {"plugin": "drift"}},
            "backend": {"numpy": {"plugin": "numpy"}},
            "format": {"packed": {"plugin": "packed"}},
        }
        for key, value in settings.items():
            node = raw
            *path, last = key.split(".")
            for name in path:
                node = node.setdefault(name, {})
            node[last] = copy.deepcopy(value)
            SET.add(key)
        root = tmp_path / str(next(numbers))
        (root / "data" / "raw").mkdir(parents=True)
        (root / "data" / "raw" / "rows.csv").write_bytes(table_file.read_bytes())
        (root / "report").mkdir()
        write_params(root / "params.yaml", raw)
        return Project(root, probes or {})

    return build


def loaded(project: Project) -> Project:
    project.run("load")
    return project


def fitted(project: Project) -> Project:
    project.run("load", "optimize")
    return project


@lockgate.plugin
class FirstTrial:
    """Keep the request, and choose the defaults."""

    @lockgate.hookimpl
    def optimize(self, request: lockgate.OptimizeRequest) -> lockgate.SearchResult:
        """Measure once."""
        KEPT["request"] = request
        return lockgate.SearchResult(lockgate.Candidate(request.recipe), (request.measure({}),))


@lockgate.plugin
class Worsen:
    """Make a model smaller by making it worse."""

    @lockgate.hookimpl
    def compress(self, request: lockgate.CompressRequest) -> lockgate.Candidate:
        """Fit with next to no freedom."""
        KEPT["request"] = request
        return dataclasses.replace(request.candidate, params={"C": 1e-3}, estimator=None)


@lockgate.plugin
class Remember:
    """Keep the window, and find nothing."""

    @lockgate.hookimpl
    def monitor(self, request: lockgate.MonitorRequest) -> lockgate.Findings:
        """Look at nothing."""
        KEPT["window"] = request.window
        return lockgate.Findings()


@lockgate.plugin
class KeepRequest:
    """Keep the request, and measure nothing."""

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Keep it."""
        KEPT["evaluate"] = request
        return lockgate.Report()


KEPT: dict[str, Any] = {}
PRUNE = {"compressor": {"prune": {"plugin": "prune"}}}

# --- the rule of this file


def test_every_setting_of_every_section_is_exercised_here() -> None:
    known = {name for key, cls in SECTIONS.items() for name in field_names(cls, key)}
    assert set(EXERCISED) == known


def test_a_setting_that_nothing_reads_is_refused(make: Make) -> None:
    with pytest.raises(lockgate.UnknownKey, match="did you mean 'clip'"):
        make({"cells.clp": 0.1}).stage("load")


# --- project


@option("project.name")
def test_the_name_goes_into_the_bundle_and_the_report(make: Make) -> None:
    project = make({"project.name": "parcels"})
    project.run(*STAGES)
    assert lockgate.open(project.root / "bundle").manifest.name == "parcels"
    for page in ("index.html", "monitor.html"):
        assert "parcels" in (project.root / "report" / page).read_text()
    assert "parcels" in (project.root / "bundle" / "card.md").read_text()


@option("project.seed")
def test_the_seed_decides_which_rows_are_kept_apart(make: Make) -> None:
    first, same, other = (
        loaded(make({"project.seed": seed, "split.by": "random"})).part("test")
        for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(first, same)
    assert not first.equals(other)
    assert make({"project.seed": 5}).stage("optimize").request_context()["seed"] == 5


@option("project.task")
@pytest.mark.parametrize(
    ("task", "target", "result"),
    [
        ("auto", "bought", "binary"),
        ("auto", "count", "multiclass"),
        ("auto", "size", "regression"),
        ("regression", "count", "regression"),
        ("multiclass", "bought", "multiclass"),
        ("binary", "bought", "binary"),
    ],
)
def test_the_task_is_asked_for_or_read_off_the_target(
    make: Make, task: str, target: str, result: str
) -> None:
    model = "linear" if task == "regression" else "logistic"
    project = make({"project.task": task}, target=target, model=model)
    assert loaded(project).facts["task"] == result


@option("project.task")
@pytest.mark.parametrize(
    ("task", "target"), [("binary", "count"), ("regression", "bought"), ("multiclass", "size")]
)
def test_a_task_that_the_target_cannot_be_is_refused(make: Make, task: str, target: str) -> None:
    with pytest.raises(lockgate.SchemaViolation, match=f"target {target}"):
        loaded(make({"project.task": task}, target=target, model="tree"))


# --- data


@option("data.since")
@option("data.until")
def test_rows_outside_of_the_dates_are_left_out(make: Make) -> None:
    project = loaded(make({"data.since": "2026-02-01", "data.until": "2026-05-01"}, time="day"))
    days = pd.concat([project.part(name) for name in ("train", "tune", "test")])["day"]
    assert (days.min(), days.max()) == (pd.Timestamp("2026-02-01"), pd.Timestamp("2026-04-30"))
    assert len(days) == 28 + 31 + 30
    with pytest.raises(lockgate.SchemaViolation, match="need a time column"):
        loaded(make({"data.since": "2026-02-01"}))


@option("data.kinds")
def test_a_kind_that_is_declared_is_not_inferred(make: Make) -> None:
    assert loaded(make()).columns["count"] == "integer"
    project = loaded(make({"data.kinds": {"count": "category"}}))
    assert project.columns["count"] == "category"
    assert project.workspace.schema()["count"].categories == ("0", "1", "2", "3")
    with pytest.raises(lockgate.SettingError, match="data.kinds"):
        make({"data.kinds": {"count": "categorical"}}).stage("load")


@option("data.leave_out")
def test_a_column_that_is_left_out_is_in_no_part(make: Make) -> None:
    project = loaded(make({"data.leave_out": [*OTHERS, "price"]}))
    assert "price" not in project.columns
    assert "price" not in project.part("test")
    with pytest.raises(lockgate.SchemaViolation, match="did you mean 'price'"):
        loaded(make({"data.leave_out": ["prize"]}))


@option("data.positive")
@pytest.mark.parametrize("model", ["logistic", "boosting"])
def test_scores_and_thresholds_are_of_the_positive_class(make: Make, model: str) -> None:
    settings = {"decision.rule": "f1", "search.metric": "pr_auc"}
    scores, thresholds, losses = {}, {}, {}
    for positive in ("yes", "no"):
        project = make({"data.positive": positive, **settings}, model=model)
        project.run("load", "optimize", "compress")
        finished = project.workspace.read_finished()
        assert finished.classes == (("no", "yes") if positive == "yes" else ("yes", "no"))
        tune = project.workspace.table("tune", finished.schema)
        output = opened(project).predict(tune.features)
        thresholds[positive], scores[positive] = finished.threshold, output.score
        losses[positive] = project.trials()["loss"].min()
        truth = np.asarray(tune.target == positive)
        best = max(f1(output.score >= cut, truth) for cut in output.score)
        assert f1(np.asarray(output.label == positive), truth) == pytest.approx(best)
    np.testing.assert_allclose(scores["no"], 1 - scores["yes"], atol=1e-12)
    assert thresholds["no"] != pytest.approx(1 - thresholds["yes"])
    assert losses["no"] != losses["yes"]  # the search measures the precision of that class
    with pytest.raises(lockgate.UsageError, match="data.positive: .*'on', expected 'no' or 'yes'"):
        loaded(make({"data.positive": "on"}))
    with pytest.raises(lockgate.UsageError, match="data.positive: .* needs quotes in YAML"):
        loaded(make({"data.positive": False}))
    with pytest.raises(lockgate.UsageError, match="data.positive: .*task is regression"):
        loaded(make({"data.positive": "no"}, target="price"))


def test_evaluators_and_monitors_see_what_the_model_leaves_out(make: Make) -> None:
    probes = {"evaluator": KeepRequest(), "monitor": Remember()}
    project = make({"data.leave_out": ["household", "price", "weight"]}, probes=probes, time="day")
    project.run("load", "optimize", "compress", "evaluate", "package", "monitor")
    request, window = KEPT["evaluate"], KEPT["window"]
    expected = rows().set_index("day")
    for seen, model_rows in ((request.rows, request.table), (window.rows, window.table)):
        assert {"household", "price", "weight", "always"} <= set(seen)
        assert not {"household", "price", "weight", "always"} & set(model_rows.features)
        assert len(seen) == len(model_rows) > 20
        assert seen["count"].tolist() == model_rows.frame["count"].tolist()
        days = pd.to_datetime(seen["day"]).dt.strftime("%Y-%m-%d")
        for name in ("household", "price", "weight"):
            pd.testing.assert_series_equal(
                seen[name].reset_index(drop=True),
                expected.loc[days, name].reset_index(drop=True),
            )


@option("data.uninformative")
def test_a_column_that_says_nothing_is_dropped_or_refused(make: Make) -> None:
    project = loaded(make({"data.uninformative": "drop"}))
    assert project.facts["columns_left_out"] == ["column always is constant: 'same'; dropped"]
    assert set(project.columns) == set(FEATURES) - {"always"}
    with pytest.raises(lockgate.SchemaViolation, match="column always is constant: 'same'"):
        loaded(make({"data.uninformative": "refuse"}))


# --- rows


def left_out(make: Make, settings: dict[str, Any]) -> tuple[dict[str, int], Project, Project]:
    """Rows that the rules took out, the project, and one without rules."""
    project, plain = loaded(make(settings)), loaded(make())
    for name in ("tune", "test"):
        pd.testing.assert_frame_equal(project.part(name), plain.part(name))
    counts = project.facts["rows_left_out"]
    assert len(plain.part("train")) - len(project.part("train")) == sum(counts.values())
    return counts, project, plain


@option("rows.duplicates")
def test_equal_rows_are_dropped_before_the_split_when_asked(make: Make) -> None:
    project, plain = loaded(make({"rows.duplicates": "drop"})), loaded(make())
    before, after = (
        pd.concat([part.part(name) for name in ("train", "tune", "test")])
        for part in (plain, project)
    )
    assert project.facts["rows_left_out"] == {"duplicates": before.duplicated().sum()}
    assert len(before) - len(after) == before.duplicated().sum() > 3
    assert not after.duplicated().any()
    assert loaded(make({"rows.duplicates": "keep"})).facts["rows_left_out"] == {}


@option("rows.outlier_spread")
def test_far_training_rows_are_dropped_when_asked(make: Make) -> None:
    counts, project, plain = left_out(make, {"rows.outlier_spread": 4.0})
    assert plain.part("train")["size"].max() == 125
    assert project.part("train")["size"].max() < 100
    assert counts == {"outliers": (plain.part("train")["size"] == 125).sum()}
    stricter, *_ = left_out(make, {"rows.outlier_spread": 0.5})
    assert stricter["outliers"] > 10


@option("rows.ranges")
def test_training_rows_out_of_range_are_dropped(make: Make) -> None:
    ranges = {"size": [40, 60], "price": [5.0, 50.0]}
    counts, project, _ = left_out(make, {"rows.ranges": ranges})
    assert set(counts) == {"range of size", "range of price"}
    assert project.part("train")["size"].between(40, 60).all()
    assert project.part("train")["price"].min() >= 5
    assert project.part("train")["price"].isna().any()
    for wrong, message in (
        ({"sise": [0, 1]}, "did you mean 'size'"),
        ({"size": [2, 1]}, r"expected \[low, high\]"),
        ({"colour": [0, 1]}, "expected a column of numbers"),
    ):
        with pytest.raises(lockgate.SchemaViolation, match=message):
            loaded(make({"rows.ranges": wrong}))


# --- cells


@option("cells.missing")
def test_a_gap_is_filled_or_its_row_refused(make: Make) -> None:
    answers = {}
    whole = ["price", "born", *OTHERS]
    for rule in ("impute", "refuse"):
        project = make({"cells.missing": rule, "data.leave_out": whole})
        project.run("load", "optimize", "compress")
        answers[rule] = opened(project)
    row = pd.DataFrame({"size": [50.0, np.nan], "count": [1, 2], "colour": ["red", "blue"]})
    assert len(answers["impute"].predict(columns_of(row)).label) == 2
    with pytest.raises(lockgate.SchemaViolation, match="size"):
        answers["refuse"].predict(columns_of(row))
    assert answers["refuse"].predict(columns_of(row[:1])).score == pytest.approx(
        answers["impute"].predict(columns_of(row[:1])).score
    )
    with pytest.raises(lockgate.SchemaViolation, match="price has no value in row .* not allowed"):
        fitted(make({"cells.missing": "refuse"}))


@option("cells.unknown")
def test_a_category_that_training_never_saw_is_ignored_or_refused(make: Make) -> None:
    row = columns_of(pd.DataFrame({"size": [50.0], "count": [1], "colour": ["beige"]}))
    leave = ["price", "born", *OTHERS]
    # with this seed no category stands in the tune rows alone
    for rule in ("ignore", "refuse"):
        settings = {"cells.unknown": rule, "data.leave_out": leave, "project.seed": 3}
        project = make(settings)
        project.run("load", "optimize", "compress")
        predictor = opened(project)
        if rule == "ignore":
            assert 0 < predictor.predict(row).score[0] < 1  # type: ignore[index]  # a classifier
        else:
            with pytest.raises(lockgate.SchemaViolation, match="colour.*beige"):
                predictor.predict(row)


@option("cells.indicator")
def test_an_indicator_says_where_a_value_was_missing(make: Make) -> None:
    plain, marked = (fitted(make({"cells.indicator": on})).cells() for on in (False, True))
    assert marked.shape[1] == plain.shape[1] + 1
    gaps = loaded(make()).part("train")["price"].isna().to_numpy()
    assert any(np.array_equal(column > 0, gaps) for column in marked.T)
    assert not any(np.array_equal(column > 0, gaps) for column in plain.T)


@option("cells.texts")
@option("data.kinds")
def test_categories_without_end_are_hashed_those_that_are_new_too(make: Make) -> None:
    settings = {"data.kinds": {"colour": "text"}, "cells.texts": {"colour": "hashed"}}
    project = fitted(make(settings))
    project.run("compress", "evaluate", "package", "monitor")
    bundle = lockgate.open(project.workspace.bundle)
    row = project.part("test").iloc[[0]]
    colours = ["red", "blue", "cyan", "ochre"]
    scores = {colour: bundle.predict(row.assign(colour=colour)) for colour in colours}
    assert scores["red"].score != scores["blue"].score
    assert not any(output.unknown for output in scores.values())


@option("cells.scale")
def test_numbers_are_scaled_when_asked_or_when_the_model_needs_it(make: Make) -> None:
    spread: dict[tuple[str, str], float] = {}
    for rule in ("auto", "standard", "none"):
        for model in ("linear", "boosting"):
            settings = {"cells.scale": rule, "project.task": "regression", **small_trees(model)}
            project = fitted(make(settings, target="count", model=model))
            spread[rule, model] = float(np.nanstd(project.cells()[:, 0]))
    for scaled in (("auto", "linear"), ("standard", "linear"), ("standard", "boosting")):
        assert spread.pop(scaled) == pytest.approx(1)
    assert min(spread.values()) > 5


@option("cells.clip")
def test_numbers_are_clipped_to_quantiles_of_the_training_rows(make: Make) -> None:
    trees = small_trees("boosting")
    project = fitted(make({"cells.clip": 0.1, **trees}, model="boosting"))
    size = project.cells()[:, 0]
    low, high = project.part("train")["size"].quantile([0.1, 0.9])
    assert (size.min(), size.max()) == (pytest.approx(low), pytest.approx(high))
    assert fitted(make({"cells.clip": 0.0, **trees}, model="boosting")).cells()[:, 0].max() == 125


@option("cells.clips")
def test_a_column_is_clipped_to_quantiles_of_its_own(make: Make) -> None:
    trees = small_trees("boosting")
    project = fitted(make({"cells.clips": {"size": 0.1}, **trees}, model="boosting"))
    train, prepared = project.part("train"), project.cells()
    low, high = train["size"].quantile([0.1, 0.9])
    clipped = prepared[:, 2]  # behind those that are not clipped
    assert (clipped.min(), clipped.max()) == pytest.approx((low, high))
    assert prepared[:, 0].max() == train["count"].max()
    compressed = make({"cells.clips": {"size": 0.1}, "compressor": {"lasso": {"plugin": "lasso"}}})
    compressed.run("load", "optimize", "compress")  # lasso takes columns out of the numbers
    with pytest.raises(lockgate.SchemaViolation, match=r"cells.clips.colour: .* numbers"):
        loaded(make({"cells.clips": {"colour": 0.1}}))


@option("cells.computed")
def test_a_column_is_computed_of_two(make: Make) -> None:
    settings = {"cells.computed": {"per": "size / count"}, "cells.scale": "none"}
    project = make({**settings, **small_trees("boosting")}, model="boosting")
    project.run("load", "optimize", "compress")
    train = project.part("train")
    with np.errstate(divide="ignore"):
        expected = (train["size"] / train["count"]).to_numpy(float)
    expected = np.where(np.isfinite(expected), expected, np.nan)
    assert any(np.array_equal(part, expected, equal_nan=True) for part in project.cells().T)
    assert {column.name for column in opened(project).model.inputs} >= {"size", "count"}
    with pytest.raises(lockgate.SchemaViolation, match="expected two columns with a sign"):
        loaded(make({"cells.computed": {"per": "size"}}))


def test_lasso_keeps_what_a_computed_column_needs(make: Make) -> None:
    """The target depends on a ratio alone, which neither of its columns tells."""
    settings = {
        "cells.computed": {"per": "size / price"},
        "compressor": {"lasso": {"plugin": "lasso"}},
        "compression.max_loss": 0.05,
    }
    project = make(settings)
    file = project.root / "data" / "raw" / "rows.csv"
    frame = pd.read_csv(file)
    ratio = frame["size"] / frame["price"].fillna(frame["price"].median())
    frame["bought"] = np.where(ratio > ratio.median(), "yes", "no")
    frame.to_csv(file, index=False)
    project.run("load", "optimize", "compress")
    inputs = {column.name for column in opened(project).model.inputs}
    assert {"size", "price"} <= inputs
    assert not {"count", "colour"} <= inputs


@option("cells.dates")
def test_parts_of_dates_are_on_a_circle(make: Make) -> None:
    widths = {}
    for dates in ("parts", "cyclic"):
        settings = {"cells.dates": dates, "cells.scale": "none"}
        project = fitted(make({**settings, **small_trees("boosting")}, model="boosting"))
        prepared = project.cells()
        widths[dates] = prepared.shape[1]
        born = project.part("train")["born"]
    assert widths["cyclic"] - widths["parts"] == 3
    sine = np.sin(2 * np.pi * (born.dt.month - 1) / 12).to_numpy()
    assert any(np.allclose(part, sine, equal_nan=True) for part in prepared.T)


@option("cells.bins")
def test_a_binned_number_becomes_a_category(make: Make) -> None:
    project = make({"cells.bins": {"size": [40, 60]}})
    project.run("load", "optimize", "compress")
    last = project.cells()[:, -3:]
    size = project.part("train")["size"].to_numpy()
    assert np.array_equal(last, np.c_[size < 40, (size >= 40) & (size < 60), size >= 60])
    predictor = opened(project)
    frame = project.part("test")[["count", "colour", "price", "born"]].iloc[[0] * 4]
    frame = frame.reset_index(drop=True).assign(size=[41.0, 59.9, 60.0, 1e6])
    below, same, above, far = predictor.predict(columns_of(frame)).score  # type: ignore[misc]
    assert below == same != above == far
    for wrong, message in (
        ({"sise": [1]}, "did you mean 'size'"),
        ({"size": [2, 1]}, "expected rising edges"),
        ({"colour": [1]}, "expected a column of numbers"),
    ):
        with pytest.raises(lockgate.SchemaViolation, match=message):
            fitted(make({"cells.bins": wrong}))


@option("cells.rare")
@pytest.mark.parametrize(("rare", "columns"), [(0, 5), (5, 4), (60, 3)])
def test_rare_categories_become_one(make: Make, rare: int, columns: int) -> None:
    project = fitted(
        make({"cells.rare": rare, "data.leave_out": [*OTHERS, "size", "count", "price", "born"]})
    )
    counts = project.part("train")["colour"].value_counts()
    expected = counts[counts >= rare].size + bool((counts < rare).any())
    assert project.cells().shape[1] == expected
    assert expected <= columns


@option("cells.encodings")
@pytest.mark.parametrize(
    ("encoding", "model"),
    [
        ("one-hot", "boosting"),
        ("ordinal", "logistic"),
        ("target", "logistic"),
        ("target", "boosting"),
    ],
)
def test_categories_are_encoded_as_chosen(make: Make, encoding: str, model: str) -> None:
    others = {"data.leave_out": [*OTHERS, "size", "price", "born"]}
    lasso = {"compressor": {"lasso": {"plugin": "lasso"}}}
    project = make(
        {"cells.encodings": {"colour": encoding}, **others, **lasso, **small_trees(model)},
        model=model,
    )
    project.run("load", "optimize", "compress")
    known = project.part("train")["colour"].nunique()
    assert project.cells().shape[1] == 1 + (known if encoding == "one-hot" else 1)
    test = project.workspace.table("test", project.workspace.schema())
    frame = test.features.assign(colour="never seen")
    predictor = opened(project)
    for rows in (test.features, frame):
        expected = project.estimator().predict_proba(rows)[:, 1]
        np.testing.assert_allclose(predictor.predict(columns_of(rows)).score, expected, atol=1e-12)
    for wrong, message in (
        ({"color": "target"}, "did you mean 'colour'"),
        ({"size": "target"}, "expected a column of categories, got number"),
    ):
        with pytest.raises(lockgate.SchemaViolation, match=message):
            loaded(make({"cells.encodings": wrong}))


@option("cells.scale")
@pytest.mark.parametrize("scale", ["robust", "power", "quantile"])
def test_skewed_numbers_are_scaled_as_chosen(make: Make, scale: str) -> None:
    others = {"data.leave_out": [*OTHERS, "size", "count", "colour", "born"]}
    project = make({"cells.scale": scale, **others})
    project.run("load", "optimize", "compress")
    scaled = project.cells()[:, 0]
    if scale == "robust":
        assert np.median(scaled) == pytest.approx(0, abs=1e-9)
    else:
        skew = ((scaled - scaled.mean()) ** 3).mean() / scaled.std() ** 3
        assert abs(skew) < 0.5  # that of the prices is 1.4
    test = project.workspace.table("test", project.workspace.schema())
    expected = project.estimator().predict_proba(test.features)[:, 1]
    ours = opened(project).predict(columns_of(test.features)).score
    np.testing.assert_allclose(ours, expected, atol=1e-12)


@option("cells.texts")
@pytest.mark.parametrize(
    ("encoding", "model"),
    [
        ("words", "logistic"),
        ("words", "boosting"),
        ("characters", "boosting"),
        ("counts", "logistic"),
        ("hashed", "logistic"),
    ],
)
def test_texts_are_encoded_as_chosen(make: Make, encoding: str, model: str) -> None:
    texts = {"data.kinds": {"colour": "text"}, "cells.texts": {"colour": encoding}}
    trees = {"model.boosting.trees": 30} if model == "boosting" else {}
    project = make({**texts, **trees}, model=model)
    project.run("load", "optimize", "compress")
    predictor = opened(project)
    frame = project.part("test")[["size", "count", "price", "born"]]
    means = [
        np.mean(predictor.predict(columns_of(frame.assign(colour=colour))).score)
        for colour in ("red", "blue")
    ]
    assert means[0] > means[1]
    frame = frame.iloc[[0] * 2].assign(colour=[None, "never seen"])
    missing, unknown = np.asarray(predictor.predict(columns_of(frame)).score)
    if encoding in ("words", "counts"):
        assert missing == unknown  # neither has a known term
    candidate = project.estimator()
    test = project.workspace.table("test", project.workspace.schema())
    ours = predictor.predict(columns_of(test.features)).score
    np.testing.assert_allclose(ours, candidate.predict_proba(test.features)[:, 1], atol=1e-12)
    for wrong, message in (
        ({"color": "words"}, "did you mean 'colour'"),
        ({"price": "words"}, "expected a column of texts, got number"),
        ({}, "cells.texts={colour:words}"),
    ):
        with pytest.raises(lockgate.SchemaViolation, match=message):
            loaded(make({**texts, "cells.texts": wrong}))


@option("cells.max_terms")
def test_the_frequent_terms_are_kept(make: Make) -> None:
    texts = {"data.kinds": {"colour": "text"}, "cells.texts": {"colour": "counts"}}
    features = {"data.leave_out": [*OTHERS, "size", "count", "price", "born"], **texts}
    for limit, columns in ((20_000, 3), (2, 2)):
        cells = fitted(make({"cells.max_terms": limit, **features})).cells()
        assert cells.shape[1] == columns


@option("cells.term_rows")
def test_rare_terms_are_left_out(make: Make) -> None:
    texts = {"data.kinds": {"colour": "text"}, "cells.texts": {"colour": "counts"}}
    features = {"data.leave_out": [*OTHERS, "size", "count", "price", "born"], **texts}
    project = fitted(make({"cells.term_rows": 1, **features}))
    assert project.cells().shape[1] == project.part("train")["colour"].nunique()
    with pytest.raises(lockgate.SchemaViolation, match="no term of column colour is in 1000 of"):
        fitted(make({"cells.term_rows": 1000, **features}))


@option("cells.text_components")
def test_terms_are_condensed_for_models_that_take_no_sparse_matrix(make: Make) -> None:
    texts = {"data.kinds": {"colour": "text"}, "cells.texts": {"colour": "counts"}}
    features = {"data.leave_out": [*OTHERS, "size", "count", "price", "born"], **texts}
    for wanted, columns in ((2, 2), (100, 3)):  # there are three terms
        settings = {"cells.text_components": wanted, **features, **small_trees("boosting")}
        assert fitted(make(settings, model="boosting")).cells().shape[1] == columns


# --- split


@option("split.by")
@pytest.mark.parametrize(
    ("by", "roles", "way"),
    [
        ("auto", {}, "stratified"),
        ("auto", {"group": "household"}, "group"),
        ("auto", {"group": "household", "time": "day"}, "time"),
        ("random", {"time": "day"}, "random"),
        ("group", {"group": "household", "time": "day"}, "group"),
        ("time", {"time": "day"}, "time"),
        ("stratified", {"group": "household"}, "stratified"),
    ],
)
def test_rows_are_kept_apart_in_the_way_asked_for(
    make: Make, by: str, roles: dict[str, str], way: str
) -> None:
    project = loaded(make({"split.by": by}, **roles))
    train, tune, test = (project.part(name) for name in ("train", "tune", "test"))
    assert project.facts["split"] == way
    assert len(train) + len(tune) + len(test) == ROWS + DOUBLED
    if way == "time":
        assert max(train["day"].max(), tune["day"].max()) < test["day"].min()
    if "group" in roles:
        sides = [set(frame["household"]) for frame in (train, tune, test)]
        shared = (sides[0] & sides[2]) | (sides[0] & sides[1]) | (sides[1] & sides[2])
        assert bool(shared) == (way != "group")
    if way == "stratified":
        shares = [(frame["bought"] == "yes").mean() for frame in (train, tune, test)]
        assert max(shares) - min(shares) < 0.03


@option("split.by")
@pytest.mark.parametrize("by", ["time", "group"])
def test_a_split_needs_its_column(make: Make, by: str) -> None:
    with pytest.raises(lockgate.SchemaViolation, match=f"declares no {by} column"):
        loaded(make({"split.by": by}))


@option("split.test")
@option("split.tune")
def test_shares_of_rows_are_those_asked_for(make: Make) -> None:
    counts = loaded(make({"split.test": 0.5, "split.tune": 0.1})).facts["rows"]
    whole = ROWS + DOUBLED
    assert counts["loaded"] == whole
    assert counts["test"] == pytest.approx(0.5 * whole, abs=2)
    assert counts["tune"] == pytest.approx(0.05 * whole, abs=2)


@option("split.test_from")
@option("split.tune_from")
def test_test_and_tune_rows_start_on_their_dates(make: Make) -> None:
    dates = {"split.test_from": "2026-07-01", "split.tune_from": "2026-06-01"}
    project = loaded(make(dates, time="day"))
    starts = [str(project.part(name)["day"].min().date()) for name in ("tune", "test")]
    assert starts == ["2026-06-01", "2026-07-01"]
    assert str(project.part("train")["day"].max().date()) == "2026-05-31"
    with pytest.raises(lockgate.SchemaViolation, match="is set, but the split is by stratified"):
        loaded(make(dates))


# --- search


@option("search.metric")
@pytest.mark.parametrize(
    ("metric", "target", "model", "chosen"),
    [
        ("auto", "bought", "logistic", "log_loss"),
        ("auto", "size", "linear", "rmse"),
        *(
            (m, "bought", "logistic", m)
            for m in ("roc_auc", "pr_auc", "brier", "accuracy", "f1", "log_loss")
        ),
        *((m, "size", "linear", m) for m in ("rmse", "mae", "r2")),
    ],
)
def test_the_metric_decides_and_is_recorded(
    make: Make, metric: str, target: str, model: str, chosen: str
) -> None:
    project = make(
        {"search.metric": metric}, target=target, model=model, probes={"optimizer": FirstTrial()}
    )
    fitted(project)
    assert KEPT["request"].metric == chosen
    assert project.workspace.read_model("candidate", numpy_backend()).metric == chosen
    loss = project.trials()["loss"].item()
    grows = chosen in ("roc_auc", "pr_auc", "accuracy", "f1", "r2")
    assert (loss < 1) if grows or chosen in ("log_loss", "brier") else (loss > 5)


@option("search.metric")
def test_a_metric_of_another_task_is_refused(make: Make) -> None:
    with pytest.raises(lockgate.SettingError, match="for binary: log_loss"):
        fitted(make({"search.metric": "rmse"}))


@option("search.folds")
@pytest.mark.parametrize("folds", [2, 7])
def test_the_number_of_folds_is_that_asked_for(make: Make, folds: int) -> None:
    project = fitted(make({"search.folds": folds}, probes={"optimizer": FirstTrial()}))
    request = KEPT["request"]
    assert len(request.folds) == folds
    measured = np.concatenate([fold.measure for fold in request.folds])
    assert sorted(measured) == list(range(len(project.part("train"))))


@option("search.seconds")
def test_no_trial_starts_when_the_time_is_up(make: Make) -> None:
    assert len(fitted(make({"search.seconds": None})).trials()) == 2
    assert len(fitted(make({"search.seconds": 1e-6})).trials()) == 1


# --- compression


@option("compression.max_loss")
@pytest.mark.parametrize(("max_loss", "applied"), [(0.0, False), (50.0, True)])
def test_a_step_may_cost_as_much_as_allowed(make: Make, max_loss: float, applied: bool) -> None:
    settings = {"compression.max_loss": max_loss, **PRUNE}
    project = make(settings, probes={"compressor": Worsen()})
    figures = project.run("load", "optimize", "compress")
    (step,) = json.loads((project.root / "models" / "steps.json").read_text())["steps"]
    assert step["applied"] is applied is bool(figures["applied"])
    assert KEPT["request"].max_loss == pytest.approx(max_loss * step["loss_before"])
    assert project.workspace.read_finished().parent == ("prune" if applied else None)
    assert (project.workspace.read_finished().params["C"] == 1e-3) is applied


@option("compression.strict")
def test_a_step_that_does_not_help_is_skipped_or_fails(make: Make) -> None:
    project = make({"compression.strict": False, **PRUNE})
    assert project.run("load", "optimize", "compress") == {"steps": 1.0, "applied": 0.0}
    strict = make({"compression.strict": True, **PRUNE})
    with pytest.raises(lockgate.UsageError, match="prune does not help.*compression.strict=false"):
        strict.run("load", "optimize", "compress")


# --- decision


def opened(project: Project) -> Predictor:
    """The finished model, opened by its format."""
    stage = project.stage("evaluate")
    finished = project.workspace.read_finished()
    files = lockgate.OpenRequest(
        directory=project.workspace.model("compressed"),
        files=finished.files,
        schema=finished.schema,
        task=finished.task,
        classes=finished.classes,
        threshold=finished.threshold,
    )
    predictor: Predictor = stage.host.call("format", "packed", files)
    return predictor


def columns_of(frame: pd.DataFrame) -> dict[str, Any]:
    return {str(name): frame[name].to_numpy() for name in frame}


def decided(make: Make, settings: dict[str, Any]) -> tuple[float, np.ndarray, np.ndarray, Output]:
    """The threshold, with the scores and outcomes of the tune rows that it was chosen on."""
    project = make(settings)
    project.run("load", "optimize", "compress")
    finished = project.workspace.read_finished()
    tune = project.workspace.table("tune", finished.schema)
    output = opened(project).predict(tune.features)
    assert finished.threshold is not None
    assert output.score is not None
    return finished.threshold, output.score, np.asarray(tune.target == "yes"), output


def f1(chosen: np.ndarray, truth: np.ndarray) -> float:
    return float(2 * (chosen & truth).sum() / (chosen.sum() + truth.sum()))


@option("decision.rule")
@option("decision.threshold")
def test_a_fixed_threshold_is_taken_as_it_is(make: Make) -> None:
    for threshold in (0.1, 0.9):
        settings = {"decision.rule": "fixed", "decision.threshold": threshold}
        chosen, score, _, output = decided(make, settings)
        assert chosen == threshold
        assert np.array_equal(output.label == "yes", score >= threshold)
        assert 0 < (output.label == "yes").mean() < 1


@option("decision.rule")
def test_the_rule_f1_takes_the_best_f1_on_tune(make: Make) -> None:
    threshold, score, truth, _ = decided(make, {"decision.rule": "f1"})
    best = max(f1(score >= cut, truth) for cut in score)
    assert f1(score >= threshold, truth) == pytest.approx(best)
    # half-way between two scores: the packed score may be an ulp from the fitted model's
    assert np.abs(score - threshold).min() > 1e-12


@option("decision.value_matrix.true_positive")
@option("decision.value_matrix.false_positive")
@option("decision.value_matrix.false_negative")
@option("decision.value_matrix.true_negative")
@pytest.mark.parametrize(
    ("outcome", "value", "other", "act"),
    [
        ("true_positive", 9.0, "false_positive", True),
        ("false_positive", -9.0, "true_positive", False),
        ("false_negative", -9.0, "false_positive", True),
        ("true_negative", 9.0, "true_positive", False),
    ],
)
def test_what_an_outcome_is_worth_moves_the_threshold(
    make: Make, outcome: str, value: float, other: str, act: bool
) -> None:
    small = -1.0 if other.startswith("false") else 1.0
    names = ("true_positive", "false_positive", "false_negative", "true_negative")
    worth = dict.fromkeys((f"decision.value_matrix.{name}" for name in names), 0.0)
    worth |= {f"decision.value_matrix.{outcome}": value, f"decision.value_matrix.{other}": small}
    threshold, score, truth, output = decided(make, {"decision.rule": "value", **worth})
    even = {**worth, f"decision.value_matrix.{outcome}": abs(small) * value / abs(value)}
    balanced, *_ = decided(make, {"decision.rule": "value", **even})
    assert (threshold < balanced) if act else (threshold > balanced)

    def money(acts: np.ndarray) -> float:
        hit = {
            "true_positive": acts & truth,
            "false_positive": acts & ~truth,
            "false_negative": ~acts & truth,
            "true_negative": ~acts & ~truth,
        }
        return sum(
            worth[f"decision.value_matrix.{name}"] * int(rows.sum()) for name, rows in hit.items()
        )

    best = max(money(score >= cut) for cut in [*score, 2.0])
    assert money(output.label == "yes") == pytest.approx(best)


def without_target(make: Make, task: str, model: str, **settings: Any) -> Project:
    chosen = {
        "project.task": task,
        "evaluator": {task: {"plugin": task}},
        "data.leave_out": [*OTHERS, "bought"],
        **settings,
    }
    project = make(chosen, target=None, model=model)
    project.run("load", "optimize", "compress", "evaluate", "package", "monitor")
    return project


@option("search.metric")
def test_a_quantile_is_tuned_compressed_and_reported_as_such(make: Make) -> None:
    settings: dict[str, Any] = {
        "model.boosting.quantile": 0.8,
        "model.boosting.trees": 20,
        "search.metric": "quantile_loss",
        "evaluator": {"regression": {"plugin": "regression"}},
        "compressor": {"prune": {"plugin": "prune"}},
    }
    project = make(settings, target="size", model="boosting")
    project.run("load", "optimize", "compress", "evaluate", "package", "monitor")
    bundle = lockgate.open(project.workspace.bundle)
    assert bundle.manifest.quantile == 0.8
    steps = json.loads((project.root / "models" / "steps.json").read_bytes())
    assert steps["metric"] == "quantile_loss"
    test = project.workspace.table("test", project.workspace.read_finished().schema)
    report = json.loads((project.root / "report" / "report.json").read_bytes())
    measured = report["evaluators"]["regression"]["metrics"]
    expected = mean_pinball_loss(test.target, bundle.predict(test.features).label, alpha=0.8)
    assert measured["quantile_loss"]["estimate"] == pytest.approx(expected)
    assert "r2" not in measured
    assert report["evaluators"]["regression"]["baselines"] == {}
    assert {"quantile_loss", "quantile_skill"} <= set(steps["rows"]["tune"]["values"])
    with pytest.raises(lockgate.SettingError, match="for the 0.8 quantile: quantile_loss"):
        fitted(make({**settings, "search.metric": "rmse"}, target="size", model="boosting"))


@option("search.fusion")
def test_several_models_become_one(make: Make) -> None:
    members = {name: {"plugin": name} for name in ("logistic", "naive-bayes")}
    scores = {}
    for fusion in ("average", "vote", "stack"):
        project = make({"search.fusion": fusion, "model": members})
        project.run("load", "optimize", "compress", "evaluate", "package")
        assert set(project.trials()["model"]) == set(members)
        bundle = lockgate.open(project.workspace.bundle)
        code = bundle.manifest.hashes.code
        assert {key for key in code if key.startswith("model.")} == {f"model.{n}" for n in members}
        scores[fusion] = bundle.predict(project.part("test")).score
    assert set(np.unique(scores["vote"])) <= {0.0, 0.5, 1.0}
    assert not np.allclose(scores["average"], scores["stack"])
    with pytest.raises(lockgate.SettingError, match="model.*one plugin or more"):
        fitted(make({"model": {}}))
    with pytest.raises(lockgate.UsageError, match="do not keep groups together"):
        fitted(make({"search.fusion": "stack", "model": members}, group="household"))


@option("search.calibration")
def test_scores_are_calibrated_after_the_search(make: Make) -> None:
    plain = fitted(make(model="naive-bayes"))
    project = fitted(make({"search.calibration": "sigmoid"}, model="naive-bayes"))
    project.run("compress", "evaluate", "package")
    assert project.trials().equals(plain.trials())
    test = project.workspace.table("test", project.workspace.schema()).features
    assert not np.allclose(
        project.estimator().predict_proba(test), plain.estimator().predict_proba(test)
    )
    with pytest.raises(lockgate.UsageError, match="regression has no probabilities to correct"):
        fitted(make(OF_NUMBERS | {"search.calibration": "sigmoid"}, target="price", model="linear"))


@option("decision.coverage")
@pytest.mark.parametrize("target", ["price", "bought"])
def test_regions_are_measured_on_the_tune_rows(make: Make, target: str) -> None:
    leave_out = [*OTHERS, "bought"] if target == "price" else OTHERS
    model, evaluator = ("linear", "regression") if target == "price" else ("svm", "classification")
    settings = {"data.leave_out": leave_out, "evaluator": {evaluator: {"plugin": evaluator}}}
    project = make(settings | {"decision.coverage": 0.8}, target=target, model=model)
    project.run("load", "optimize", "compress", "evaluate", "package")
    finished = project.workspace.read_finished()
    bundle = lockgate.open(project.workspace.bundle)
    assert bundle.manifest.region == finished.region
    tune = project.workspace.table("tune", finished.schema)
    output = bundle.predict(tune.features)
    if target == "price":
        hit = (tune.target >= output.low) & (tune.target <= output.high)
    else:
        hit = output.sets[np.arange(len(tune)), (tune.target == "yes").astype(int)]
    assert np.mean(hit) == pytest.approx(0.8, abs=2 / len(tune))
    report = json.loads((project.root / "report" / "report.json").read_bytes())
    measured = report["evaluators"][evaluator]["metrics"]["coverage"]
    assert measured["low"] < measured["estimate"] < measured["high"]
    assert "80 % of rows" in (project.workspace.bundle / "card.md").read_text()
    with pytest.raises(lockgate.UsageError, match="too few for that coverage"):
        make(settings | {"decision.coverage": 0.999}, target=target, model=model).run(
            "load", "optimize", "compress"
        )


@option("decision.anomalies")
@option("project.task")
def test_that_share_of_rows_like_those_of_training_are_anomalies(make: Make) -> None:
    share = 0.1
    settings = {
        "evaluator.anomaly.known": "bought",
        "decision.anomalies": share,
        "model.isolation-forest.trees": 60,
    }
    project = without_target(make, "anomaly", "isolation-forest", **settings)
    finished = project.workspace.read_finished()
    assert finished.classes == ("normal", "anomaly")
    assert finished.threshold == pytest.approx(1 - share)
    others = pd.concat([rows(seed) for seed in range(8, 20)], ignore_index=True)
    output = opened(project).predict(columns_of(others[[*finished.schema.names]]))
    assert np.mean(output.label == "anomaly") == pytest.approx(share, abs=share / 2)
    assert np.array_equal(output.label == "anomaly", output.score >= 1 - share)
    report = json.loads((project.root / "report" / "report.json").read_bytes())
    evaluated = report["evaluators"]["anomaly"]
    assert {"flagged", "score_shift", "roc_auc", "recall"} <= set(evaluated["metrics"])
    assert "known anomalies (bought is yes)" in evaluated["messages"][1]
    known = lockgate.evaluate(
        project.workspace.bundle,
        project.root / "data" / "raw" / "rows.csv",
        evaluators={"anomaly": {"known": "bought"}},
    ).metrics["anomaly"]
    assert 0 < known["roc_auc"]["estimate"] < 1
    shown = evaluated["tables"]["most anomalous test rows"]
    assert [row["score"] for row in shown] == sorted((r["score"] for r in shown), reverse=True)


@option("project.task")
def test_clusters_are_found_without_a_target(make: Make) -> None:
    project = without_target(make, "clustering", "k-means", optimizer={"grid": {"plugin": "grid"}})
    finished = project.workspace.read_finished()
    trials = project.trials()
    best = int(trials.loc[trials["loss"].idxmin(), "n_clusters"])
    assert finished.classes == tuple(range(best))
    bundle = lockgate.open(project.workspace.bundle)
    test = project.workspace.table("test", finished.schema)
    output = bundle.predict(test.features)
    assert output.margin.shape == (len(test), best)
    assert np.array_equal(output.margin.argmin(axis=1), output.label)
    report = json.loads((project.root / "report" / "report.json").read_bytes())
    clusters = report["evaluators"]["clustering"]["tables"]["clusters"]
    assert [row["cluster"] for row in clusters] == [*range(best)]
    shares = [np.mean(output.label == k) for k in range(best)]
    np.testing.assert_allclose([row["share"] for row in clusters], shares)
    (scores,) = bundle.reference().scores
    assert (scores.kind, len(scores.counts)) == ("nominal", best + 2)
    evaluated = lockgate.evaluate(bundle, project.root / "data" / "raw" / "rows.csv")
    assert evaluated.rows == ROWS + DOUBLED


@option("project.task")
def test_a_task_without_a_target_takes_none_and_needs_its_models(make: Make) -> None:
    with pytest.raises(lockgate.SchemaViolation, match=r"takes no target.*is bought"):
        loaded(make({"project.task": "clustering"}, model="k-means"))
    with pytest.raises(lockgate.SchemaViolation, match=r"no target: .*project.task=clustering"):
        loaded(make({"project.task": "auto"}, target=None))
    wrong = {"project.task": "clustering"}
    for model in ("logistic", "isolation-forest"):
        with pytest.raises(lockgate.SettingError, match=f"project.task=clustering; {model} is for"):
            loaded(make(wrong, target=None, model=model))
    with pytest.raises(lockgate.SettingError, match=r"k-means is for clustering: choose model="):
        fitted(make({"project.task": "auto"}, model="k-means"))
    settings: dict[str, Any] = {
        "evaluator.anomaly.known": "frauds",
        "model.isolation-forest.trees": 5,
    }
    with pytest.raises(lockgate.UsageError, match=r"unknown column 'frauds' \(known\)"):
        without_target(make, "anomaly", "isolation-forest", **settings)
    settings = {"evaluator": {"anomaly": {"plugin": "anomaly"}}}
    with pytest.raises(
        lockgate.SettingError, match=r"anomaly is for anomaly: choose evaluator=\[clustering\]"
    ):
        without_target(make, "clustering", "k-means", **settings)


@option("project.task")
@option("decision.coverage")
@option("search.calibration")
def test_what_a_task_cannot_have_is_refused_before_any_work(make: Make) -> None:
    refused: list[tuple[str, str, dict[str, Any], str]] = [
        ("clustering", "k-means", {"decision.coverage": 0.9}, "null, as the task clustering"),
        ("anomaly", "one-class-svm", {"search.calibration": "sigmoid"}, "no probabilities"),
        ("regression", "linear", {"search.calibration": "sigmoid"}, "no probabilities"),
        (
            "clustering",
            "k-means",
            {"model": {name: {"plugin": name} for name in ("k-means", "gaussian-mixture")}},
            "a single model for the task clustering",
        ),
        ("regression", "linear", {"evaluator": {"cost": {"plugin": "cost"}}}, ""),
    ]
    for task, model, settings, message in refused:
        project = make({"project.task": task, **settings}, target=None, model=model)
        if message:
            with pytest.raises(lockgate.SettingError, match=message):
                project.stage("load")
        else:
            project.stage("load")  # what names no task is for all


@option("search.fusion")
def test_models_that_cannot_be_fused_are_refused_before_they_are_searched(make: Make) -> None:
    members = {"boosting": {"plugin": "boosting", "quantile": 0.9}, "linear": {"plugin": "linear"}}
    settings = {"search.fusion": "average", "model": members, "project.task": "regression"}
    project = loaded(make(settings, target="size", probes={"optimizer": FirstTrial()}))
    KEPT.clear()
    with pytest.raises(lockgate.UsageError, match="set the same quantile for each"):
        project.run("optimize")
    assert not KEPT


# --- resources


@option("resources.threads")
@option("resources.memory_mb")
def test_plugins_are_told_what_they_may_use(make: Make) -> None:
    limits = {"resources.threads": 3, "resources.memory_mb": 256}
    fitted(make(limits, probes={"optimizer": FirstTrial()}))
    assert KEPT["request"].resources == lockgate.Resources(3, 256)
    idle = make({"resources.threads": 0, "resources.memory_mb": None}).stage("load").resources
    assert idle.threads >= 1
    assert idle.memory_mb is None
    with pytest.raises(lockgate.SettingError, match="at least 64"):
        make({"resources.memory_mb": 1}).stage("load")


# --- window


@option("window.since")
@option("window.until")
@pytest.mark.parametrize(
    ("since", "until", "count"),
    [
        ("2026-02-01", "2026-03-01", 28),
        ("2026-08-01", None, 28),
        (None, "2026-01-03", 2 + 2),
        (None, None, None),
    ],
)
def test_monitors_look_at_the_window(
    watched: Project, since: str | None, until: str | None, count: int | None
) -> None:
    raw = read_params(watched.root / "params.yaml")
    raw["window"] = {"since": since, "until": until}
    SET.update(("window.since", "window.until"))
    write_params(watched.root / "params.yaml", raw)
    watched.run("monitor")
    report = json.loads((watched.root / "report" / "findings.json").read_text())["window"]
    rows = len(watched.part("test")) if count is None else count
    assert report == {"since": since, "until": until, "rows": rows}
    assert (KEPT["window"].since, KEPT["window"].until, KEPT["window"].n) == (since, until, rows)
    assert len(KEPT["window"].rows) == rows
    assert set(KEPT["window"].rows) >= {*OTHERS, *FEATURES, "bought"}
    page = (watched.root / "report" / "monitor.html").read_text()
    assert (since or until or "the test rows") in page


def test_rows_of_the_window_may_violate_the_contract_of_the_training_rows(make: Make) -> None:
    project = make({"data.until": "2026-05-01", "window.since": "2026-05-01"}, time="day")
    known = rows().query("day < '2026-05-01'")
    contract = lockgate.infer_contract(known)
    largest = float(known["price"].max())
    price = msgspec.structs.replace(contract.columns["price"], max=largest)
    contract = contract.with_columns({**contract.columns, "price": price})
    later = rows().query("day >= '2026-05-01' and price > @largest")
    lockgate.write_contract(project.root / "conf" / "contract" / "csv.yaml", contract)
    assert len(later) > 0
    project.run("load", "optimize", "compress", "evaluate", "package", "monitor")
    assert lockgate.open(project.root / "bundle").contract == contract
    assert "data contract of 10 columns" in (project.root / "bundle" / "card.md").read_text()
    reported = json.loads((project.root / "report" / "findings.json").read_text())["violations"]
    assert [(v["column"], v["rule"], v["count"]) for v in reported] == [
        ("price", "max", len(later))
    ]
    page = (project.root / "report" / "monitor.html").read_text()
    assert f"Column price: {len(later)} of " in page


@pytest.fixture
def watched(make: Make) -> Project:
    project = make(time="day", probes={"monitor": Remember()})
    project.run("load", "optimize", "compress", "evaluate", "package")
    return project


@pytest.mark.parametrize(
    "key",
    [
        "data.since",
        "data.until",
        "split.test_from",
        "split.tune_from",
        "window.since",
        "window.until",
    ],
)
def test_dates_are_dates_before_any_work(make: Make, key: str) -> None:
    with pytest.raises(lockgate.SettingError, match=f"{key} is 'soon'.*ISO date"):
        make({key: "soon"}).stage("load")


def small_trees(model: str) -> dict[str, Any]:
    """Settings that keep boosting quick."""
    return {"model.boosting.trees": 5} if model == "boosting" else {}


# --- the command line


def test_bins_go_through_the_command_line(call: Run, tmp_path: Path, table_file: Path) -> None:
    root = tmp_path / "shop"
    data = ["--data", str(table_file), "--target", "bought"]
    call("lockgate", "init", str(root), *data, cwd=tmp_path)
    call(
        "lockgate",
        "run",
        "+cells.bins.size=[40,60]",
        "--no-run",
        cwd=root,
    )
    assert read_params(root / "params.yaml")["cells"]["bins"] == {"size": [40, 60]}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, "two", None], ["1", "two", None]),
        ([{"a": 1}, [2], {}], ["{'a': 1}", "[2]", "{}"]),
        ([{}, {}, {}], ["{}", "{}", "{}"]),
        ([1 + 2j, 3j, 0j], ["(1+2j)", "3j", "0j"]),
        ([2**70, 1, 2], [str(2**70), "1", "2"]),
        (pd.Categorical([1, "two", None]), ["1", "two", None]),
        (pd.arrays.SparseArray([0.0, 0.0, 1.5]), [0.0, 0.0, 1.5]),
        ([[1, 2], [3], []], [[1, 2], [3], []]),
        (pd.to_datetime(["2026-01-01"] * 3, utc=True), [pd.Timestamp("2026-01-01", tz="UTC")] * 3),
    ],
    ids=["mixed", "nested", "empty", "complex", "large", "categories", "sparse", "lists", "zones"],
)
def test_columns_that_are_left_out_may_hold_anything(
    tmp_path: Path, values: Any, expected: list[Any]
) -> None:
    (tmp_path / "data" / "prepared").mkdir(parents=True)
    test = pd.DataFrame({"size": [1.0, 2.0, 3.0]})
    left_out = pd.DataFrame({"good": [[1], [2], [3]]}).assign(column=values)
    write_left_out(left_out, tmp_path)
    back = read_with_left_out(test, tmp_path)
    cells = [cell.tolist() if isinstance(cell, np.ndarray) else cell for cell in back["column"]]
    shown = [None if not isinstance(cell, list) and pd.isna(cell) else cell for cell in cells]
    assert [str(cell) for cell in shown] == [str(cell) for cell in expected]
    assert [cell.tolist() for cell in back["good"]] == [[1], [2], [3]]


def test_left_out_columns_of_other_rows_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data" / "prepared").mkdir(parents=True)
    test = pd.DataFrame({"size": [1.0, 2.0, 3.0]})
    with pytest.raises(lockgate.DataError, match=r"test-left-out\.parquet cannot be read"):
        read_with_left_out(test, tmp_path)
    for columns in (["region"], []):
        write_left_out(pd.DataFrame({"region": ["n", "s"]})[columns], tmp_path)
        with pytest.raises(lockgate.DataError, match="has 2 rows, and the test rows are 3"):
            read_with_left_out(test, tmp_path)


def test_a_column_that_is_left_out_twice_is_left_out(make: Make) -> None:
    assert "price" not in loaded(make({"data.leave_out": [*OTHERS, "price", "price"]})).columns


@pytest.mark.parametrize("model", ["linear", "forest", "boosting"])
def test_several_targets_are_those_of_a_plain_script(make: Make, model: str) -> None:
    settings = OF_NUMBERS | {"compressor": {"lasso": {"plugin": "lasso"}}}
    project = make(settings, target=["price", "size"], model=model)
    project.run("load", "optimize", "compress", "evaluate", "package", "monitor")
    assert project.facts["task"] == "multioutput"
    assert not {"price", "size"} & set(project.columns)
    finished = project.workspace.read_finished()
    bundle = lockgate.open(project.workspace.bundle)
    test = project.workspace.table("test", finished.schema)
    predicted = bundle.predict(test.features).label
    assert predicted.shape == (len(test), 2)
    report = json.loads((project.root / "report" / "report.json").read_bytes())["evaluators"]
    metrics = report["regression"]["metrics"]
    each = r2_score(test.target, predicted, multioutput="raw_values")
    assert metrics["mean_r2"]["estimate"] == pytest.approx(each.mean(), abs=1e-12)
    assert metrics["r2_price"]["estimate"] == pytest.approx(each[0], abs=1e-12)
    assert metrics["r2_size"]["estimate"] == pytest.approx(each[1], abs=1e-12)
    assert metrics["rmse_size"]["low"] < metrics["rmse_size"]["estimate"]
    watched = json.loads((project.root / "report" / "monitor.json").read_bytes())["performance"]
    assert watched["rmse_price"] == pytest.approx(metrics["rmse_price"]["estimate"])
    findings = json.loads((project.root / "report" / "findings.json").read_bytes())["findings"]
    columns = [finding["column"] for finding in findings["drift"]]
    assert {"(score) price", "(score) size"} <= {*columns}


@option("project.task")
def test_the_values_of_several_targets_are_those_of_a_model_for_each(make: Make) -> None:
    settings = OF_NUMBERS | {"project.task": "multioutput"}
    several = make(settings, target=["price", "size"], model="linear")
    several.run("load", "optimize")
    both = several.workspace.table("test", several.workspace.schema())
    estimator = several.estimator()
    best = several.trials()
    alpha = float(best.loc[best["loss"].idxmin(), "estimator__alpha"])
    cells = several.cells()
    train = several.workspace.table("train", several.workspace.schema())
    for number, name in enumerate(("price", "size")):
        script = Ridge(alpha).fit(cells, train.frame[name])
        expected = script.predict(several.cells("test"))
        values = estimator.predict(both.features)[:, number]
        np.testing.assert_allclose(values, expected, rtol=1e-9)


@option("project.task")
def test_what_several_targets_cannot_have_is_refused_early(make: Make) -> None:
    chosen = {"target": ["price", "size"], "model": "linear"}
    for settings, match in (
        ({"project.task": "regression"}, "predicts a single target.*price, size"),
        ({"project.task": "clustering", "evaluator": {}}, "linear is for regression"),
        ({"cells.encodings": {"colour": "target"}}, "the mean of a single target"),
    ):
        with pytest.raises(lockgate.LockgateError, match=match):
            loaded(make(OF_NUMBERS | settings, **chosen))
    with pytest.raises(lockgate.UsageError, match="quantiles of several targets"):
        fitted(make(OF_NUMBERS | {"model.linear.quantile": 0.9}, **chosen))
    with pytest.raises(lockgate.SettingError, match="no prediction intervals"):
        fitted(make(OF_NUMBERS | {"decision.coverage": 0.9}, **chosen))
    with pytest.raises(lockgate.SettingError, match="no prediction intervals"):
        loaded(
            make(OF_NUMBERS | {"project.task": "multioutput", "decision.coverage": 0.9}, **chosen)
        )
    for target, match in (
        (["price", "colour"], "target colour is of kind category; several targets must be"),
        (["price", "always"], "target always is of kind category"),
        (["price", "prize"], "unknown target column 'prize', did you mean 'price'"),
        (["price", "price"], "expected different columns"),
        ([], "expected different columns"),
    ):
        with pytest.raises(lockgate.SchemaViolation, match=match):
            loaded(make(OF_NUMBERS, target=target, model="linear"))
    with pytest.raises(lockgate.SchemaViolation, match="predicts several targets, and the loader"):
        loaded(make(OF_NUMBERS | {"project.task": "multioutput"}, target="size", model="linear"))
    single = make(OF_NUMBERS, target=["size"], model="linear")
    assert loaded(single).facts["task"] == "regression"


def test_a_row_without_one_of_its_targets_is_left_out(make: Make, tmp_path: Path) -> None:
    project = make(OF_NUMBERS, target=["price", "size"], model="linear")
    path = project.root / "data" / "raw" / "rows.csv"
    table = pd.read_csv(path)
    table.loc[3, "price"] = np.nan
    table.loc[[3, 5], "size"] = np.nan
    table.to_csv(path, index=False)
    missing = int(table[["price", "size"]].isna().any(axis=1).sum())
    assert missing > table["price"].isna().sum()
    assert loaded(project).facts["rows_left_out"]["no target"] == missing
