"""Composition: typed, checked whole, and in words a user can act on."""

import shutil
from pathlib import Path

import pytest

import lockgate
from lockgate.plugins.config.compose import compose_document
from lockgate.plugins.config.last_composed import (
    find_discarded_edits,
    read_last_composed,
    record_composition,
)
from lockgate.plugins.config.origins import find_origins, flatten
from tests.conftest import ROOT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    return tmp_path


def test_every_kind_is_there_even_when_empty(project: Path) -> None:
    document = compose_document(project, ["compressor=[]", "monitor=[]"])
    assert {kind.name for kind in lockgate.KINDS if kind.configured} <= set(document)
    assert document["compressor"] == {}
    assert document["compressor_order"] == []


def test_the_order_written_is_the_order_kept(project: Path) -> None:
    for names in (["lasso", "prune"], ["prune", "lasso"]):
        document = compose_document(project, [f"compressor=[{','.join(names)}]"])
        assert document["compressor_order"] == names


def test_one_plugin_may_stand_twice(project: Path) -> None:
    overrides = ["+evaluator@evaluator.second=classification", "evaluator.second.resamples=7"]
    document = compose_document(project, overrides)
    assert document["evaluator"]["second"]["plugin"] == "classification"
    assert document["evaluator"]["second"]["resamples"] == 7
    assert document["evaluator"]["classification"]["resamples"] == 300


def test_an_option_may_be_derived_from_a_plugin_in_a_file(project: Path) -> None:
    (project / "conf" / "compressor").mkdir()
    (project / "conf" / "compressor" / "light.yaml").write_text(
        "# @package compressor.light\ndefaults: [prune@_here_]\nmin_trees: 2\n"
    )
    document = compose_document(project, ["compressor=light", "compressor.light.steps=9"])
    light = document["compressor"]["light"]
    assert (light["plugin"], light["min_trees"], light["steps"]) == ("prune", 2, 9)
    with pytest.raises(lockgate.SettingError, match=r"compressor\.light\.steps is 'x'"):
        compose_document(project, ["compressor=light", "compressor.light.steps=x"])


@pytest.mark.parametrize(
    ("override", "error", "words"),
    [
        ("compressor=laso", lockgate.UnknownPlugin, "did you mean 'lasso'.*installed: .*lasso"),
        ("experiment=spent", lockgate.UsageError, "did you mean 'spend'"),
        ("optimizer.grid.pints=3", lockgate.UnknownKey, "did you mean 'points'"),
        ("splt.test=0.3", lockgate.UnknownKey, "did you mean 'split'"),
        (
            "optimizer.grid.points=many",
            lockgate.SettingError,
            "is 'many'; allowed: int, at least 1",
        ),
        ("optimizer.grid.points=0", lockgate.SettingError, "is 0; allowed: int, at least 1"),
        ("split.test=2", lockgate.SettingError, "above 0, below 1"),
        ("search.metric=zeal", lockgate.SettingError, "one of auto, log_loss"),
        ("optimizer=[grid,random]", lockgate.SettingError, "exactly one plugin"),
        ("optimizer.random.trials=3", lockgate.UsageError, "choose it with optimizer=random"),
        ("compressor_order=[prune]", lockgate.SettingError, "each of lasso once"),
        ("loader=csv", lockgate.SettingError, "loader.csv.path .* no default and must be set"),
        ("evaluator=[a", lockgate.UsageError, "invalid override"),
        ("split.test", lockgate.UsageError, "invalid override"),
        ("modle=boosting", lockgate.UnknownKey, "did you mean 'model'"),
        ("experiment=purchase", lockgate.UsageError, "did you mean 'purchases'"),
        ("split.test_from=soon", lockgate.SettingError, "an ISO date such as"),
        ("optimizer.grid.points=1" + "0" * 400, lockgate.SettingError, "at most 1000"),
        ("+evaluator@evaluator.a/b=cost", lockgate.LockgateError, "."),
        ("+cells.bins.age=[1,x]", lockgate.SettingError, "mapping of str to list of float"),
    ],
)
def test_mistakes_are_named_with_what_is_allowed(
    project: Path, override: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        compose_document(project, [override])


ATTACKS = [
    "project.name=${oc.env:HOME}",
    "project.name='${oc.env:HOME}'",
    "project.name=x${oc.env:PATH}",
    "project.name=${oc.decode:x}",
    "project.name=${oc.create:x}",
    "project.name=${hydra:runtime.cwd}",
    "project.name=${oc.deprecated:split.test}",
    "project.name=${lockgate.order:}",
    "+loader.purchases._target_=os.system",
    "+model.logistic._target_=builtins.eval",
    "model.logistic.plugin=os:system",
    "model.logistic.plugin=../../etc/passwd",
    "loader=../../../etc/passwd",
    "loader=pkg://os",
    "model=lockgate.builtin.models.logistic:Logistic",
    "+hydra.job.chdir=true",
    "+hydra.run.dir=/tmp",
    "compressor=[lasso,__import__]",
    "project.name={_target_:os.system}",
    "+project._target_=os.system",
    "++backend.numpy._partial_=true",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_configuration_is_data_and_never_code(
    project: Path, attack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/secret-home")
    try:
        document = compose_document(project, [attack])
    except lockgate.LockgateError:
        return
    assert "/secret-home" not in repr(document)
    assert "_target_" not in repr(document)
    assert all(
        isinstance(v, (str, int, float, bool, list, dict, type(None)))
        for v in flatten(document).values()
    )


def test_a_value_may_refer_to_another(project: Path) -> None:
    document = compose_document(project, ["project.name=${split.by}"])
    assert document["project"]["name"] == "auto"


def test_a_backend_without_its_library_is_refused_at_composition(project: Path) -> None:
    with pytest.raises(lockgate.BackendUnavailable, match="choose backend=numpy"):
        compose_document(project, ["backend=cupy"])


def test_a_folder_without_a_configuration_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(lockgate.UsageError, match="lockgate init"):
        compose_document(tmp_path)


def test_each_value_has_an_origin(project: Path) -> None:
    found = find_origins(project, ["experiment=spend", "model.linear.penalty=none"])
    assert found["project.name"] == "conf/experiment/spend.yaml"
    assert found["model.linear.penalty"] == "override model.linear.penalty=none"
    assert found["optimizer.grid.points"] == "default of optimizer/grid"
    assert found["split.tune"] == "lockgate's default"


def test_hand_edits_that_are_discarded_are_told(project: Path) -> None:
    document = compose_document(project)
    record_composition(project, document, [], "0" * 16)
    assert read_last_composed(project) == document
    edited = {**document, "split": {**document["split"], "test": 0.4}}
    assert find_discarded_edits(document, edited, document) == {"split.test": (0.4, 0.2)}
    assert find_discarded_edits(document, document, document) == {}


def test_whole_numbers_are_numbers_in_lists_and_mappings(project: Path) -> None:
    document = compose_document(
        project, ["cells.bins={age:[18,30,65]}", "+rows.ranges.age=[0,120]"]
    )
    assert document["cells"]["bins"] == {"age": [18, 30, 65]}
    assert document["rows"]["ranges"] == {"age": [0, 120]}


def test_a_file_that_expands_itself_is_refused_before_it_does(project: Path) -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{k}: &a{k} [{','.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 10)]
    (project / "conf" / "experiment" / "bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(lockgate.UsageError, match="aliases are not allowed"):
        compose_document(project, ["experiment=bomb"])
