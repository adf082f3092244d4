"""Training and packing give the same bytes over processes, hash seeds and thread counts."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT, environment

SCRIPT = """
import hashlib, sys
from threadpoolctl import threadpool_limits
import lockgate
from lockgate.builtin.models.boosting import Boosting
from lockgate.builtin.models.linear import Linear
from lockgate.builtin.models.logistic import Logistic
from lockgate.models.converters.convert import inputs_of, pack_estimator
from lockgate.models.skops_file import write_estimator
from lockgate.contract.recipes import BuildRequest
from lockgate.contract.sections import CellRules
from lockgate.data.cell_rules import build_cell_steps
from lockgate.testing.examples import example_table
from lockgate.modeling.training.fitting import fit
from lockgate.modeling.training.threads import limit_threads
from dataclasses import replace
from pathlib import Path
import tempfile

threads, rows, options = int(sys.argv[1]), int(sys.argv[2]), eval(sys.argv[3])
for plugin, task in ((Logistic, "binary"), (Logistic, "multiclass"), (Linear, "regression"),
                     (Boosting, "binary"), (Boosting, "multiclass"), (Boosting, "regression")):
    table = example_table(task, rows=rows)
    options_of = options if plugin is Boosting else {}
    recipe = plugin(**options_of).build(BuildRequest(schema=table.schema, task=task, seed=3))
    steps = build_cell_steps(table.schema, CellRules(), recipe.requirements)
    with limit_threads(threads):
        fitted = fit(replace(recipe, steps=(*steps, *recipe.steps)), {}, table)
    raw = pack_estimator(fitted, inputs_of(table.schema.features)).raw
    print(plugin.__name__, task, hashlib.sha256(raw).hexdigest())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m"
        write_estimator(path, fitted)
        if "Boosting" not in plugin.__name__:  # the estimator itself remembers its threads
            print("  skops", hashlib.sha256(path.read_bytes()).hexdigest())
"""


SOAK = bool(os.environ.get("LOCKGATE_SOAK"))

RUNS = [("0", 1), ("random", 4), *([("1", 2)] if SOAK else [])]
"""Seed of the hashes, and threads."""

SIZE = ["2000", "{}"] if SOAK else ["800", "{'trees': 40}"]
"""Rows, and settings of boosting."""


@pytest.mark.slow
def test_baseline_models_have_equal_bytes_everywhere() -> None:
    found = set()
    for seed, threads in RUNS:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(threads), *SIZE],
            cwd=ROOT,
            env=environment(PYTHONHASHSEED=seed, OMP_THREAD_LIMIT="4"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        found.add(done.stdout)
    assert len(found) == 1, "\n---\n".join(sorted(found))
