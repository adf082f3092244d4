"""``lockgate run``."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from lockgate.cli.project.summary import print_results
from lockgate.cli.terminal.examples import examples
from lockgate.errors import StageFailed, UsageError

if TYPE_CHECKING:
    from lockgate.pipeline.parameters import Composition

__all__ = ["command"]


@click.command(
    "run",
    epilog=examples("""
        lockgate run                                  as conf/config.yaml says
        lockgate run model=boosting                   another model, from now on
        lockgate run --reset                          forget such choices
        lockgate run experiment=NAME                  conf/experiment/NAME.yaml
        lockgate run compressor=[lasso,prune]         two compressors, in this order
        lockgate run compressor=[]                    no compressor
        lockgate run optimizer=random optimizer.random.trials=20
        lockgate run evaluator=[classification]       other evaluators
        lockgate run -m model=logistic,boosting       queue an experiment for each
    """),
)
@click.argument("overrides", nargs=-1)
@click.option("--keep", is_flag=True, help="Record manual edits of params.yaml below conf/.")
@click.option("--discard", is_flag=True, help="Drop manual edits of params.yaml.")
@click.option("--reset", is_flag=True, help="Forget the choices that were recorded below conf/.")
@click.option("-m", "--multirun", is_flag=True, help="Queue a DVC experiment per combination.")
@click.option("--force", is_flag=True, help="Run all stages, also those that did not change.")
@click.option("--until", metavar="STAGE", help="Stop after this stage.")
@click.option("--no-run", is_flag=True, help="Write params.yaml, and run no stage.")
@click.option("--dry", is_flag=True, help="Show what would change in params.yaml; write nothing.")
def command(
    overrides: tuple[str, ...],
    keep: bool,
    discard: bool,
    reset: bool,
    multirun: bool,
    force: bool,
    until: str | None,
    no_run: bool,
    dry: bool,
) -> int:
    """Compose the parameters from conf/ and OVERRIDES, and run the stages that they change.

    OVERRIDES are written KEY=VALUE, as in Hydra. They are recorded in
    conf/chosen/now.yaml, and hold until they are changed or reset; those of
    gates are not recorded. The composed parameters are written to params.yaml;
    DVC then runs the stages whose parameters, data or code changed: load,
    optimize, compress, evaluate, package, monitor. `lockgate plugins` lists what
    can be chosen, `lockgate show` all parameters.

    Exit codes: 0, success; 2, a stage failed or an override is not valid.
    """
    from lockgate.pipeline.run import queue_experiment, run_pipeline

    if keep and discard:
        raise UsageError("--keep and --discard exclude each other")
    if multirun:
        if until is not None or keep or discard or reset or force or no_run or dry:
            raise UsageError(
                "-m queues whole experiments: it cannot be combined with other options"
            )
        queue_experiment(*overrides)
        click.echo("Queued. Run them: dvc queue start. Compare them: dvc exp show")
        return 0
    composed: list[Composition] = []

    def report_composition(composition: Composition) -> None:
        composed.append(composition)
        _print_changes(composition)

    only = "compose" if dry else "write" if no_run else None
    try:
        root = run_pipeline(
            *overrides,
            keep=keep,
            discard=discard,
            reset=reset,
            force=force,
            until=until,
            only=only,
            on_composed=report_composition,
            ask_about_edits=_ask_about_edits if sys.stdin.isatty() else None,
            on_resolved=click.echo,
        )
    except StageFailed as error:
        if composed and (overrides_back := composed[0].overrides_back()):
            click.echo(
                "What was chosen is recorded all the same; to go back: lockgate run "
                f"{shlex.join(overrides_back)}",
                err=True,
            )
        return error.exit_code  # the stage has printed why
    if only is None and until is None:
        print_results(root)
    return 0


def _ask_about_edits(composition: Composition) -> bool:
    edits = ", ".join(f"{key}={value!r}" for key, (value, _) in composition.discarded.items())
    answer = click.prompt(
        f"params.yaml was edited: {edits}. Record the edits below conf/, or drop them?",
        type=click.Choice(["keep", "discard"]),
        default="keep",
    )
    return bool(answer == "keep")


def _print_changes(composition: Composition) -> None:
    for key, (value, new) in composition.discarded.items():
        click.secho(f"  {key}: {value!r} in params.yaml, {new!r} from conf/", fg="yellow")
    changes = composition.changes()
    for key, (old, new) in changes.items():
        click.echo(f"  {key}: {old!r} -> {new!r}")
    if changes or not composition.before:
        return
    chosen_keys = [*composition.choices.groups, *composition.choices.values]
    if composition.conf_edited and chosen_keys:
        click.echo(
            "  conf/ was edited, and no parameter changes; recorded choices come before it: "
            f"{', '.join(chosen_keys)} (lockgate run '~KEY' forgets one, --reset all)"
        )
    elif composition.overrides:
        click.echo("  no parameter changes")
