"""The command group: subcommands are imported when called, errors become one line."""

from __future__ import annotations

import sys

import click

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.lazy_group import LazyGroup, commands_of
from lockgate.contract.secrets import hide_secrets
from lockgate.data.io.visible import visible
from lockgate.errors import PIPELINE_LIBRARIES, LockgateError, MissingExtra

__all__ = ["SECTIONS", "UNLISTED", "lockgate", "run_cli"]

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    title: commands_of(package, summaries)
    for title, package, summaries in (
        (
            "Project and pipeline",
            "project",
            {
                "init": "Create a project that runs without further edits.",
                "run": "Compose the parameters, and run the stages that they change.",
                "show": "Show every parameter and where its value comes from.",
            },
        ),
        (
            "Models and predictions",
            "model",
            {
                "pack": "Pack a fitted model from a file into a bundle.",
                "predict": "Predict every row of a file, of any size.",
                "evaluate": "Evaluate a bundle on data, and check metrics against bounds.",
                "compare": "Compare two bundles, versions or experiments on the same rows.",
            },
        ),
        (
            "Registry: versions and stages",
            "registry",
            {
                "register": "Register a bundle as a version, tied to its commit.",
                "policy": "Show or write which gates guard each stage.",
                "gate": "Run the gates of a stage on a version.",
                "promote": "Promote a version to a stage, if its gates pass.",
                "rollback": "Roll back to an earlier version, also without network or Git.",
                "retire": "Retire a version, or remove a model from a stage.",
                "current": "Show which version is in which stage.",
                "history": "List the events of the ledger: what, when, by whom, and why.",
                "trace": "Show where a prediction, a version or a bundle comes from.",
                "verify": "Verify that the ledger was not tampered with.",
                "attest": "Rebuild a version from its commit and compare the bytes.",
                "sync": "Synchronize this clone's ledger with the shared one.",
            },
        ),
        (
            "Serving",
            "serving",
            {
                "deploy": "Deploy a bundle, or the version of a stage, to a directory.",
                "serve": "Serve a bundle or a deployment directory over HTTP.",
            },
        ),
        ("Prediction log", "log", {}),
        (
            "Plugins and versions",
            "project",
            {
                "plugins": "List the installed plugins and their settings.",
                "version": "Show the versions of lockgate, Python and the main libraries.",
            },
        ),
    )
}
"""Module and summary of each command, by the sections of ``--help``."""

SECTIONS["Project and pipeline"]["contract"] = (
    "lockgate.cli.contract.group",
    "Infer, check and widen the data contract of a project or a file.",
)
SECTIONS["Serving"]["server"] = (
    "lockgate.cli.server.group",
    "Query, reload or stop a running server; create tokens.",
)
SECTIONS["Prediction log"]["log"] = (
    "lockgate.cli.log.group",
    "Record labels for logged predictions, and export them.",
)

UNLISTED = {name: f"lockgate.cli.project.{name}" for name in ("stage", "check")}
"""Commands that ``dvc.yaml`` calls, and people do not."""


@click.group(
    cls=LazyGroup,
    sections=SECTIONS,
    unlisted=UNLISTED,
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
    the configuration or the data are at fault. 3: a plugin is. 4: too many cells are
    unknown. 5: a server does not serve a change. 6: a stage was changed by others.
    130: interrupted.
    """
    try:
        code = lockgate.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except LockgateError as error:
        sys.exit(_print_error(str(error), error.exit_code))
    except click.ClickException as error:
        # click's own errors in the form of all others
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "lockgate"
        message = error.format_message().rstrip(".")
        sys.exit(_print_error(f"{message}; see `{path} --help`", error.exit_code))
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
    message = "\n".join(visible(line, limit=None) for line in hide_secrets(message).split("\n"))
    click.echo(f"{click.style('lockgate', fg='red', bold=True)}: {message}", err=True)
    return code
