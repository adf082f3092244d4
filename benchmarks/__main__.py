"""Runs every benchmark and writes docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from benchmarks import (
    explain,
    intervals,
    isolation,
    models,
    networks,
    overhead,
    prediction_regions,
    quality,
    reading,
    serving,
    slices,
    startup,
    versions,
)

PLACE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def main() -> None:
    libraries = ", ".join(
        f"{n} {version(n)}"
        for n in ("dvc", "hydra-core", "scikit-learn", "numpy", "lightgbm", "treelite", "numba")
    )
    parts = [
        "# Benchmarks\n",
        "Written by `make bench`; anyone can run it again. Medians; the things compared run",
        "interleaved in one run.\n",
        f"Machine: {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, {libraries}.\n",
        startup.report(),
        overhead.report(),
        quality.report(),
        intervals.report(),
        prediction_regions.report(),
        slices.report(),
        explain.report(),
        networks.report(),
        models.report(),
        reading.report(),
        serving.report(),
        isolation.report(),
        versions.report(),
    ]
    PLACE.write_text("\n".join(parts).rstrip() + "\n", encoding="utf-8")
    print(PLACE.read_text(encoding="utf-8"))


main()
