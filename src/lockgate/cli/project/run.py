"""``lockgate run``."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import click

__all__ = ["command"]


@click.command("run")
@click.argument("overrides", nargs=-1)
@click.option("--keep", is_flag=True, help="Start from params.yaml, hand edits included.")
@click.option("-m", "--multirun", is_flag=True, help="Queue a DVC experiment per combination.")
@click.option("--force", is_flag=True, help="Run every stage, changed or not.")
@click.option("--until", metavar="STAGE", help="Stop after that stage.")
@click.option("--no-run", is_flag=True, help="Write params.yaml and stop.")
@click.option("--dry", is_flag=True, help="Write nothing; show what would change.")
def command(
    overrides: tuple[str, ...],
    keep: bool,
    multirun: bool,
    force: bool,
    until: str | None,
    no_run: bool,
    dry: bool,
) -> int:
    """Compose the parameters from conf/ and OVERRIDES, then run what they change.

    \b
    lockgate run                                  what conf/config.yaml says
    lockgate run model=boosting                   another model
    lockgate run experiment=diagnosis             a file of conf/experiment/
    lockgate run compressor=[lasso,prune]         two, in that order
    lockgate run compressor=[]                    none
    lockgate run optimizer=random optimizer.random.trials=20
    lockgate run +evaluator=business              one more
    lockgate run -m model=logistic,boosting       queue an experiment each

    `lockgate plugins` lists the names, `lockgate show` all values and their origin.
    """
    from lockgate.plugins.config.compose import compose_document
    from lockgate.plugins.config.recompose import recompose
    from lockgate.plugins.host.params_file import read_params

    root = Path.cwd()
    _check_options(multirun, until, [keep, force, no_run, dry])
    if multirun:
        return _queue(overrides)
    file = root / "params.yaml"
    before = read_params(file) if file.is_file() else {}
    if keep:
        document = recompose(before, overrides)
    else:
        document = compose_document(root, overrides)
        _print_discarded(root, before, document)
    if dry:
        _print_changes(before, document)
        return 0
    _write(root, before, document, overrides)
    return 0 if no_run else _repro(root, force, until)


def _check_options(multirun: bool, until: str | None, other_flags: list[bool]) -> None:
    from lockgate.errors import UsageError, nearest
    from lockgate.pipeline.stage import STAGES

    if until is not None and until not in STAGES:
        raise UsageError(f"no stage {until!r}{nearest(until, STAGES)}; stages: {', '.join(STAGES)}")
    if multirun and (until is not None or any(other_flags)):
        raise UsageError("-m queues whole experiments; it goes with no other option")


def _write(
    root: Path, before: dict[str, Any], document: dict[str, Any], overrides: tuple[str, ...]
) -> None:
    from lockgate.plugins.config.last_composed import record_composition
    from lockgate.plugins.host.params_file import write_params

    if before != document:
        _print_changes(before, document)
        write_params(
            root / "params.yaml",
            document,
            "Composed by `lockgate run` from conf/ and overrides; checked whole by every stage.\n"
            "Edit it and run `dvc repro`, or recompose it with `lockgate run OVERRIDES`.",
        )
    record_composition(root, document, overrides)


def _print_discarded(root: Path, before: dict[str, Any], document: dict[str, Any]) -> None:
    from lockgate.plugins.config.last_composed import find_discarded_edits

    edits = find_discarded_edits(root, before, document)
    if edits:
        click.secho(
            "Hand edits of params.yaml that this discards (--keep keeps them):", fg="yellow"
        )
        for key, (value, new) in edits.items():
            click.echo(f"  {key}: {value!r} becomes {new!r}")


def _print_changes(before: dict[str, Any], document: dict[str, Any]) -> None:
    from lockgate.plugins.config.origins import flatten

    old, new = flatten(before), flatten(document)
    if not before:
        return
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            click.echo(f"  {key}: {_format_value(old, key)} -> {_format_value(new, key)}")


def _format_value(values: dict[str, Any], key: str) -> str:
    return repr(values[key]) if key in values else "(not there)"


def _repro(root: Path, force: bool, until: str | None) -> int:
    from lockgate.cli.project.summary import print_results
    from lockgate.pipeline.stage_server import stage_server

    argv = ["repro", *(["--force"] if force else []), *([until] if until else [])]
    with stage_server("lockgate.cli.stage_server") as variables:
        code = _run_dvc(argv, variables)
    if code == 0 and until is None:
        print_results(root)
    return code


def _queue(overrides: tuple[str, ...]) -> int:
    argv = ["exp", "run", "--queue"]
    for override in overrides:
        argv += ["-S", override]
    code = _run_dvc(argv, {})
    if code == 0:
        click.echo("Queued. Run them: dvc queue start. Compare them: dvc exp show")
    return code


def _run_dvc(argv: list[str], variables: dict[str, str]) -> int:
    """Run the DVC of this environment; its stages find this environment's lockgate."""
    scripts = sysconfig.get_path("scripts")
    path = os.pathsep.join([scripts, os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, **variables}
    command = [sys.executable, "-m", "dvc", *argv]
    # DVC's own code for a failed stage is 255; what failed it has said why
    return min(subprocess.run(command, env=environment, check=False).returncode, 2)
