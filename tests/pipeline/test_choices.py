"""Choices: recorded below conf/, the same for every way to run, and for colleagues."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lockgate.errors import UsageError
from lockgate.pipeline.explain import explain_parameters
from lockgate.pipeline.parameters import (
    check_derived,
    compose,
    write_composition,
)
from lockgate.pipeline.run_lock import lock_run
from lockgate.plugins.config.choices import CHOICES, Choices, read_choices
from lockgate.plugins.host.params_file import read_params, write_params
from tests.conftest import Run, environment
from tests.in_process import run_here

DELAYS = [k / 50 for k in range(20)]
"""Seconds between the starts of two runs."""


def choose(project: Path, *overrides: str, **options: bool) -> dict[str, Any]:
    """Compose and write, as `lockgate run --no-run` does."""
    composition = compose(project, overrides, **options)
    assert not composition.discarded
    write_composition(project, composition)
    return read_params(project / "params.yaml")


@pytest.mark.parametrize(
    ("overrides", "recorded"),
    [
        (["model=boosting"], Choices({"model": "boosting"})),
        (["model=boosting", "model.boosting.trees=77"], None),
        (["compressor=[]"], Choices({"compressor": []})),
        (["compressor=[prune,lasso]"], Choices({"compressor": ["prune", "lasso"]})),
        (["+evaluator=regression"], None),
        (["+evaluator@evaluator.second=classification"], None),
        (["~evaluator.classification"], None),
        (["cells.bins={mean_radius: [10, 20]}"], None),
        (["+rows.ranges.mean_radius=[0, 100]"], None),
        (["split.test=0.2"], Choices(values={"split.test": 0.2})),  # also where it is the default
        (["project.name='a-b'", "search.folds=4", "optimizer=random"], None),
    ],
)
def test_overrides_hold_from_then_on(
    fresh: Path, overrides: list[str], recorded: Choices | None
) -> None:
    chosen = choose(fresh, *overrides)
    if recorded is not None:
        assert read_choices(fresh) == recorded
    assert choose(fresh) == chosen


def test_an_override_changes_what_it_names_alone(fresh: Path) -> None:
    chosen = choose(fresh, "model=boosting", "model.boosting.trees=77")
    assert choose(fresh, "search.metric=brier") == chosen | {
        "search": {**chosen["search"], "metric": "brier"}
    }
    assert choose(fresh, "search.metric=auto")["search"] == chosen["search"]


def test_a_later_choice_replaces_an_earlier_one(fresh: Path) -> None:
    choose(fresh, "model=boosting", "model.boosting.trees=77")
    assert list(choose(fresh, "model=logistic")["model"]) == ["logistic"]
    assert read_choices(fresh) == Choices({"model": "logistic"})
    choose(fresh, "+rows.ranges.mean_radius=[0, 100]")
    assert choose(fresh, "~rows.ranges.mean_radius")["rows"]["ranges"] == {}
    choose(fresh, "search.folds=4", reset=True)
    assert read_choices(fresh) == Choices(values={"search.folds": 4})


def test_an_experiment_replaces_what_it_sets_itself(fresh: Path) -> None:
    (fresh / "conf" / "experiment" / "deep.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /model: boosting\nsearch:\n  folds: 4\n"
    )
    choose(fresh, "model=logistic", "search.folds=3", "split.test=0.3")
    chosen = choose(fresh, "experiment=deep")
    assert list(chosen["model"]) == ["boosting"]
    assert chosen["search"]["folds"] == 4
    assert chosen["split"]["test"] == 0.3
    assert list(choose(fresh, "model=logistic")["model"]) == ["logistic"]  # the later one wins


def test_origins_of_plugins_and_edits_are_shown(fresh: Path) -> None:
    choose(fresh, "model=boosting")
    file = fresh / "params.yaml"
    file.write_text(file.read_text().replace("folds: 5", "folds: 4"))
    origins = {p.key: (p.value, p.origin, p.differs) for p in explain_parameters(fresh)}
    assert origins["model"] == ("boosting", "conf/chosen/now.yaml", False)
    assert origins["optimizer"] == ("grid", "conf/config.yaml", False)
    assert origins["search.folds"][2]
    overridden = explain_parameters(fresh, ["optimizer=random"])
    assert ("optimizer", "override optimizer=random") in {(p.key, p.origin) for p in overridden}


def test_an_edit_that_a_choice_hides_is_mentioned(call: Run, fresh: Path) -> None:
    choose(fresh, "search.folds=7")
    config = fresh / "conf" / "config.yaml"
    config.write_text(config.read_text() + "\nsearch: {folds: 6}\n")
    printed = run_here("run", "--no-run", cwd=fresh).stdout
    assert "recorded choices come before it: search.folds" in printed
    assert "no parameter changes" in run_here("run", "--no-run", "search.folds=7", cwd=fresh).stdout


def test_gates_are_never_recorded(fresh: Path) -> None:
    weaker = choose(fresh, "gate=[signature]")
    assert list(weaker["gate"]) == ["signature"]
    assert read_choices(fresh) == Choices()
    assert len(choose(fresh)["gate"]) > 1


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model=logistic,boosting", "lockgate run -m model=logistic,boosting"),
        ("compressor=null", "for none, write compressor=\\[\\]"),
        ("model=null", "choose a model"),
        ("compressor=[lasso,lasso]", "names a plugin twice"),
        ("model.boosting.trees=5", "boosting is not chosen"),
        ("project.name='my model'", "project.name is 'my model'"),
        ("~model.logistic.balanced", "model.logistic.balanced"),
        ("model.logistic.plugin=linear", "chosen with model=NAME"),
        ("compressor.lasso.provider=x", "further instance with \\+compressor@compressor.lasso="),
        ("hydra.verbose=true", "settings of Hydra itself"),
        ("search=null", "search is None; allowed: settings below it"),
    ],
)
def test_what_is_refused_records_nothing(fresh: Path, override: str, message: str) -> None:
    before = (fresh / CHOICES).read_bytes()
    with pytest.raises(UsageError, match=message):
        choose(fresh, override)
    assert (fresh / CHOICES).read_bytes() == before
    assert not (fresh / "params.yaml").exists()


def test_edits_of_the_parameters_are_kept_or_refused(fresh: Path) -> None:
    choose(fresh, "model=boosting")
    file = fresh / "params.yaml"
    text = file.read_text()
    file.write_text(text.replace("folds: 5", "folds: 4"))
    check_derived(fresh)  # DVC's convention: an edit holds for `dvc repro`
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith("#")))
    check_derived(fresh)  # also where a program dropped the comments
    assert compose(fresh).discarded == {"search.folds": (4, 5)}
    kept = choose(fresh, "split.test=0.3", keep=True)
    assert (kept["search"]["folds"], kept["split"]["test"]) == (4, 0.3)
    assert read_choices(fresh) == Choices(
        {"model": "boosting"}, values={"search.folds": 4, "split.test": 0.3}
    )
    assert choose(fresh) == kept


def test_edits_are_found_in_a_clone_without_records(fresh: Path) -> None:
    choose(fresh)
    (fresh / ".lockgate" / "tmp" / "composed.json").unlink()
    file = fresh / "params.yaml"
    file.write_text(file.read_text().replace("folds: 5", "folds: 4"))
    assert compose(fresh, ["split.test=0.3"]).discarded == {"search.folds": (4, 5)}


def test_what_was_removed_from_the_parameters_is_an_edit(fresh: Path) -> None:
    choose(fresh)
    file = fresh / "params.yaml"
    document = read_params(file)
    del document["evaluator"]["cost"]
    write_params(file, document)
    assert any(key.startswith("evaluator.cost") for key in compose(fresh).discarded)
    assert list(choose(fresh, keep=True)["evaluator"]) == ["classification"]


def test_names_with_dots_are_kept(fresh: Path) -> None:
    choose(fresh)
    file = fresh / "params.yaml"
    file.write_text(file.read_text().replace("  kinds: {}", '  kinds: {"v1.2": number}'))
    assert choose(fresh, keep=True)["data"]["kinds"] == {"v1.2": "number"}
    assert read_choices(fresh).values == {"data.kinds.v1\\.2": "number"}
    assert choose(fresh)["data"]["kinds"] == {"v1.2": "number"}


def test_edits_are_kept_while_choices_are_forgotten(fresh: Path) -> None:
    choose(fresh, "search.folds=7")
    file = fresh / "params.yaml"
    file.write_text(file.read_text().replace("  test: 0.2\n", "  test: 0.25\n"))
    choose(fresh, keep=True, reset=True)
    assert read_choices(fresh) == Choices(values={"split.test": 0.25})


def test_empty_parameters_are_composed_and_broken_ones_named(fresh: Path) -> None:
    composed = choose(fresh)
    (fresh / "params.yaml").write_text("")
    assert choose(fresh) == composed
    (fresh / "params.yaml").write_text("search: [")
    with pytest.raises(UsageError, match=r"line 1, column 10.*or remove it"):
        compose(fresh)


def test_dvc_refuses_what_lockgate_refuses(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in (
        ["-S", "compressor=[lasso,lasso]"],
        ["-Scompressor=[lasso,lasso]"],
        ["-S", "params.yaml:compressor=[lasso,lasso]"],
        ["--set-param=compressor=[prune,prune]"],
    ):
        monkeypatch.setattr(sys, "argv", ["/bin/dvc", "exp", "run", *arguments])
        with pytest.raises(UsageError, match="names a plugin twice"):
            compose(fresh)
    for argument in ("search.folds=3,4", "other/train.yaml:lr=0.1", "params.yaml:search.folds=4"):
        monkeypatch.setattr(sys, "argv", ["/bin/dvc", "exp", "run", "-S", argument])
        compose(fresh)


@pytest.mark.skipif(
    not os.environ.get("LOCKGATE_SOAK"),
    reason="half a minute; test_replaced_choices refuses another: make soak",
)
def test_an_experiment_that_would_lose_edits_is_refused(
    call: Run, project: Path, tmp_path: Path
) -> None:
    file = project / "params.yaml"
    file.write_text(file.read_text().replace("folds: 5", "folds: 3"))
    edited = file.read_bytes()
    done = call("dvc", "exp", "run", "-S", "split.test=0.3", cwd=project, code=None)
    assert done.returncode
    assert "params.yaml was edited, and an experiment composes it anew" in done.stderr
    assert file.read_bytes() == edited
    run_here("run", "--no-run", "--keep", cwd=project)
    call("dvc", "exp", "run", "-q", "-S", "monitor.drift.level=0.02", cwd=project)
    assert read_params(file)["search"]["folds"] == 3
    call("dvc", "exp", "run", "-q", "-S", "monitor.drift.level=0.03", cwd=project)  # another


@pytest.mark.parametrize("link", ["experiment", "loader/further.yaml"])
def test_a_configuration_outside_the_project_is_refused(
    fresh: Path, tmp_path: Path, link: str
) -> None:
    path = fresh / "conf" / link
    if path.is_dir():
        path.rmdir()
    path.symlink_to(tmp_path / "elsewhere")
    for overrides in ([], ["split.test=0.3"]):
        with pytest.raises(UsageError, match=f"{link} is a link, and changes of its target"):
            compose(fresh, overrides)
    path.unlink()
    config = fresh / "conf" / "config.yaml"
    config.write_text(config.read_text().replace("[lockgate://]", "[lockgate://, file:///etc]"))
    with pytest.raises(UsageError, match="searchpath has file:///etc, expected only lockgate://"):
        compose(fresh)


def test_edited_parameters_are_checked_whole(call: Run, project: Path) -> None:
    file = project / "params.yaml"
    file.write_text(file.read_text() + "foo: 1\n")
    done = call("dvc", "repro", cwd=project, code=None)
    assert done.returncode != 0
    assert "unknown key 'foo'" in done.stdout + done.stderr


def test_parameters_of_an_older_configuration_are_refused(fresh: Path) -> None:
    choose(fresh)
    config = fresh / "conf" / "config.yaml"
    config.write_text(config.read_text() + "\n# a comment\n")
    check_derived(fresh)  # nothing differs
    config.write_text(config.read_text() + "\nsearch:\n  folds: 3\n")
    with pytest.raises(UsageError, match="differ in search.folds; run: lockgate run"):
        check_derived(fresh)
    assert choose(fresh)["search"]["folds"] == 3
    check_derived(fresh)


def test_a_configuration_that_leaves_choices_out_says_so(fresh: Path) -> None:
    config = fresh / "conf" / "config.yaml"
    lines = [line for line in config.read_text().splitlines() if "optional chosen" not in line]
    config.write_text("\n".join(lines) + "\n")
    with pytest.raises(UsageError, match="add `- optional chosen: now` as the last entry"):
        choose(fresh, "model=boosting")


@pytest.mark.parametrize("content", ["defaults:\n", "defaults: 5\n", "- a\n", "5\n"])
def test_a_configuration_without_a_list_of_defaults_is_refused(fresh: Path, content: str) -> None:
    choose(fresh, "search.folds=4")
    (fresh / "conf" / "config.yaml").write_text(content)
    for overrides in ([], ["search.folds=3"]):
        with pytest.raises(UsageError, match="expected a mapping with a list of defaults"):
            compose(fresh, overrides)


def test_edits_are_told_from_conf_without_a_record_of_this_clone(call: Run, fresh: Path) -> None:
    choose(fresh)
    call("git", "add", "-A", cwd=fresh)
    call("git", "commit", "-qm", "base", cwd=fresh)
    (fresh / ".lockgate" / "tmp" / "composed.json").unlink()
    file, config = fresh / "params.yaml", fresh / "conf" / "config.yaml"
    file.write_text(file.read_text().replace("max_loss: 0.01", "max_loss: 0.5"))
    config.write_text(config.read_text() + "\nsearch:\n  folds: 3\n")
    assert list(compose(fresh).discarded) == ["compression.max_loss"]
    kept = choose(fresh, keep=True)
    assert (kept["search"]["folds"], kept["compression"]["max_loss"]) == (3, 0.5)


def test_a_folder_in_place_of_the_parameters_records_nothing(fresh: Path) -> None:
    (fresh / "params.yaml").mkdir()
    with pytest.raises(UsageError, match="is not a file: move it away"):
        choose(fresh, "search.folds=3")
    assert read_choices(fresh) == Choices()


def test_a_second_run_is_refused_and_says_who_runs(fresh: Path) -> None:
    with (
        lock_run(fresh),
        pytest.raises(UsageError, match=r"process \d+, since 20.* is running in this project"),
        lock_run(fresh),
    ):
        pass
    with lock_run(fresh):  # free again
        pass


@pytest.mark.slow
@pytest.mark.parametrize("delay", DELAYS if os.environ.get("LOCKGATE_SOAK") else DELAYS[:1])
def test_two_runs_at_once_give_each_its_own_model_or_a_refusal(
    call: Run, fresh: Path, delay: float
) -> None:
    call("git", "add", "-A", cwd=fresh)
    runs = []
    for model in ("boosting", "logistic"):
        command = [sys.executable, "-m", "lockgate", "run", f"model={model}"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        runs.append(subprocess.Popen(command, cwd=fresh, env=environment(), **pipes))  # type: ignore[call-overload]  # streams as a mapping
        time.sleep(delay)  # the second starts at another moment of the first
    outputs = [run.communicate(timeout=120) for run in runs]
    codes = [run.returncode for run in runs]
    assert sorted(codes) == [0, 2]
    winner, loser = codes.index(0), codes.index(2)
    assert "is running in this project" in outputs[loser][1]
    model = ("boosting", "logistic")[winner]
    assert list(read_params(fresh / "params.yaml")["model"]) == [model]
    assert ("learning_rate=" in outputs[winner][1]) == (model == "boosting")


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("LOCKGATE_SOAK"),
    reason="half a minute: make soak; test_merges merges choices of every kind",
)
def test_the_choices_of_colleagues_hold_after_a_merge(
    call: Run, project: Path, tmp_path: Path
) -> None:
    """One by `lockgate run`, one by an edit of conf/, one by an experiment that is kept."""
    clones = [tmp_path / name for name in ("ann", "ben", "cem")]
    for clone in clones:
        call("git", "clone", "-q", str(project), str(clone), cwd=tmp_path)
        call("cp", "-r", f"{project}/data/raw/tumours.csv", str(clone / "data" / "raw"), cwd=clone)
    ann, ben, cem = clones
    run_here("run", "--no-run", "model=boosting", cwd=ann)
    config = ben / "conf" / "config.yaml"
    config.write_text(config.read_text() + "\nsplit:\n  test: 0.3\n")
    refused = call("dvc", "repro", cwd=ben, code=None)
    assert refused.returncode
    assert "conf/ was changed since params.yaml was composed" in refused.stderr
    run_here("run", "--no-run", cwd=ben)
    call("dvc", "exp", "run", "-q", "-n", "folds", "-S", "search.folds=3", cwd=cem)
    call("git", "checkout", "-q", ".", cwd=cem)
    call("dvc", "exp", "apply", "folds", cwd=cem)
    assert "search.folds=3" in call("lockgate", "run", cwd=cem, code=2).stderr
    run_here("run", "--no-run", "--keep", cwd=cem)
    for clone in clones:
        call("git", "add", "-A", cwd=clone)
        call("git", "commit", "-qm", clone.name, cwd=clone)
    for other in (ben, cem):
        call("git", "pull", "-q", "--no-rebase", "--no-edit", str(other), cwd=ann, code=None)
        run_here("run", "--no-run", cwd=ann)
        call("git", "add", "-A", cwd=ann)
        call("git", "commit", "-qm", "merged", cwd=ann)
    call("lockgate", "run", cwd=ann)
    merged = read_params(ann / "params.yaml")
    assert list(merged["model"]) == ["boosting"]
    assert merged["split"]["test"] == 0.3
    assert merged["search"]["folds"] == 3
    assert call("dvc", "status", cwd=ann).stdout.count("changed") == 0


def test_an_edit_that_is_kept_does_not_undo_an_edit_of_the_configuration(fresh: Path) -> None:
    choose(fresh)
    file, config = fresh / "params.yaml", fresh / "conf" / "config.yaml"
    file.write_text(file.read_text().replace("max_loss: 0.01", "max_loss: 0.5"))
    config.write_text(config.read_text() + "\nsearch:\n  folds: 3\n")
    kept = choose(fresh, keep=True)
    assert (kept["compression"]["max_loss"], kept["search"]["folds"]) == (0.5, 3)
    assert read_choices(fresh) == Choices(values={"compression.max_loss": 0.5})


def test_an_added_plugin_is_recorded_with_its_settings(fresh: Path) -> None:
    before = list(choose(fresh)["evaluator"])
    chosen = choose(fresh, "+evaluator=regression", "evaluator.regression.resamples=20")
    assert chosen["evaluator"]["regression"]["resamples"] == 20
    assert read_choices(fresh).groups == {"evaluator": [*before, "regression"]}
    assert read_choices(fresh).values == {"evaluator.regression.resamples": 20}


def test_an_edited_gate_cannot_be_kept(fresh: Path) -> None:
    choose(fresh)
    file = fresh / "params.yaml"
    file.write_text(file.read_text().replace("rows: 500", "rows: 1"))
    with pytest.raises(UsageError, match=r"gate\.parity\.rows was edited.*gate is not recorded"):
        choose(fresh, keep=True)


def test_mappings_are_replaced_and_instances_take_settings_at_once(fresh: Path) -> None:
    choose(fresh, "data.kinds={mean_radius: category}")
    assert choose(fresh, "data.kinds={}")["data"]["kinds"] == {}
    second = "+evaluator@evaluator.second=classification"
    chosen = choose(fresh, second, "evaluator.second.resamples=5")
    assert chosen["evaluator"]["second"]["resamples"] == 5


def test_no_experiment_is_a_choice(fresh: Path) -> None:
    (fresh / "conf" / "experiment" / "deep.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /model: boosting\nmodel:\n  boosting:\n"
        "    trees: 77\n"
    )
    assert choose(fresh, "experiment=deep")["model"]["boosting"]["trees"] == 77
    with pytest.raises(UsageError, match="cannot be recorded|not chosen"):
        choose(fresh, "model=logistic", "~model.boosting")
    assert list(choose(fresh, "experiment=null")["model"]) == ["logistic"]
    assert choose(fresh, "experiment=deep")["model"]["boosting"]["trees"] == 77
    assert list(choose(fresh, "~experiment")["model"]) == ["logistic"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"defaults: [{a: b, c: d}]\n", "not a choice that lockgate recorded"),
        (b"defaults: 5\n", "not a file of choices"),
        (b"search: {folds: \xff}\n", "not UTF-8"),
    ],
)
def test_a_broken_file_of_choices_is_named(fresh: Path, content: bytes, message: str) -> None:
    (fresh / CHOICES).write_bytes(content)
    with pytest.raises(UsageError, match=message):
        choose(fresh, "model=boosting")


def test_a_file_of_choices_without_its_first_line_is_mended(fresh: Path) -> None:
    choose(fresh, "search.folds=4")
    path = fresh / CHOICES
    path.write_text("search:\n  folds: 4\n")
    assert choose(fresh)["search"]["folds"] == 4
    assert path.read_text().startswith("# @package _global_\n")
    assert "search:\n  folds: 4\n" in path.read_text()


@pytest.mark.slow
def test_a_configuration_of_before_is_checked_again(call: Run, project: Path) -> None:
    call("lockgate", "run", "model=boosting", "--until", "load", cwd=project)
    call("git", "checkout", "-q", "HEAD", "--", "conf", cwd=project)
    done = call("dvc", "repro", "load", cwd=project, code=None)
    assert done.returncode
    assert "conf/ was changed since params.yaml was composed" in done.stderr


def test_another_model_of_an_experiment_is_kept(fresh: Path) -> None:
    choose(fresh)
    composed = compose(fresh, ["model=boosting", "model.boosting.trees=7"]).after
    write_params(fresh / "params.yaml", composed)  # as `dvc exp apply` leaves it
    assert choose(fresh, keep=True) == composed
    assert read_choices(fresh) == Choices({"model": "boosting"}, values={"model.boosting.trees": 7})
