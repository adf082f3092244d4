"""``lockgate pack``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["command"]

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("pack")
@click.argument("model", type=FILE)
@click.option("--data", required=True, type=FILE, help="Rows that it was fitted on, or some.")
@click.option("--target", metavar="COLUMN", help="What it predicts; none for clusters.")
@click.option("--name", help="Name of the model; by default the file's.")
@click.option("--out", type=click.Path(path_type=Path), help="Directory; by default the name.")
@click.option("--tune", type=FILE, help="Rows it was not fitted on, for --threshold f1.")
@click.option("--test", type=FILE, help="Rows to measure it on.")
@click.option("--threshold", metavar="NUMBER|f1", help="From which score on class two is answered.")
@click.option(
    "--declare", multiple=True, metavar="KEY=TEXT", help="Its origin, e.g. commit=1a2b3c."
)
@click.option("--trust-code", is_flag=True, help="Open files that can run code (joblib, pickle).")
@click.option("--dry-run", is_flag=True, help="Only list what is covered, step by step.")
def command(
    model: Path,
    data: Path,
    target: str | None,
    name: str | None,
    out: Path | None,
    tune: Path | None,
    test: Path | None,
    threshold: str | None,
    declare: tuple[str, ...],
    trust_code: bool,
    dry_run: bool,
) -> int:
    """Make a bundle of MODEL, a skops, joblib or pickle file that was fitted elsewhere.

    \b
    lockgate pack churn.skops --data train.csv --target churned
    lockgate pack churn.joblib --data train.csv --target churned --trust-code
    lockgate pack churn.joblib --data train.csv --target churned --trust-code --dry-run

    The file is opened in a process of its own; a joblib or pickle file runs
    whatever code it holds, hence --trust-code. The bundle holds data only, and
    its answers were compared with the original's, label by label.
    """
    from lockgate.errors import NotCovered
    from lockgate.models.packing.pack_file import PackJob, pack_file

    parsed_threshold = _parse_threshold(threshold)
    job = PackJob(str(model), str(data), target, trust_code, not dry_run)
    result, raw = pack_file(job)
    for step in result.steps:
        click.echo(f"  {step}")
    for note in result.notes:
        click.echo(f"  note: {note}", err=True)
    if result.error is not None or raw is None:
        raise NotCovered(str(result.error))
    if dry_run:
        click.echo("everything is covered; leave out --dry-run to make the bundle")
        return 0
    return _write(
        raw,
        result.features,
        data,
        target,
        name or model.stem,
        out,
        tune,
        test,
        parsed_threshold,
        declare,
    )


def _write(
    raw: bytes,
    features: list[str],
    data: Path,
    target: str | None,
    name: str,
    out: Path | None,
    tune: Path | None,
    test: Path | None,
    threshold: float | str | None,
    declare: tuple[str, ...],
) -> int:
    from lockgate.data.io.frames import read_frame
    from lockgate.errors import UsageError
    from lockgate.models.packing.pack import write_packed
    from lockgate.models.packing.rows import table_from

    def read_table(path: Path) -> Any:
        frame = read_frame(path)
        missing = [
            column for column in [*features, *([target] if target else [])] if column not in frame
        ]
        if missing:
            raise UsageError(f"{path} has no column {', '.join(missing)}")
        return table_from(frame[features], frame[target] if target else None)[0]

    lineage = dict(_parse_declaration(text) for text in declare)
    tables = {key: read_table(path) for key, path in (("tune", tune), ("test", test)) if path}
    bundle = write_packed(
        raw,
        read_table(data),
        path=out or Path(name),
        name=name,
        threshold=threshold,
        lineage=lineage,
        **tables,
    )
    size = sum(path.stat().st_size for path in bundle.path.iterdir()) / 1024
    click.echo(f"{bundle.path}: {bundle.manifest.task} model {bundle.digest[:12]}, {size:.1f} kB")
    click.echo(f"Next: lockgate predict {bundle.path} {data} answers.csv")
    return 0


def _parse_threshold(text: str | None) -> float | str | None:
    from lockgate.errors import UsageError

    if text is None or text == "f1":
        return text
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--threshold {text!r}: give a number from 0 to 1, or f1") from None


def _parse_declaration(text: str) -> tuple[str, str]:
    from lockgate.errors import UsageError

    key, separator, value = text.partition("=")
    if not separator or not key:
        raise UsageError(f"--declare {text!r}: write KEY=TEXT, e.g. commit=1a2b3c")
    return key, value
