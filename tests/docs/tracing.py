"""Records which functions of lockgate a value passes through while something real runs."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import lockgate

SOURCE = str(Path(lockgate.__file__).parent) + os.sep


class Call(NamedTuple):
    """A call that takes the value, e.g. ``data.splits`` and ``split_rows``."""

    module: str
    function: str

    def __str__(self) -> str:
        return f"{self.module}.{self.function}"


def trace(run: Callable[[], object], carries: Callable[[Any], bool]) -> list[Call]:
    """Run something, and return the calls in lockgate that take a value which `carries` accepts."""
    calls: list[Call] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or code.co_name.startswith(("<", "__")):
            return
        if not code.co_filename.startswith(SOURCE):
            return
        count = code.co_argcount + code.co_kwonlyargcount
        count += bool(code.co_flags & inspect.CO_VARARGS)
        names = code.co_varnames[:count]
        values = [frame.f_locals[name] for name in names if name != "self"]
        if any(carries(value) for value in values):
            path = Path(code.co_filename)
            module = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
            calls.append(Call(module, code.co_qualname))

    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.setprofile(None)
    return calls


def stays(calls: list[Call]) -> list[str]:
    """Return the modules in the order in which the value enters them."""
    modules: list[str] = []
    for call in calls:
        if not modules or modules[-1] != call.module:
            modules.append(call.module)
    return modules


def returns(calls: list[Call]) -> int:
    """Count how often the value enters a module that it left before."""
    modules = stays(calls)
    return len(modules) - len(set(modules))


def packages(calls: list[Call]) -> list[str]:
    """Return the top-level packages in the order in which the value first enters them."""
    return list(dict.fromkeys(call.module.partition(".")[0] for call in calls))
