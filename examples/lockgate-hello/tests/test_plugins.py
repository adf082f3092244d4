"""Tests of a plugin package: the plugins are installed, and keep to the contract."""

import pytest

from lockgate.testing import check_installed, check_plugin


@pytest.mark.parametrize(("kind", "name"), [("compressor", "round"), ("evaluator", "positives")])
def test_plugin_keeps_to_the_contract(kind: str, name: str) -> None:
    check_plugin(kind, check_installed(kind, name))
