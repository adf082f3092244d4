"""How good the example models are on unseen time, what an easy split would have said, and
which columns of the flights are found drifted, month by month.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}",
}
SHOWN = ("temp", "hour", "distance", "seats")
MONTHS = range(4, 11)


def report() -> str:
    with tempfile.TemporaryDirectory(prefix="lockgate-bench-") as folder:
        project = _project(Path(folder))
        purchases = _figures(project, "experiment=purchases")
        easy = _figures(
            project,
            "experiment=purchases",
            "split.by=random",
            "split.test_from=null",
            "loader.purchases.cuts=['1998-01-01']",
        )
        spend = _figures(project, "experiment=spend")
        easy_spend = _figures(
            project,
            "experiment=spend",
            "split.by=random",
            "split.test_from=null",
            "loader.spend.cuts=['1998-01-01']",
        )
        boosted = _figures(project, "experiment=purchases", "model=boosting", "compressor=[]")
        months = _months(project)
    rows = [
        "## The example models, on rows that nothing was decided on\n",
        "| | on unseen time | 95 % interval | random split of the last cut | difference |",
        "|---|---|---|---|---|",
        _row("purchases, logistic: ROC AUC", purchases, easy, "classification", "roc_auc"),
        _row("purchases, logistic: log loss", purchases, easy, "classification", "log_loss"),
        _row(
            "purchases, logistic: calibration error",
            purchases,
            easy,
            "classification",
            "calibration_error",
        ),
        _row("purchases, boosting: ROC AUC", boosted, None, "classification", "roc_auc"),
        _row("spend, least squares: R²", spend, easy_spend, "regression", "r2"),
        "",
        "Trained on what was known on 5 July 1997, tested on 1 January 1998; the random split",
        "trains and tests on different customers of the last cut alone.\n",
        "## Drift of the flights, monitor `drift` at its defaults\n",
        "Effect (largest distance of the cumulative shares) against the training rows, January to",
        "10 March; **bold**: alarm (effect at least 0.1, certain after Holm's correction).\n",
        "| month | " + " | ".join(SHOWN) + " | all that alarm | AUC then |",
        "|---|" + "---|" * (len(SHOWN) + 2),
        *months,
    ]
    return "\n".join(rows) + "\n"


def _project(folder: Path) -> Path:
    project = folder / "project"
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    shutil.copytree(ROOT / "conf", project / "conf")
    shutil.copyfile(ROOT / "dvc.yaml", project / "dvc.yaml")
    (project / "data" / "raw").mkdir(parents=True)
    (project / "data" / "raw" / ".gitkeep").touch()
    subprocess.run(["dvc", "init", "-q"], cwd=project, env=ENVIRONMENT, check=True)
    return project


def _figures(project: Path, *overrides: str) -> dict[str, Any]:
    _run(project, *overrides)
    return dict(json.loads((project / "report" / "report.json").read_bytes())["evaluators"])


def _run(project: Path, *overrides: str) -> None:
    done = subprocess.run(
        ["lockgate", "run", *overrides],
        cwd=project,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)


def _row(
    title: str, honest: dict[str, Any], easy: dict[str, Any] | None, evaluator: str, figure: str
) -> str:
    found = honest[evaluator]["metrics"][figure]
    row = f"| {title} | {found['estimate']:.3f} | {found['low']:.3f} to {found['high']:.3f} |"
    if easy is None:
        return row + " | |"
    other = easy[evaluator]["metrics"][figure]["estimate"]
    return row + f" {other:.3f} | {found['estimate'] - other:+.3f} |"


def _months(project: Path) -> list[str]:
    rows = []
    for month in MONTHS:
        until = f"2013-{month + 1:02d}-01"
        _run(
            project,
            "experiment=flights",
            f"window.since=2013-{month:02d}-01",
            f"window.until={until}",
        )
        found = json.loads((project / "report" / "findings.json").read_bytes())["findings"]["drift"]
        performance = json.loads((project / "report" / "monitor.json").read_bytes())["performance"]
        by_name = {one["column"]: one for one in found}
        cells = [_effect(by_name[name]) for name in SHOWN]
        alarms = ", ".join(one["column"] for one in found if one["severity"] == "alarm")
        rows.append(
            f"| {month} | " + " | ".join(cells) + f" | {alarms} | {performance['roc_auc']:.3f} |"
        )
    return rows


def _effect(finding: dict[str, Any]) -> str:
    text = f"{finding['effect']:.3f}"
    return f"**{text}**" if finding["severity"] == "alarm" else text


if __name__ == "__main__":
    print(report())
