"""How often the 95 % intervals of metrics hold the truth, by simulation.

Scores are normal in both classes, so that the true metrics are known. Rows stand alone,
have weights (log-normal, independent of everything), or come in groups of 10 whose
scores and labels resemble each other.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

from lockgate.contract.prediction import Output
from lockgate.modeling.metrics.classification import FEWEST, classification_metrics

GOAL = 0.93
AREAS = (0.7, 0.85, 0.95)
PREVALENCES = (0.01, 0.1, 0.5)
POSITIVES = (5, 20, 100, 1000)
ENOUGH = (50, 200)
"""Positive rows of which hardly any draw has fewer than a class needs."""

KINDS = ("plain", "weights", "groups of 10")
RATES = ("roc_auc", "accuracy", "precision", "recall", "prevalence")
OTHERS = ("pr_auc", "f1", "log_loss", "brier", "calibration_error")
CELLS = 50_000_000
"""Rows that are drawn for a case, about."""

ALIKE = 0.3
"""Share of a score's variance, and of the labels, that a group has in common."""


class Case(NamedTuple):
    """Rows to draw."""

    area: float
    prevalence: float
    positives: int
    kind: str

    @property
    def rows(self) -> int:
        """How many rows."""
        return round(self.positives / self.prevalence)

    @property
    def distance(self) -> float:
        """Distance of the means of both classes, in standard deviations."""
        return float(np.sqrt(2) * ndtri(self.area))

    @property
    def threshold(self) -> float:
        """The score from which six of ten positive rows are predicted positive."""
        return float(self.score(np.array(self.distance - ndtri(0.6))))

    def score(self, x: np.ndarray) -> np.ndarray:
        """The probability of the positive class."""
        return np.asarray(expit(self.distance * x - self.distance**2 / 2 + logit(self.prevalence)))


def draw(
    case: Case, rows: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Return truth, score, weights and groups."""
    truth = rng.random(rows) < case.prevalence
    noise = rng.normal(size=rows)
    weight = groups = None
    if case.kind == "weights":
        weight = np.exp(0.7 * rng.normal(size=rows))
    if case.kind == "groups of 10":
        groups = np.arange(rows) // 10
        count = int(groups[-1]) + 1
        common = rng.random(count) < case.prevalence
        truth = np.where(rng.random(rows) < ALIKE, common[groups], truth)
        noise = np.sqrt(ALIKE) * rng.normal(size=count)[groups] + np.sqrt(1 - ALIKE) * noise
    return truth, case.score(noise + case.distance * truth), weight, groups


def true_metrics(case: Case, rng: np.random.Generator, rows: int) -> dict[str, float]:
    """Return the metrics of all rows that could be drawn."""
    share = case.prevalence
    cut = case.distance - ndtri(0.6)
    recall, false_rate = 0.6, float(1 - ndtr(cut))
    hits = share * recall
    predicted = hits + (1 - share) * false_rate
    truth, score, *_ = draw(case._replace(kind="plain"), rows, rng)
    measured = classification_metrics(
        "binary", truth, Output(score >= case.threshold, score), (False, True), case.threshold,
        resamples=0,
    ).metrics  # fmt: skip
    return {name: metric.estimate for name, metric in measured.items()} | {
        "roc_auc": case.area,
        "accuracy": hits + (1 - share) * (1 - false_rate),
        "precision": hits / predicted,
        "recall": recall,
        "prevalence": share,
        "f1": 2 * hits / (predicted + share),
        "calibration_error": 0.0,
    }


def coverage(
    case: Case, draws: int, resamples: int, *, seed: int = 0, true_rows: int = 2_000_000
) -> dict[str, tuple[float, int]]:
    """Return for each metric the share of intervals that hold the truth, and their number."""
    rng = np.random.default_rng([seed, *map(ord, repr(case))])
    expected = true_metrics(case, rng, true_rows)
    held: dict[str, list[bool]] = defaultdict(list)
    for _ in range(draws):
        truth, score, weight, groups = draw(case, case.rows, rng)
        measured = classification_metrics(
            "binary",
            truth,
            Output(score >= case.threshold, score),
            (False, True),
            case.threshold,
            weight=weight,
            groups=groups,
            resamples=resamples,
        ).metrics
        for name, metric in measured.items():
            if metric.low is not None and metric.high is not None:
                held[name].append(metric.low <= expected[name] <= metric.high)
    return {name: (float(np.mean(hits)), len(hits)) for name, hits in held.items()}


def _cases(largest: int, positives: tuple[int, ...]) -> Iterator[Case]:
    for area in AREAS:
        for prevalence in PREVALENCES:
            for count in positives:
                for kind in KINDS:
                    case = Case(area, prevalence, count, kind)
                    if case.rows <= largest:
                        yield case


def report(draws: int = 1000) -> str:
    """Measure, and write a page's section."""
    lines = ["## Intervals of metrics, 95 %: how often they hold the truth\n"]
    for title, names, positives, resamples, each in (
        ("Rates and ROC AUC", RATES, POSITIVES, 1, draws),
        ("Other metrics", OTHERS, ENOUGH, 200, draws),
    ):
        lines += [f"{title}, {each} draws a case:\n", "| rows | " + " | ".join(names) + " |"]
        lines += ["|---" * (len(names) + 1) + "|"]
        lowest: dict[str, dict[str, tuple[float, Case]]] = defaultdict(dict)
        for case in _cases(100_000 if resamples == 1 else 2000, positives):
            times = max(min(500, each), min(each, CELLS // case.rows))
            for name, (share, count) in coverage(case, times, resamples).items():
                if name in names and count >= times // 2:
                    lowest[case.kind][name] = min(
                        lowest[case.kind].get(name, (1.0, case)), (share, case)
                    )
        for kind, shares in lowest.items():
            cells = [f"{shares[name][0]:.3f}" if name in shares else "none" for name in names]
            lines.append(f"| {kind}, lowest | " + " | ".join(cells) + " |")
            for name, (share, case) in shares.items():
                if share < GOAL:
                    print(f"below {GOAL}: {name} {share:.3f} {case}", file=sys.stderr)
        lines.append("")
    lines.append(
        f"ROC AUC {AREAS[0]} to {AREAS[-1]}, prevalence 1 to 50 %, {POSITIVES[0]} to "
        f"{POSITIVES[-1]} positive rows; fewer than {FEWEST} of a class give no interval below."
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    print(report(parser.parse_args().draws))
