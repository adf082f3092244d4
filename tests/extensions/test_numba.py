"""Compiled trees give the answers of NumPy, to the bit."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lockgate
from lockgate.data.columns.inputs import ColumnInput
from lockgate.models.converters.convert import pack_estimator
from lockgate.models.converters.tree_arrays import add_forest
from lockgate.models.packed.format import numeric, outputs
from lockgate.models.packed.format.header import Answers
from lockgate.models.packed.format.writer import Builder
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.plugins.host.catalogue import Catalogue
from tests.conftest import Run
from tests.models.packed.test_engines import random_grove
from tests.models.packing import zoo

pytest.importorskip("numba", reason="numba is not installed")
ENGINE: lockgate.Engine = Catalogue.installed().find("engine", "numba").load()().compile()


@pytest.mark.parametrize(
    "name",
    [
        "forest",
        "forest of three",
        "boosting",
        "boosting with categories",
        "boosting of three",
        "tree with gaps",
        "gradient boosting of three",
        "stack",
    ],
)
def test_models_answer_the_same_bits(name: str) -> None:
    frame = zoo.frame_of()
    packed = PackedModel(pack_estimator(zoo.fitted(name, frame), zoo.inputs(frame)).raw)
    plain, fast = packed.predict(frame, engine="columns"), packed.predict(frame, engine=ENGINE)
    assert np.array_equal(plain.label, fast.label)
    assert np.array_equal(plain.score, fast.score)
    threaded = packed.predict(zoo.frame_of(20_000), engine=ENGINE, threads=3)
    assert np.array_equal(threaded.score, packed.predict(zoo.frame_of(20_000)).score)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    trees=st.integers(1, 6),
    leaves=st.sampled_from([1, 2, 20, 60, 90]),
    owned=st.booleans(),
    sets=st.integers(0, 2),
)
def test_random_trees_answer_the_same_bits(
    seed: int, trees: int, leaves: int, owned: bool, sets: int
) -> None:
    rng = np.random.default_rng(seed)
    grove = random_grove(rng, trees, leaves, 4, 1 if owned else 3, sets)
    builder = Builder([ColumnInput(f"x{k}", "number") for k in range(4)])
    x = builder.add(numeric.Numbers, columns=(0, 1, 2, 3))
    output = rng.integers(0, 3, trees) if owned else None
    op = add_forest(builder, x, grove, 3, base=rng.normal(size=3), output=output, divide=3)
    label = builder.add(outputs.ArgMax, op)
    model = PackedModel(builder.finish("regression", (), Answers(label, None, op)))
    rows = rng.integers(-4, 7, size=(50, 4)) / 2
    rows[rng.random(rows.shape) < 0.15] = np.nan
    plain, fast = model.predict(rows, engine="columns"), model.predict(rows, engine=ENGINE)
    assert np.array_equal(plain.margin, fast.margin)


def test_the_command_takes_an_engine_by_name(call: Run, tmp_path: Path) -> None:
    frame = zoo.frame_of(300)
    target = zoo.targets(frame)["two"]
    bundle = lockgate.pack(zoo.fitted("boosting", frame), frame, target, path=tmp_path / "b")
    frame.to_parquet(tmp_path / "in.parquet")
    call("lockgate", "predict", "b", "in.parquet", "out.parquet", "--engine", "numba", cwd=tmp_path)
    made = pd.read_parquet(tmp_path / "out.parquet")
    assert np.array_equal(made["score"], bundle.predict(frame, threads=2).score)
    words = ["predict", "b", "in.parquet", "other.csv", "--engine", "nmba"]
    assert "did you mean 'numba'" in call("lockgate", *words, cwd=tmp_path, code=2).stderr
