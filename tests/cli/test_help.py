"""The help of every command, and what a mistyped command line gets."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner, Result
from tests.conftest import ROOT

import lockgate as package
from lockgate.cli.commands import SECTIONS, UNLISTED, lockgate, run_cli


def walk(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group, by the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from walk(command, (*path, name))


EVERY = dict(walk(lockgate))
PATHS = pytest.mark.parametrize("path", EVERY, ids="-".join)
SUMMARIES = {name: text for commands in SECTIONS.values() for name, (_, text) in commands.items()}


def ask(*line: str) -> Result:
    return CliRunner().invoke(lockgate, list(line), prog_name="lockgate")


def summary_of(command: click.Command) -> str:
    """The first paragraph of the help."""
    return " ".join((command.help or "").partition("\n\n")[0].split())


def examples(command: click.Command) -> list[list[str]]:
    """The command lines that the help shows, each as words, without what follows in comments."""
    command_lines = []
    for block in (command.epilog or "").split("\n\n"):
        lines = block.strip().splitlines()
        if not lines or lines[0].strip() != "\b":
            continue
        for text in lines[1:]:
            line = shlex.split(re.split(r"\s{2,}", text.strip())[0], comments=True)
            joined = " ".join(map(shlex.quote, line)).replace("'&&'", "&&")
            for part in joined.split(" && "):
                if part.startswith("lockgate "):
                    command_lines.append(shlex.split(part)[1:])
    return command_lines


EXAMPLES = [
    pytest.param(path, line, id=" ".join(line))
    for path, command in EVERY.items()
    for line in examples(command)
]


def check_types(command: click.Command, line: list[str]) -> dict[str, object]:
    """Parse words as the command does, without asking whether files are there."""
    context = click.Context(command, info_name=command.name)
    values, rest, _ = command.make_parser(context).parse_args(list(line))
    assert rest == []
    for parameter in command.params:
        value = values.get(parameter.name or "")
        absent = value is None or value == () or repr(value).endswith("UNSET")
        assert not (absent and parameter.required), parameter.name
        if not absent and not isinstance(parameter.type, click.Path):
            values[parameter.name] = parameter.type_cast_value(context, value)
    return values


# --- help


def test_the_table_of_commands_is_what_there_is() -> None:
    assert [path[0] for path in EVERY if len(path) == 1] == list(SUMMARIES)
    for path, command in EVERY.items():
        assert command.name == path[-1]


def test_commands_that_only_files_call_are_not_listed() -> None:
    assert not set(UNLISTED) & set(SUMMARIES)
    for name in UNLISTED:
        assert ask(name, "--help").exit_code == 0
    dvc_file = ROOT / "dvc.yaml"
    assert all(f"lockgate {name}" in dvc_file.read_text() for name in UNLISTED)


def test_the_help_of_the_whole_lists_every_command_with_its_summary() -> None:
    done = ask("--help")
    assert done.exit_code == 0
    flat = " ".join(done.output.split())
    for name, summary in SUMMARIES.items():
        assert f"{name} {summary}" in flat


@PATHS
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_has_help(path: tuple[str, ...], flag: str) -> None:
    done = ask(*path, flag)
    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"Usage: lockgate {' '.join(path)} ")
    assert summary_of(EVERY[path]) in " ".join(done.output.split())


@PATHS
def test_a_summary_is_a_short_sentence(path: tuple[str, ...]) -> None:
    summary = summary_of(EVERY[path])
    assert re.fullmatch(r"[A-Z][^\n]*[.]", summary)
    assert 15 < len(summary) < 110
    assert len(SUMMARIES[path[0]]) < 75


@PATHS
def test_every_option_says_what_it_does(path: tuple[str, ...]) -> None:
    for option in EVERY[path].params:
        if isinstance(option, click.Option) and not option.hidden:
            assert option.help, option.opts
            assert not option.help[0].islower() or ":" in option.help, option.help
            assert option.help.rstrip(")").endswith((".", "?")), option.help


@PATHS
def test_the_help_shows_no_internal_name(path: tuple[str, ...]) -> None:
    output = ask(*path, "--help").output
    for sign in (
        rf"{package.__name__}\.(?!\w+\()\w+",
        r"<[^>]*(object|function|class)",
        r"\bTODO\b",
        r"\bNone\b",
        r"\b_\w+",
        r"Path\(",
        "UNSET",
        r":(class|func|mod):",
    ):
        assert not re.search(sign, output), (sign, output)


@PATHS
def test_no_line_of_the_help_is_wider_than_a_terminal(path: tuple[str, ...]) -> None:
    lines = ask(*path, "--help").output.splitlines()
    assert max(map(len, lines)) <= 100


def test_names_of_options_are_written_alike() -> None:
    for path, command in EVERY.items():
        names = [name for p in command.params if isinstance(p, click.Option) for name in p.opts]
        assert len(names) == len(set(names)), path
        assert all(re.fullmatch(r"-[a-zA-Z]|--[a-z]+(-[a-z]+)*", name) for name in names), names


def test_an_option_of_one_name_means_one_thing() -> None:
    """The same flag takes the same kind of value wherever it stands."""
    kinds: dict[str, dict[str, bool]] = {}
    for path, command in EVERY.items():
        for p in command.params:
            if isinstance(p, click.Option):
                for name in p.opts:
                    kinds.setdefault(name, {})[" ".join(path)] = p.is_flag
    mixed = {name: where for name, where in kinds.items() if len(set(where.values())) > 1}
    # of a server: how many rows may wait; of predict: a column that goes through
    assert set(mixed) <= {"--queue", "--keep"}, mixed


# --- examples


def test_every_command_shows_an_example_of_itself() -> None:
    for path, command in EVERY.items():
        assert path in {tuple(line[: len(path)]) for line in examples(command)}, path


@pytest.mark.parametrize(("path", "line"), EXAMPLES)
def test_every_example_is_a_command_line_that_is_understood(
    path: tuple[str, ...], line: list[str]
) -> None:
    words: tuple[str, ...] = ()
    while line and (*words, line[0]) in EVERY:
        words, line = (*words, line[0]), line[1:]
    check_types(EVERY[words], line)


def test_an_example_that_is_not_understood_is_seen() -> None:
    run, export = EVERY[("run",)], EVERY[("log", "export")]
    with pytest.raises(click.NoSuchOption):
        check_types(run, ["--untill", "load"])
    with pytest.raises(AssertionError):
        check_types(export, ["/srv/churn"])
    with pytest.raises(click.BadParameter):
        check_types(EVERY[("serve",)], ["bundle", "--port", "many"])


# --- mistakes


def mistyped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *line: str
) -> str:
    """Run as the installed script does; return what stands on standard error."""
    monkeypatch.setattr("sys.argv", ["lockgate", *line])
    with pytest.raises(SystemExit) as left:
        run_cli()
    assert left.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("lockgate: ")
    assert len(captured.err.splitlines()) == 1
    assert "Traceback" not in captured.err
    return captured.err


@PATHS
def test_an_unknown_option_is_named(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = mistyped(capsys, monkeypatch, *path, "--frobnicate")
    assert "No such option" in error
    assert "--frobnicate" in error
    assert f"lockgate {' '.join(path)} --help" in error


REQUIRED = [path for path, command in EVERY.items() if any(p.required for p in command.params)]


@pytest.mark.parametrize("path", REQUIRED, ids="-".join)
def test_a_missing_argument_is_named(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = mistyped(capsys, monkeypatch, *path)
    first = next(p for p in EVERY[path].params if p.required)
    assert "Missing" in error
    assert (
        first.make_metavar(click.Context(EVERY[path])).strip("[]") in error
        or first.opts[0] in error
    )


def test_commands_that_need_something_are_more_than_a_few() -> None:
    assert len(REQUIRED) >= 10


@PATHS
def test_one_argument_too_many_is_refused(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [p for p in EVERY[path].params if isinstance(p, click.Argument)]
    if any(p.nargs == -1 for p in arguments):
        pytest.skip("takes any number of arguments")
    if any(p.required and isinstance(p, click.Option) for p in EVERY[path].params) or any(
        isinstance(p.type, click.Path) for p in arguments
    ):
        line = ["x"] * (len(arguments) + 1)  # files that are not there may be named first
        mistyped(capsys, monkeypatch, *path, *line)
        return
    error = mistyped(capsys, monkeypatch, *path, *["x"] * (len(arguments) + 1))
    named = ("unexpected extra argument", "is not one of", "unknown command 'x'")
    assert any(text in error for text in named)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("serve", ".", "--port", "99999"), "99999"),
        (("serve", ".", "--log", "ful"), "'full'"),
        (("attest", "fraud", "--environment", "there"), "'recorded'"),
        (("server", "token", "shop", "--file", "t", "--role", "root"), "'predict'"),
        (("server", "restart", "."), "unknown command 'restart'"),
        (("server", "statsu", "."), "did you mean 'status'"),
        (("log", "lable"), "did you mean 'label'"),
        (("history", "-n", "0"), "0 is not in the range"),
        (("history", "-n"), "requires an argument"),
        (("verfy",), "did you mean 'verify'"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_with_what_is(
    line: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert message in mistyped(capsys, monkeypatch, *line)
