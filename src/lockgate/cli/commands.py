"""The command group: subcommands are imported when called, errors become one line."""

from __future__ import annotations

import importlib
import sys

import click

from lockgate.cli.terminal.examples import examples
from lockgate.contract.secrets import hide_secrets
from lockgate.errors import PIPELINE_LIBRARIES, LockgateError, MissingExtra, nearest

__all__ = ["PACKAGES", "SECTIONS", "lockgate", "run_cli"]

SECTIONS: dict[str, tuple[str, dict[str, str]]] = {
    "project": (
        "Project and pipeline",
        {
            "init": "Create a project that runs without further edits.",
            "run": "Compose the parameters, and run the stages that they change.",
            "show": "Show every parameter and where its value comes from.",
            "plugins": "List the installed plugins and their settings.",
            "check": "Check params.yaml, also against conf/; called by dvc.yaml.",
            "stage": "Run one stage of the pipeline; called by dvc.yaml.",
            "version": "Show the versions of lockgate, Python and the main libraries.",
        },
    ),
    "model": (
        "Models and predictions",
        {
            "pack": "Pack a fitted model from a file into a bundle.",
            "predict": "Predict every row of a file, of any size.",
            "evaluate": "Evaluate a bundle on data, and check metrics against bounds.",
        },
    ),
    "registry": (
        "Versions and stages",
        {
            "register": "Register a bundle as a version, tied to its commit.",
            "gate": "Run the gates of a stage on a version.",
            "promote": "Promote a version to a stage, if its gates pass.",
            "rollback": "Roll back to an earlier version, also without network or Git.",
            "retire": "Retire a version, or remove a model from a stage.",
            "current": "Show which version is in which stage.",
            "history": "List the events of the ledger: what, when, by whom, and why.",
            "verify": "Verify that the ledger was not tampered with.",
            "attest": "Rebuild a version from its commit and compare the bytes.",
            "sync": "Synchronize this clone's ledger with the shared one.",
            "trace": "Show where a prediction, a version or a bundle comes from.",
        },
    ),
    "serving": (
        "Serving",
        {
            "serve": "Serve a bundle or a deployment directory over HTTP.",
            "deploy": "Deploy a bundle, or the version of a stage, to a directory.",
            "control": "Query or stop a running server.",
            "token": "Create a token for a client of a server.",
        },
    ),
    "log": (
        "Prediction log",
        {
            "feedback": "Record true outcomes for logged predictions.",
            "export": "Export the prediction log to a Parquet file.",
        },
    ),
}
"""Subcommands by package and section of ``--help``; a module of the same name holds each."""

PACKAGES = {name: package for package, (_, names) in SECTIONS.items() for name in names}
"""The package of each subcommand."""


class _LazyGroup(click.Group):
    # importing all subcommands would make every command as slow as the slowest
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(PACKAGES)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in PACKAGES:
            return None
        module = importlib.import_module(f"lockgate.cli.{PACKAGES[name]}.{name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            message = f"unknown command {args[0]!r}{nearest(args[0], PACKAGES)}"
            raise click.UsageError(message, ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # from the table, so that --help imports no subcommand
        width = max(map(len, PACKAGES))
        for title, names in SECTIONS.values():
            with formatter.section(title):
                rows = [(name.ljust(width), summary) for name, summary in names.items()]
                formatter.write_dl(rows)


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("lockgate init shop && cd shop && lockgate run"),
)
def lockgate() -> None:
    """Everything after model.fit(): tune, compress, evaluate, package, promote, serve, monitor.

    `lockgate COMMAND --help` describes a command and shows examples.
    """


def run_cli() -> None:
    """Run the command line and leave with its exit code.

    0: success. 1: a requirement, gate or comparison failed. 2: the command line,
    the configuration or the data are at fault. 3: a plugin is. 130: interrupted.
    """
    try:
        code = lockgate.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except LockgateError as error:
        sys.exit(_print_error(str(error), error.exit_code))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(_print_error("interrupted", 130))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in PIPELINE_LIBRARIES:
            raise
        command = " ".join(["lockgate", *sys.argv[1:2]])
        extra = "pack" if sys.argv[1:2] in (["pack"], ["predict"], ["evaluate"]) else "pipeline"
        sys.exit(_print_error(str(MissingExtra(extra, command)), MissingExtra.exit_code))
    except OSError as error:
        # a full disk or a read-only folder: the machine's fault, so no traceback
        sys.exit(
            _print_error(f"{error.strerror}: {error.filename}" if error.filename else str(error), 2)
        )


def _print_error(message: str, code: int) -> int:
    message = hide_secrets(message)
    click.echo(f"{click.style('lockgate', fg='red', bold=True)}: {message}", err=True)
    return code
