"""Merges by Git: what both sides chose holds, and what one side edited is not lost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lockgate.plugins.config.choices import CHOICES, Choices, read_choices
from lockgate.plugins.host.params_file import read_params
from tests.conftest import Run
from tests.in_process import run_here


def merge(call: Run, project: Path, ours: list[str], theirs: list[str]) -> None:
    """Choose differently on two branches, and merge them."""
    for branch, overrides in (("theirs", theirs), ("ours", ours)):
        call("git", "checkout", "-q", "-b", branch, "base", cwd=project)
        run_here("run", "--no-run", *overrides, cwd=project)
        call("git", "commit", "-qam", branch, cwd=project)
    call("git", "merge", "-q", "theirs", cwd=project, code=None)


@pytest.fixture
def based(call: Run, fresh: Path) -> Path:
    """A project with a choice, committed."""
    run_here("run", "--no-run", "search.folds=4", cwd=fresh)
    call("git", "add", "-A", cwd=fresh)
    call("git", "commit", "-qm", "base", cwd=fresh)
    call("git", "tag", "base", cwd=fresh)
    return fresh


@pytest.mark.parametrize(
    ("ours", "theirs", "values"),
    [
        (["search.metric=brier"], ["~search.folds"], {"search.metric": "brier"}),
        (
            ["search.metric=brier"],
            ["search.folds=3"],
            {"search.folds": 3, "search.metric": "brier"},
        ),
        (["--reset", "split.test=0.3"], ["split.tune=0.3"], {"split.test": 0.3, "split.tune": 0.3}),
    ],
)
def test_a_merge_keeps_what_each_side_changed(
    call: Run, based: Path, ours: list[str], theirs: list[str], values: dict[str, Any]
) -> None:
    merge(call, based, ours, theirs)
    run_here("run", "--no-run", cwd=based)
    assert read_choices(based) == Choices(values=values)


def test_a_merge_of_contradicting_choices_changes_nothing(call: Run, based: Path) -> None:
    merge(call, based, ["search.folds=3"], ["search.folds=2"])
    files = [based / CHOICES, based / "params.yaml"]
    before = [file.read_bytes() for file in files]
    done = run_here("run", "--no-run", cwd=based, code=2)
    assert "chose search.folds=3, the other search.folds=2" in done.stderr
    assert [file.read_bytes() for file in files] == before
    (based / CHOICES).write_text("# @package _global_\nsearch:\n  folds: 2\n")
    run_here("run", "--no-run", "search.nosuch=1", cwd=based, code=2)
    assert "<<<<<<<" in (based / "params.yaml").read_text()
    run_here("run", "--no-run", cwd=based)
    assert read_params(based / "params.yaml")["search"]["folds"] == 2


def test_an_override_decides_between_contradicting_choices(call: Run, based: Path) -> None:
    merge(call, based, ["search.folds=3", "split.test=0.3"], ["search.folds=5"])
    run_here("run", "--no-run", "search.folds=6", cwd=based)
    assert read_choices(based).values == {"search.folds": 6, "split.test": 0.3}


def test_an_instance_is_decided_or_forgotten(call: Run, based: Path) -> None:
    merge(
        call,
        based,
        ["+evaluator@evaluator.second=cost"],
        ["+evaluator@evaluator.second=classification"],
    )
    conflict = (based / CHOICES).read_bytes()
    run_here("run", "--no-run", "+evaluator@evaluator.second=cost", cwd=based)
    assert read_choices(based).instances == {"evaluator.second": "cost"}
    (based / CHOICES).write_bytes(conflict)
    run_here("run", "--no-run", "--reset", cwd=based)
    assert read_choices(based) == Choices()


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("LOCKGATE_SOAK"),
    reason="half a minute: make soak; the other tests merge what models are made of",
)
def test_after_a_merge_the_model_is_that_of_the_parameters(call: Run, project: Path) -> None:
    """A merged dvc.lock ties results of one side to parameters of the other."""
    call("git", "tag", "base", cwd=project)
    for branch, override in (("b", "model.logistic.balanced=true"), ("a", "split.test=0.3")):
        call("git", "checkout", "-q", "-b", branch, "base", cwd=project)
        call("dvc", "checkout", "-q", cwd=project)
        call("lockgate", "run", override, cwd=project)
        call("git", "add", "-A", cwd=project)
        call("git", "commit", "-qm", branch, cwd=project)
    call("git", "merge", "-q", "b", cwd=project, code=None)
    call("lockgate", "run", cwd=project)
    merged = (project / "bundle" / "manifest.json").read_bytes()
    call("lockgate", "run", "--force", cwd=project)
    assert (project / "bundle" / "manifest.json").read_bytes() == merged


def test_an_edit_of_one_side_is_not_lost(call: Run, based: Path) -> None:
    call("git", "checkout", "-q", "-b", "theirs", cwd=based)
    file = based / "params.yaml"
    file.write_text(file.read_text().replace("folds: 4", "folds: 3"))
    call("git", "commit", "-qam", "an edit", cwd=based)
    call("git", "checkout", "-q", "-b", "ours", "base", cwd=based)
    run_here("run", "--no-run", "search.folds=5", cwd=based)
    call("git", "commit", "-qam", "a choice", cwd=based)
    call("git", "merge", "-q", "theirs", cwd=based, code=None)
    conflict = file.read_bytes()
    refused = run_here("run", "--no-run", cwd=based, code=2)
    assert "params.yaml of the other side of the merge was edited" in refused.stderr
    assert "search.folds=3" in refused.stderr
    assert file.read_bytes() == conflict
    run_here("run", "--no-run", "search.folds=3", cwd=based)  # nothing is lost
    assert read_choices(based).values == {"search.folds": 3}


def test_a_removed_choice_without_a_base_is_asked_for(call: Run, based: Path) -> None:
    merge(call, based, ["search.metric=brier"], ["~search.folds"])
    call("git", "add", "-A", cwd=based)  # Git forgets the versions
    refused = run_here("run", "--no-run", cwd=based, code=2)
    assert "one side of the merge chose search.folds=4, the other search.folds=(unset)" in (
        refused.stderr
    )
    run_here("run", "--no-run", "~search.folds", "search.metric=brier", cwd=based)
    assert read_choices(based).values == {"search.metric": "brier"}


def test_a_lock_file_with_conflicts_is_that_of_this_side(call: Run, fresh: Path) -> None:
    file = fresh / "dvc.lock"
    call("git", "add", "-A", cwd=fresh)
    for branch, digest in (("base", "a"), ("theirs", "b"), ("ours", "c")):
        call("git", "checkout", "-q", "-b", branch, *(["base"] if digest > "a" else []), cwd=fresh)
        file.write_text(f"schema: '2.0'\nstages:\n  load:\n    cmd: make\n    md5: {digest}\n")
        call("git", "add", "-A", cwd=fresh)
        call("git", "commit", "-qm", branch, cwd=fresh)
    ours = file.read_bytes()
    call("git", "merge", "-q", "theirs", cwd=fresh, code=1)
    assert file.read_bytes() == ours  # as .gitattributes says
    (fresh / ".gitattributes").unlink()
    versions = [call("git", "show", f":{n}:dvc.lock", cwd=fresh).stdout for n in (2, 3)]
    file.write_text(f"<<<<<<< ours\n{versions[0]}=======\n{versions[1]}>>>>>>> theirs\n")
    done = run_here("run", "--no-run", cwd=fresh)
    assert "dvc.lock had conflicts of a merge: that of this side is taken" in done.stdout
    assert file.read_bytes() == ours


@pytest.mark.parametrize(
    ("overrides", "kept"),
    [
        (["search.folds=6", "model=boosting"], {"model.boosting.trees": 77}),
        (["search.folds=6", "compressor=[lasso,prune]"], {"compressor.lasso.strengths": 9}),
        (["search.folds=6", "+evaluator=regression"], {"split.test": 0.3}),
    ],
)
def test_deciding_a_plugin_keeps_what_both_sides_had(
    call: Run, fresh: Path, overrides: list[str], kept: dict[str, Any]
) -> None:
    for setting in (
        "model=boosting", "model.boosting.trees=77", "compressor.lasso.strengths=9",
        "evaluator=[cost]", "split.test=0.3",
    ):  # fmt: skip
        run_here("run", "--no-run", setting, cwd=fresh)
    call("git", "add", "-A", cwd=fresh)
    call("git", "commit", "-qm", "base", cwd=fresh)
    call("git", "tag", "base", cwd=fresh)
    merge(call, fresh, ["search.folds=2"], ["search.folds=3"])
    run_here("run", "--no-run", *overrides, cwd=fresh)
    choices = read_choices(fresh)
    assert kept.items() <= choices.values.items()
    assert choices.values["search.folds"] == 6
    if "+evaluator=regression" in overrides:
        assert choices.groups["evaluator"] == ["cost", "regression"]


def test_a_mapping_and_a_key_below_it_contradict_each_other(call: Run, based: Path) -> None:
    merge(call, based, ["data.kinds={}"], ["+data.kinds.mean_radius=category"])
    refused = run_here("run", "--no-run", cwd=based, code=2)
    assert "chose data.kinds={}, the other data.kinds.mean_radius='category'" in refused.stderr


def test_conflicts_with_other_line_ends_are_resolved(call: Run, based: Path) -> None:
    call("git", "config", "core.autocrlf", "true", cwd=based)
    merge(call, based, ["search.metric=brier"], ["split.test=0.3"])
    for name in (CHOICES, "params.yaml"):
        file = based / name
        if b"<<<<<<<" in file.read_bytes() and b"\r\n" not in file.read_bytes():
            file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    run_here("run", "--no-run", cwd=based)
    assert read_choices(based).values == {
        "search.folds": 4, "search.metric": "brier", "split.test": 0.3
    }  # fmt: skip
