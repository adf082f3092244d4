"""What docs/serving.md says is so."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from lockgate.cli.commands import lockgate as command_line
from lockgate.deployment.directory import Deployment
from lockgate.serving.settings import Limits
from tests.docs.test_docs import ROOT, blocks
from tests.serving.conftest import bundles, fitted  # noqa: F401  # fixtures
from tests.serving.running import serving

PAGE = ROOT / "docs" / "serving.md"


def commands() -> list[list[str]]:
    found = []
    for page in (PAGE, ROOT / "README.md"):
        for block in blocks(page, "bash"):
            lines = [shlex.split(line, comments=True) for line in block.splitlines()]
            found += [words[1:] for words in lines if words[:1] == ["lockgate"]]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_line_is_one_that_is_understood(words: list[str]) -> None:
    command: click.Command = command_line
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, words
        command, words = found, words[1:] if isinstance(found, click.Group) else words
    known = {name for one in command.params for name in one.opts} | {"--help"}
    for word in words[1:]:
        assert not word.startswith("--") or word in known, word
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    assert words[0] == "run" or len(words) > sum(one.required for one in arguments)


def test_the_client_that_is_shown_gets_an_answer(bundles: dict[str, Path], tmp_path: Path) -> None:  # noqa: F811
    (source,) = blocks(PAGE, "python")
    deployment = Deployment(tmp_path / "live")
    deployment.deploy(bundles["logistic"], version="1.0.0")
    with serving(deployment.path) as server:
        source = source.replace(":8080", f":{server.port}")
        done = subprocess.run(
            [sys.executable, "-c", source], capture_output=True, text=True, check=True
        )
    assert re.fullmatch(r"[01] 0\.\d+ [a-z2-7]{16}-1 1\.0\.0\n", done.stdout)


def test_the_limits_that_are_named_are_the_defaults() -> None:
    text = PAGE.read_text()
    limits = Limits()
    assert f"| {limits.body >> 20} MiB |" in text
    assert f"| {limits.rows:,} |" in text
    assert f"| {limits.queue} |" in text
    assert f"{limits.head >> 10} KiB; {limits.fields}; {limits.target >> 10} KiB" in text
    times = (limits.head_seconds, limits.body_seconds, limits.write_seconds)
    assert "; ".join(f"{one:g} s" for one in times) in text
    assert f"| {limits.idle_seconds:g} s |" in text
    assert f"| {limits.connections:,} |" in text
