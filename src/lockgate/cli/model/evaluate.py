"""``lockgate evaluate``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

__all__ = ["command"]

REQUIREMENT = re.compile(r"^([\w-]+)\.([\w-]+)\s*(>=|<=|>|<)\s*([-+\d.eE]+)$")


@click.command("evaluate")
@click.argument("bundle", default="bundle", type=click.Path(file_okay=False, path_type=Path))
@click.argument("data", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--evaluator", "names", multiple=True, help="Which; by default the task's own.")
@click.option(
    "--require",
    "requirements",
    multiple=True,
    metavar="FIGURE",
    help="E.g. 'classification.roc_auc>=0.75'; exit code 1 if it does not hold.",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def command(
    bundle: Path,
    data: Path | None,
    names: tuple[str, ...],
    requirements: tuple[str, ...],
    as_json: bool,
) -> int:
    """Open BUNDLE, and show its figures, or measure it on DATA (CSV or Parquet).

    \b
    lockgate evaluate
    lockgate evaluate bundle march.csv
    lockgate evaluate bundle march.csv --require 'classification.roc_auc>=0.75'

    Opening checks every digest and asks the probe rows again. Exit codes: 0, all
    requirements hold; 1, one does not; 2, bundle or data cannot be used.
    """
    from lockgate.models.bundle.open import open_bundle

    parsed_requirements = [_parse_requirement(text) for text in requirements]
    opened = open_bundle(bundle)
    evaluations = opened.metrics() if data is None else _measure(opened, data, names)
    failed = [
        requirement for requirement in parsed_requirements if not _holds(requirement, evaluations)
    ]
    if as_json:
        summary = {
            "bundle": opened.digest,
            "name": opened.manifest.name,
            "figures": evaluations,
            "failed": [requirement[0] for requirement in failed],
        }
        click.echo(json.dumps(summary, indent=1))
    else:
        _print(opened, evaluations, failed)
    return 1 if failed else 0


def _parse_requirement(text: str) -> tuple[str, str, str, str, float]:
    from lockgate.errors import UsageError

    match = REQUIREMENT.match(text.strip())
    try:
        if match is None:
            raise ValueError
        evaluator, metric, sign, bound = match.groups()
        return text, evaluator, metric, sign, float(bound)
    except ValueError:
        raise UsageError(
            f"--require {text!r} cannot be read; write e.g. 'classification.roc_auc>=0.75'"
        ) from None


def _holds(requirement: tuple[str, str, str, str, float], evaluations: dict[str, Any]) -> bool:
    from lockgate.errors import UsageError, nearest

    _, evaluator, metric, sign, bound = requirement
    known = [f"{name}.{key}" for name, metrics in evaluations.items() for key in metrics]
    if f"{evaluator}.{metric}" not in known:
        requested = f"{evaluator}.{metric}"
        raise UsageError(
            f"no figure {requested!r}{nearest(requested, known)}; there are {', '.join(known)}"
        )
    value = evaluations[evaluator][metric]["estimate"]
    return bool(
        {">=": value >= bound, "<=": value <= bound, ">": value > bound, "<": value < bound}[sign]
    )


def _measure(bundle: Any, path: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """Put the chosen evaluators to the bundle on the rows of a file."""
    import msgspec

    from lockgate.models.bundle.evaluation import (
        default_evaluators,
        predict_and_evaluate,
        read_rows,
        table_of,
    )
    from lockgate.plugins.host.catalogue import Catalogue

    catalogue = Catalogue.installed()
    evaluators = {name: catalogue.find("evaluator", name).load()() for name in names}
    rows = read_rows(path, bundle.manifest.inputs.target)
    _, evaluations = predict_and_evaluate(
        bundle, table_of(bundle, rows), evaluators or default_evaluators(bundle.manifest.task)
    )
    return {name: msgspec.to_builtins(metrics) for name, metrics in evaluations.items()}


def _print(bundle: Any, evaluations: dict[str, Any], failed: list[Any]) -> None:
    from lockgate.cli.terminal.text import align_columns

    click.echo(f"{bundle.manifest.name} {bundle.digest[:12]}: whole, and its probe rows agree")
    rows = []
    for name, metrics in evaluations.items():
        for key, metric in metrics.items():
            low, high = metric["low"], metric["high"]
            interval = "" if low is None else f"{low:.4g} to {high:.4g}"
            rows.append([f"{name}.{key}", f"{metric['estimate']:.4g}", interval])
    click.echo("\n".join(align_columns(rows, indent=2)))
    for requirement in failed:
        click.secho(f"does not hold: {requirement[0]}", fg="red", err=True)
