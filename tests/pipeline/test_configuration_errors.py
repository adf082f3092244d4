"""Mistakes in the files of conf/: named by file and key, with what is available."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.errors import UsageError
from lockgate.pipeline.parameters import compose


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "decision: {treshold: 0.5}",
            r"^conf/config.yaml: unknown key 'decision.treshold', did you",
        ),
        ("model: {logistic: {ridg: 1}}", r"^conf/config.yaml: unknown key 'model.logistic.ridg'"),
        ("cells: {clip: many}", r"^conf/config.yaml: cells.clip: Value 'many' of type 'str'"),
        ("search: [", r"^conf/config.yaml, line \d+, column \d+: "),
        ("foo: 1", r"^unknown key 'foo'"),
    ],
)
def test_a_mistake_in_a_file_is_explained(fresh: Path, text: str, message: str) -> None:
    config = fresh / "conf" / "config.yaml"
    config.write_text(config.read_text() + f"\n{text}\n")
    for overrides in ([], ["split.test=0.3"]):
        with pytest.raises(UsageError, match=message):
            compose(fresh, overrides)


def test_a_plugin_that_does_not_exist_is_named(fresh: Path) -> None:
    config = fresh / "conf" / "config.yaml"
    text = config.read_text()
    config.write_text(text.replace("- model: logistic", "- model: logistics"))
    with pytest.raises(UsageError, match="has model=logistics.*did you mean 'logistic'"):
        compose(fresh)


def test_an_experiment_without_its_first_line_is_explained(fresh: Path) -> None:
    (fresh / "conf" / "experiment" / "quick.yaml").write_text("search: {folds: 3}\n")
    with pytest.raises(UsageError, match="needs `# @package _global_` as its first line"):
        compose(fresh, ["experiment=quick"])


def test_removing_what_is_not_set_is_refused(fresh: Path) -> None:
    with pytest.raises(UsageError, match="optimizer.random is not set, there is nothing to remove"):
        compose(fresh, ["~optimizer.random"])
