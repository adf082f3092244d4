"""Whatever a plugin may declare as a setting can be composed, with the defaults it declares."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

import lockgate
from lockgate.contract.settings import build, defaults
from lockgate.plugins.config.typed_nodes import build_typed_node


@dataclasses.dataclass(kw_only=True)
class Leaf:
    """Settings in settings."""

    depth: int = lockgate.setting(1, at_least=1)
    names: list[str] = lockgate.setting([])


@dataclasses.dataclass(kw_only=True)
class Branch:
    """Settings with settings in them."""

    leaf: Leaf = lockgate.setting(default_factory=lambda: Leaf(depth=5))
    width: float = lockgate.setting(0.5)


@lockgate.plugin
class Sample:
    """Has a setting of every type."""

    token: lockgate.Secret = lockgate.setting(lockgate.Secret("API_TOKEN"), help="variable")
    spare: lockgate.Secret | None = lockgate.setting(None, help="variable")
    tokens: list[lockgate.Secret] = lockgate.setting([lockgate.Secret("A")], help="variables")
    branch: Branch = lockgate.setting(
        default_factory=lambda: Branch(leaf=Leaf(depth=7, names=["k"]), width=0.25), help="nested"
    )
    leaves: list[Leaf] = lockgate.setting(default_factory=lambda: [Leaf(depth=3)], help="list")
    absent: Leaf | None = lockgate.setting(None, help="may be absent")
    size: Literal[1, 2] = lockgate.setting(2, help="number")
    way: Literal["a", "b"] = lockgate.setting("b", help="text")
    edges: dict[str, list[float]] = lockgate.setting({"x": [1, 2]}, help="edges")

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Evaluate."""
        return lockgate.Report()


def plain(node: Any) -> dict[str, Any]:
    return dict(OmegaConf.to_container(node, resolve=True))


def test_the_defaults_of_a_node_are_those_of_the_class() -> None:
    composed = plain(build_typed_node(Sample))
    assert composed == defaults(Sample)
    assert composed["branch"] == {"leaf": {"depth": 7, "names": ["k"]}, "width": 0.25}
    made: Any = build(Sample, composed, "sample")
    assert made.branch == Branch(leaf=Leaf(depth=7, names=["k"]), width=0.25)
    assert made.leaves == [Leaf(depth=3)]
    assert made.tokens == [lockgate.Secret("A")]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("token", "OTHER", lockgate.Secret("OTHER")),
        ("spare", "OTHER", lockgate.Secret("OTHER")),
        ("tokens", ["B"], [lockgate.Secret("B")]),
        ("branch.leaf.depth", 2, 2),
        ("leaves", [{"depth": 4}], [Leaf(depth=4)]),
        ("absent", {"depth": 9}, Leaf(depth=9)),
        ("size", 1, 1),
        ("way", "a", "a"),
    ],
)
def test_an_override_reaches_the_plugin(key: str, value: Any, expected: Any) -> None:
    node = build_typed_node(Sample)
    OmegaConf.update(node, key, value)
    made: Any = build(Sample, plain(node), "sample")
    for name in key.split("."):
        made = getattr(made, name)
    assert made == expected


def test_unknown_keys_are_refused_where_they_are_composed() -> None:
    node = build_typed_node(Sample)
    with pytest.raises(OmegaConfBaseException):
        OmegaConf.update(node, "branch.leaf.dpth", 2)
