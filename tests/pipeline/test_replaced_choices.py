"""What overrides replace, and what they leave, is the same for every way to run."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UsageError
from lockgate.pipeline.parameters import compose, write_composition
from lockgate.plugins.config.choices import Choices, read_choices
from lockgate.plugins.config.compose import compose_document
from lockgate.plugins.config.forget import exact_overrides
from lockgate.plugins.config.overrides import convert_to_plain, format_value, parse_grammar
from lockgate.plugins.config.replaced import find_kept
from tests.conftest import Run

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8) | st.text(
    "'\\\"ab,${}", max_size=6
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


def choose(project: Path, *overrides: str) -> dict[str, Any]:
    composition = compose(project, overrides)
    write_composition(project, composition)
    return composition.after


@given(VALUES)
def test_a_value_is_written_as_the_override_that_sets_it(value: object) -> None:
    (override,) = parse_grammar([f"data.leave_out={format_value(value)}"])
    assert convert_to_plain(override.value()) == value


@pytest.fixture
def experiments(fresh: Path) -> Path:
    """A project with experiments that set the folds, in every form, and one recorded value."""
    folder = fresh / "conf" / "experiment"
    for name, text in {
        "deep": "# @package _global_\nsearch:\n  folds: 4\n",
        "default": "# @package _global_\nsearch:\n  folds: 5\n",
        "including": "# @package _global_\ndefaults: [deep]\n",
        "packaged": "# @package search\nfolds: 4\n",
    }.items():
        (folder / f"{name}.yaml").write_text(text)
    choose(fresh, "search.folds=3", "split.test=0.3")
    return fresh


@pytest.mark.parametrize("name", ["deep", "default", "including", "packaged", "[deep]"])
def test_an_experiment_replaces_what_it_sets(experiments: Path, name: str) -> None:
    folds = 5 if name == "default" else 4
    exact = exact_overrides(experiments, [f"experiment={name}"])
    assert compose_document(experiments, exact)["search"]["folds"] == folds
    assert choose(experiments, f"experiment={name}")["search"]["folds"] == folds
    assert read_choices(experiments).values == {"split.test": 0.3}


def test_settings_of_plugins_that_an_experiment_does_not_choose_are_forgotten(
    experiments: Path,
) -> None:
    file = experiments / "conf" / "experiment" / "trees.yaml"
    file.write_text("# @package _global_\ndefaults:\n  - override /model: boosting\n")
    choose(experiments, "experiment=trees")
    choose(experiments, "model.boosting.trees=99")
    assert list(choose(experiments, "experiment=deep")["model"]) == ["logistic"]
    choose(experiments, "experiment=trees")
    choose(experiments, "model.boosting.trees=99")
    assert list(choose(experiments, "~experiment")["model"]) == ["logistic"]


@pytest.mark.parametrize(
    ("recorded", "overrides"),
    [
        (["model=boosting", "model.boosting.trees=20"], ["model=logistic"]),
        (["data.kinds={mean_radius: category}"], ["data.kinds={mean_area: category}"]),
        (["compressor=[lasso,prune]", "compressor.prune.steps=9"], ["compressor=[lasso]"]),
        (["+evaluator@evaluator.second=cost"], ["evaluator=[classification]"]),
        (["search.folds=3"], ["split.test=0.25"]),
    ],
)
def test_queued_experiments_are_what_a_run_is(
    fresh: Path, recorded: list[str], overrides: list[str]
) -> None:
    choose(fresh, *recorded)
    exact = exact_overrides(fresh, overrides)
    assert compose_document(fresh, exact) == choose(fresh, *overrides)


RECORDED = [
    ["experiment=trees", "model.boosting.trees=40", "compressor=[]", "search.folds=3"],
    ["model=boosting", "model.boosting.trees=40", "evaluator=[cost]"],
    ["experiment=trees", "model=linear"],
    ["model=boosting"],
]
EXPERIMENTS = ["deep", "trees", "linear"]


@pytest.mark.parametrize(
    ("recorded", "name"),
    list(itertools.product(RECORDED, EXPERIMENTS))
    if os.environ.get("LOCKGATE_SOAK")
    else list(zip(RECORDED, EXPERIMENTS, strict=False)),
)
def test_a_queued_experiment_replaces_recorded_choices(
    experiments: Path, recorded: list[str], name: str
) -> None:
    for experiment, model in (("trees", "boosting"), ("linear", "logistic")):
        (experiments / "conf" / "experiment" / f"{experiment}.yaml").write_text(
            f"# @package _global_\ndefaults:\n  - override /model: {model}\nsearch:\n  folds: 2\n"
        )
    for override in recorded:
        choose(experiments, override)
    exact = exact_overrides(experiments, [f"experiment={name}"])
    assert not find_kept(experiments, read_choices(experiments), exact)
    composed = compose_document(experiments, exact)
    assert composed == choose(experiments, f"experiment={name}")


def test_an_experiment_of_dvc_that_would_keep_a_replaced_choice_is_refused(
    call: Run, experiments: Path
) -> None:
    call("git", "add", "-A", cwd=experiments)
    call("git", "commit", "-qm", "base", cwd=experiments)
    arguments = ("exp", "run", "--queue", "-S", "experiment=deep")
    done = call("dvc", *arguments, cwd=experiments, code=None)
    assert done.returncode
    assert "replaces recorded choices (search.folds)" in done.stderr
    for further in (["-fS"], ["--set"], ["-S", "search.metric=brier", "--set-param"]):
        name = "experiment=deep" if len(further) < 3 else "experiment=deep,packaged"
        done = call("dvc", "exp", "run", "--queue", *further, name, cwd=experiments, code=None)
        assert "replaces recorded choices (search.folds)" in done.stderr, further
    call("dvc", *arguments, "-S", "search.folds=4", cwd=experiments)
    config = experiments / "conf" / "config.yaml"
    config.write_text(config.read_text().replace("  - optional chosen: now", "  # "))
    done = call("dvc", "exp", "run", "--queue", "-S", "split.tune=0.3", cwd=experiments, code=None)
    assert "does not include recorded choices last" in done.stderr


@pytest.mark.parametrize(
    ("recorded", "overrides"),
    [
        (["data.leave_out=['mean_radius','mean area, x']"], ["data.leave_out=[]"]),
        (["project.name='null'", "split.test=0.3"], ["project.name=shop", "split.test=0.2"]),
        (["model=boosting", "model.boosting.trees=77"], ["model=logistic"]),
        (["+evaluator@evaluator.second=cost"], ["~evaluator.second"]),
        (["compressor=[lasso,prune]"], ["compressor=[]", "search.folds=4"]),
    ],
)
def test_the_overrides_back_restore_what_was_recorded(
    fresh: Path, recorded: list[str], overrides: list[str]
) -> None:
    choose(fresh, *recorded)
    before = read_choices(fresh)
    composition = compose(fresh, overrides)
    write_composition(fresh, composition)
    choose(fresh, *composition.overrides_back())
    assert read_choices(fresh) == before


def test_a_choice_with_another_value_is_not_forgotten(fresh: Path) -> None:
    choose(fresh, "model=boosting", "search.folds=4", "evaluator=[classification]")
    for override in ("~model=logistic", "~search.folds=9"):
        with pytest.raises(UsageError, match="the recorded choice is"):
            compose(fresh, [override])
    choose(fresh, "~model=boosting", "~search.folds=4")
    assert read_choices(fresh) == Choices({"evaluator": ["classification"]})


def test_removing_a_plugin_removes_its_settings_at_once(fresh: Path) -> None:
    choose(fresh, "compressor=[lasso,prune]", "compressor.prune.steps=9")
    assert list(choose(fresh, "~compressor.prune")["compressor"]) == ["lasso"]
    assert read_choices(fresh) == Choices({"compressor": ["lasso"]})
