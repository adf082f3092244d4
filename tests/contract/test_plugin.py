"""The decorator, and what it refuses."""

from typing import Any

import pytest

import lockgate
from lockgate.contract.plugin import contract_of, hooks_of


def define(body: str) -> type:
    namespace: dict[str, Any] = {"lockgate": lockgate}
    exec(f"@lockgate.plugin\nclass Tried:\n{body}", namespace)
    return namespace["Tried"]


HOOK = "    @lockgate.hookimpl\n    def compress(self, request): return request\n"


def test_a_plugin_is_built_with_its_defaults_and_hashable_by_identity() -> None:
    cls: Any = define("    'Doc.'\n    digits: int = lockgate.setting(3)\n" + HOOK)
    one, other = cls(), cls()
    assert one.digits == 3
    assert len({one, other}) == 2
    assert hooks_of(cls) == ("compress",)
    assert contract_of(cls) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (HOOK, "has no docstring"),
        ("    'Doc.'\n    def compress(self, request): return request\n", "mark it with"),
        ("    'Doc.'\n" + HOOK.replace("compress", "compres"), "did you mean 'compress'"),
        (
            "    'Doc.'\n" + HOOK.replace("request)", "it)"),
            "takes (self, it)",
        ),
        ("    'Doc.'\n    x: set[int] = lockgate.setting(None)\n" + HOOK, "is of type set"),
        ("    'Doc.'\n    provider: str = 'x'\n" + HOOK, "is reserved by lockgate"),
        ("    'Doc.'\n    x: int = 3\n", "implements no hook"),
        (
            "    'Doc.'\n" + HOOK + HOOK.replace("compress", "evaluate"),
            "exactly one",
        ),
    ],
)
def test_a_class_that_breaks_the_contract_is_refused_when_defined(body: str, words: str) -> None:
    with pytest.raises(
        lockgate.PluginDefinitionError, match=words.replace("(", r"\(").replace(")", r"\)")
    ):
        define(body)


def test_a_listener_may_hear_several_events() -> None:
    body = (
        "    'Doc.'\n"
        "    @lockgate.hookimpl\n    def before_stage(self, event): pass\n"
        "    @lockgate.hookimpl\n    def after_stage(self, event): pass\n"
    )
    assert hooks_of(define(body)) == ("after_stage", "before_stage")


def test_a_wrong_value_is_refused_when_built() -> None:
    cls: Any = define("    'Doc.'\n    digits: int = lockgate.setting(3, at_least=0)\n" + HOOK)
    for wrong in (-1, "a", None, 2.5, True):
        with pytest.raises(lockgate.SettingError, match="digits"):
            cls(digits=wrong)
