"""The command group: subcommands are imported when called, errors become one line."""

from __future__ import annotations

import importlib
import sys

import click

from lockgate.errors import PIPELINE_LIBRARIES, LockgateError, MissingExtra

__all__ = ["run_cli"]

COMMANDS = {
    "init": "Make a new project that runs at once.",
    "run": "Compose the parameters, then run what they change.",
    "show": "Show every parameter and where its value comes from.",
    "pack": "Make a bundle of a model that was fitted elsewhere.",
    "predict": "Answer for every row of a file, of any size.",
    "serve": "Answer over HTTP, from a bundle or a deployment directory.",
    "register": "Make a bundle a version, tied to its commit.",
    "gate": "Ask whether a version may take the place of what is in a stage.",
    "promote": "Put a version into a stage, if its gates let it in.",
    "rollback": "Go back to an earlier version; also with no network and no Git.",
    "retire": "Withdraw a version, or take a model out of a stage.",
    "current": "Say which version is in which stage.",
    "history": "List what happened to versions, when, by whom and why.",
    "verify": "Check that nobody falsified the ledger of versions.",
    "attest": "Build a version again from its commit, and compare the bytes.",
    "sync": "Bring this clone's ledger and the shared one together.",
    "deploy": "Serve a bundle, or what is in a stage, from a deployment directory.",
    "trace": "Say all about an answer, a version or a bundle.",
    "feedback": "Tell the log what turned out to be true.",
    "export": "Write the prediction log to a Parquet file.",
    "token": "Make a token for a client of a server.",
    "control": "Ask a running server, or tell it to stop.",
    "plugins": "List the installed plugins and their settings.",
    "evaluate": "Measure a bundle on data, and hold it against requirements.",
    "stage": "Run one stage; what dvc.yaml calls.",
    "version": "Show versions of lockgate and of what answers depend on.",
}
"""Subcommands in the order of ``--help``; a module of the same name holds each."""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"lockgate.cli.{name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from lockgate.errors import nearest

            words = f"no command {args[0]!r}{nearest(args[0], COMMANDS)}"
            raise click.UsageError(words, ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # from the table, so that --help imports no subcommand
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with `lockgate init shop && cd shop && lockgate run`.",
)
def lockgate() -> None:
    """Everything after model.fit(): tune, compress, evaluate, package, watch."""


def run_cli() -> None:
    """Run the command line and leave with its exit code.

    0: done. 1: done, and a requirement is not met. 2: the request or the data
    are at fault. 3: a plugin is. 130: interrupted.
    """
    try:
        code = lockgate.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except LockgateError as error:
        sys.exit(_say(str(error), error.exit_code))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(_say("interrupted", 130))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in PIPELINE_LIBRARIES:
            raise
        asked = " ".join(["lockgate", *sys.argv[1:2]])
        extra = "pack" if sys.argv[1:2] in (["pack"], ["predict"], ["evaluate"]) else "pipeline"
        sys.exit(_say(str(MissingExtra(extra, asked)), MissingExtra.exit_code))
    except OSError as error:
        # a full disk, a folder that may not be written: the user's machine, not our code
        sys.exit(_say(f"{error.strerror}: {error.filename}" if error.filename else str(error), 2))


def _say(message: str, code: int) -> int:
    click.echo(f"{click.style('lockgate', fg='red', bold=True)}: {message}", err=True)
    return code
