"""Settings of a server come from a file, and from the command line before it."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import lockgate
from lockgate.cli.commands import lockgate as command_line
from lockgate.serving.settings import ServeSettings, read_settings

CONFIG = """
port = 9000
workers = 2
[limits]
rows = 50
[log]
durability = "full"
redact = ["phone"]
"""


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[ServeSettings]:
    """The settings with which a server would start."""
    from lockgate.cli.serving import serve as module

    seen: list[ServeSettings] = []

    def serve(source: Path, settings: ServeSettings, **_: Any) -> int:
        seen.append(settings)
        return 0

    monkeypatch.setattr(module, "serve", serve)
    return seen


def run(*words: str) -> None:
    done = CliRunner().invoke(command_line, ["serve", *words])
    assert done.exit_code == 0, done.output


def test_options_come_before_the_file(served: list[ServeSettings], tmp_path: Path) -> None:
    config = tmp_path / "serve.toml"
    config.write_text(CONFIG)
    run(str(tmp_path), "--config", str(config), "--port", "0", "--log-days", "7", "--body", "2")
    (settings,) = served
    assert (settings.port, settings.workers) == (0, 2)
    assert (settings.limits.rows, settings.limits.body) == (50, 2 << 20)
    assert (settings.log.durability, settings.log.days) == ("full", 7.0)
    assert settings.log.redact == ("phone",)


def test_without_a_file_defaults_are_those_of_the_settings(
    served: list[ServeSettings], tmp_path: Path
) -> None:
    run(str(tmp_path))
    assert served == [ServeSettings()]
    signers = tmp_path / "signers"
    signers.write_text("")
    run(str(tmp_path), "--signers", str(signers), "--redact", "a", "--redact", "b")
    assert (served[1].signers, served[1].log.redact) == (str(signers), ("a", "b"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port = ", "is not valid TOML"),
        ("prt = 80", "unknown field `prt`.*keys: host, port"),
        ("[log]\ndays = 'long'", r"Expected `float`, got `str` - at `\$.log.days`"),
        ("[log]\ndurability = 'always'", "Invalid enum value 'always'"),
        ("port = 99999", r"Expected `int` <= 65535 - at `\$.port`"),
        ("workers = 0", "Expected `int` >= 1"),
        ("[limits]\nrows = -1", "Expected `int` >= 1"),
    ],
)
def test_files_that_are_wrong_are_refused(tmp_path: Path, text: str, message: str) -> None:
    config = tmp_path / "serve.toml"
    config.write_text(text)
    with pytest.raises(lockgate.UsageError, match=message):
        read_settings(config)
