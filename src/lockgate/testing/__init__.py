"""Checks for plugin authors: plain functions that need no test runner.

>>> from lockgate.testing import check_plugin
>>> from lockgate.builtin.compressors.prune import Prune
>>> check_plugin("compressor", Prune)
"""

from __future__ import annotations

from lockgate.testing.checks import CHECKS, check_plugin, run_checks
from lockgate.testing.examples import example_requests
from lockgate.testing.installed import check_installed
from lockgate.testing.subject import Failed, FittedExample

__all__ = [
    "CHECKS",
    "Failed",
    "FittedExample",
    "check_installed",
    "check_plugin",
    "example_requests",
    "run_checks",
]
