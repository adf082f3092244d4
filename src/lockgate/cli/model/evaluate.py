"""``lockgate evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from lockgate.cli.terminal.bundle import default_bundle
from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.settings import parse_plugin_settings
from lockgate.cli.terminal.text import align_columns

if TYPE_CHECKING:
    from lockgate.models.bundle.evaluation import Evaluation

__all__ = ["command"]


@click.command(
    "evaluate",
    epilog=examples("""
        lockgate evaluate
        lockgate evaluate bundle march.csv
        lockgate evaluate bundle march.csv --require 'classification.roc_auc>=0.75'
        lockgate evaluate bundle march.csv --set anomaly.known=fraud
    """),
)
@click.argument("bundle", default=default_bundle, type=click.Path(file_okay=False, path_type=Path))
@click.argument("data", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--evaluator",
    "evaluators",
    multiple=True,
    metavar="NAME",
    help="Evaluator to run on DATA; may be repeated.",
    show_default="the one of the task",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME.SETTING=VALUE",
    help="Setting of an evaluator, which runs then; may be repeated.",
)
@click.option(
    "--require",
    "requirements",
    multiple=True,
    metavar="METRIC>=NUMBER",
    help="Exit with 1 unless the metric meets this bound; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def command(
    bundle: Path,
    data: Path | None,
    evaluators: tuple[str, ...],
    settings: tuple[str, ...],
    requirements: tuple[str, ...],
    as_json: bool,
) -> int:
    """Evaluate a bundle on DATA (CSV or Parquet), or show the metrics it was packaged with.

    Opening a bundle checks the digest of every file and predicts its probe rows
    again. DATA must have the model's inputs and the target. Where the bundle has a
    data contract, violations of it are listed; their rows are measured all the same.

    Exit codes: 0, all requirements are met; 1, one is not; 2, the bundle or the
    data cannot be used.
    """
    from lockgate.models.bundle.evaluation import evaluate_bundle

    chosen = {**{name: {} for name in evaluators}, **parse_plugin_settings(settings)}
    evaluation = evaluate_bundle(bundle, data, evaluators=chosen, requirements=requirements)
    if as_json:
        summary = {
            "bundle": evaluation.bundle.digest,
            "name": evaluation.bundle.manifest.name,
            "rows": evaluation.rows,
            "figures": evaluation.metrics,
            "failed": evaluation.failed,
            "violations": [msgspec.to_builtins(v) for v in evaluation.violations],
        }
        click.echo(json.dumps(summary, indent=1))
    else:
        _print(evaluation)
    return 1 if evaluation.failed else 0


def _print(evaluation: Evaluation) -> None:
    bundle = evaluation.bundle
    click.echo(f"{bundle.manifest.name} {bundle.digest[:12]}: files and probe rows are unchanged")
    if bundle.manifest.task == "binary":
        click.echo(f"positive class: {bundle.manifest.classes[1]}")
    if evaluation.rows:
        with_target = "" if bundle.manifest.schema.target is None else " with a target"
        click.echo(f"evaluated on {evaluation.rows:,} rows{with_target}")
    for violation in evaluation.violations:
        click.secho(f"data contract: {violation}", fg="yellow", err=True)
    rows = []
    for name, metrics in evaluation.metrics.items():
        for key, metric in metrics.items():
            low, high = metric["low"], metric["high"]
            interval = "" if low is None else f"{low:.4g} to {high:.4g}"
            rows.append([f"{name}.{key}", f"{metric['estimate']:.4g}", interval])
    click.echo("\n".join(align_columns(rows, indent=2)))
    for requirement in evaluation.failed:
        click.secho(f"not met: {requirement}", fg="red", err=True)
