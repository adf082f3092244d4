"""Trees and sums answer the same bits one by one, by columns, on every backend."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.data.columns.inputs import ColumnInput
from lockgate.models.converters.tree_arrays import TreeArrays, add_forest, float32_limits
from lockgate.models.packed.format import arithmetic, categorical, linear, numeric, outputs
from lockgate.models.packed.format.header import Answers
from lockgate.models.packed.format.writer import Builder
from lockgate.models.packed.runtime.forest import MAX_TABLE_BYTES
from lockgate.models.packed.runtime.model import PackedModel
from tests.array_backends import STRICT, other_backends


@given(st.floats(-800, 720))
def test_exp_is_right_to_a_unit_in_the_last_place_and_the_same_for_arrays(x: float) -> None:
    one = arithmetic.exp_one(x)
    many = arithmetic.exp(np.full((1, 3), x), np, arithmetic.POWERS_ARRAY)
    assert (many == one).all() or (math.isinf(one) and np.isinf(many).all())
    if -700 < x < 709:
        assert abs(one - math.exp(x)) <= 2 * math.ulp(math.exp(x))


def test_exp_ends_in_zero_and_infinity_and_keeps_nan() -> None:
    assert arithmetic.exp_one(-1e308) == 0.0
    assert arithmetic.exp_one(710.0) == math.inf
    assert math.isnan(arithmetic.exp_one(math.nan))
    found = arithmetic.exp(np.array([-math.inf, math.inf, math.nan]), np, arithmetic.POWERS_ARRAY)
    assert found[0] == 0.0
    assert found[1] == math.inf
    assert math.isnan(found[2])


@given(st.floats(allow_nan=False, allow_infinity=False, width=64, min_value=-1e30, max_value=1e30))
def test_limits_for_doubles_decide_as_those_for_rounded_numbers(limit: float) -> None:
    found = float(float32_limits(np.array([limit]))[0])
    near = [found, np.nextafter(found, np.inf), np.nextafter(found, -np.inf), limit]
    near += [float(np.nextafter(np.float32(limit), np.float32(np.inf)))]
    for x in near:
        assert (x <= found) == (float(np.float32(x)) <= limit)


def random_grove(
    rng: np.random.Generator, trees: int, leaves: int, width: int, outputs: int, sets: int
) -> TreeArrays:
    """Grow random trees: columns below `sets` hold categories."""
    parts = []
    for _ in range(trees):
        left, right, feature, limit, gap, members = [-1], [-1], [0], [0.0], [False], {}
        open_nodes, inner = [0], 0
        while open_nodes and inner < leaves - 1:
            node = open_nodes.pop(int(rng.integers(len(open_nodes))))
            left[node], right[node] = len(left), len(left) + 1
            for column in (left, right):
                column += [-1, -1]
            feature[node] = int(rng.integers(width))
            limit[node] = float(rng.integers(-3, 4)) / 2
            gap[node] = bool(rng.random() < 0.5)
            feature += [0, 0]
            limit += [0.0, 0.0]
            gap += [False, False]
            if feature[node] < sets:
                members[node] = rng.random(6) < 0.5
            open_nodes += [left[node], right[node]]
            inner += 1
        count = len(left)
        parts.append(
            TreeArrays(
                np.zeros(1, int),
                np.array(left),
                np.array(right),
                np.array(feature),
                np.array(limit),
                np.array(gap),
                rng.normal(size=(count, outputs)),
                members,
            )
        )
    return TreeArrays.concatenate(parts)


def walked(
    grove: TreeArrays, row: np.ndarray, base: np.ndarray, output: np.ndarray | None
) -> list[float]:
    """Follow pointers, one node at a time, and add in order."""
    total = base.copy()
    for tree, root in enumerate(grove.roots):
        node = root
        while grove.left[node] >= 0:
            x = row[grove.feature[node]]
            if node in grove.sets:
                members = grove.sets[node]
                odd = math.isnan(x) or x <= -1 or x >= len(members) - 1
                goes_left = members[-1] if odd else members[int(x)]
            else:
                goes_left = grove.missing_left[node] if math.isnan(x) else x <= grove.limit[node]
            node = grove.left[node] if goes_left else grove.right[node]
        if output is None:
            total = total + grove.value[node]
        else:
            total[output[tree]] += grove.value[node][0]
    return total.tolist()


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    trees=st.integers(1, 7),
    leaves=st.sampled_from([1, 2, 9, 40, 90]),
    output_count=st.integers(1, 3),
    owned=st.booleans(),
    sets=st.integers(0, 2),
)
def test_trees_end_where_pointers_lead(
    seed: int, trees: int, leaves: int, output_count: int, owned: bool, sets: int
) -> None:
    rng = np.random.default_rng(seed)
    width = 4
    grove = random_grove(rng, trees, leaves, width, 1 if owned else output_count, sets)
    output = rng.integers(0, output_count, trees) if owned else None
    base = rng.normal(size=output_count)
    builder = Builder([ColumnInput(f"x{k}", "number") for k in range(width)])
    x = builder.add(numeric.Numbers, columns=tuple(range(width)))
    op = add_forest(builder, x, grove, output_count, base=base, output=output)
    label = builder.add(outputs.ArgMax, op)
    model = PackedModel(builder.finish("regression", (), Answers(label, None, op)))
    rows = rng.integers(-4, 7, size=(37, width)) / 2
    rows[rng.random(rows.shape) < 0.15] = np.nan
    wanted = np.array([walked(grove, row, base, output) for row in rows])
    by_columns = model.predict(rows, engine="columns").margin
    by_rows = model.predict(rows, engine="rows").margin
    elsewhere = [model.predict(rows, backend=backend).margin for backend in other_backends()]
    for found in (by_columns, by_rows, *elsewhere):
        assert np.array_equal(np.reshape(found, (37, output_count)), wanted)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    leaves=st.sampled_from([2, 9, 40, 90]),
    categories=st.integers(1, 4),
    order=st.permutations(["numbers", "first", "second"]),
)
def test_trees_on_one_hot_columns_end_where_those_on_plain_columns_do(
    seed: int, leaves: int, categories: int, order: list[str]
) -> None:
    rng = np.random.default_rng(seed)
    names = tuple("abcd"[:categories])
    inputs = [ColumnInput("x0", "number"), ColumnInput("x1", "number")]
    inputs += [ColumnInput(name, "category", categories=names) for name in ("first", "second")]
    builder = Builder(inputs)
    blocks = {"numbers": builder.add(numeric.Numbers, columns=(0, 1))}
    width = 2
    for column, name in enumerate(("first", "second"), 2):
        codes = builder.add(categorical.Category, column=column)
        # some codes share a column, and some have none
        columns = rng.integers(-1, categories, categories + 2)
        blocks[name] = builder.add(
            categorical.OneHot, codes, code_columns=builder.array(columns, "i4"), width=categories
        )
        width += categories
    x = builder.add(numeric.Concat, *[blocks[name] for name in order])
    op = add_forest(builder, x, random_grove(rng, 5, leaves, width, 1, 0), 1, base=np.zeros(1))
    label = builder.add(outputs.ArgMax, op)
    model = PackedModel(builder.finish("regression", (), Answers(label, None, op)))
    texts = rng.choice([*names, "other", None], size=(2, 37))
    numbers = rng.integers(-4, 7, size=(2, 37)) / 2
    numbers[rng.random(numbers.shape) < 0.15] = np.nan
    rows = dict(zip(("x0", "x1", "first", "second"), [*numbers, *texts], strict=True))
    by_rows = model.predict(rows, engine="rows").margin
    assert np.array_equal(model.predict(rows, engine="columns").margin, by_rows)
    for backend in other_backends():
        assert np.array_equal(model.predict(rows, backend=backend).margin, by_rows)


def test_tables_of_many_categories_stay_within_their_size() -> None:
    names = tuple(f"c{k:05}" for k in range(60_000))
    builder = Builder(
        [ColumnInput("x0", "number"), ColumnInput("name", "category", categories=names)]
    )
    codes = builder.add(categorical.Category, column=1)
    columns = np.arange(len(names) + 2, dtype=int) % 3
    hot = builder.add(categorical.OneHot, codes, code_columns=builder.array(columns, "i4"), width=3)
    x = builder.add(numeric.Concat, builder.add(numeric.Numbers, columns=(0,)), hot)
    grove = random_grove(np.random.default_rng(0), 300, 9, 4, 1, 0)
    op = add_forest(builder, x, grove, 1, base=np.zeros(1))
    label = builder.add(outputs.ArgMax, op)
    model = PackedModel(builder.finish("regression", (), Answers(label, None, op)))
    rows = {"x0": [0.5, None, 2.0] * 9, "name": ["c00000", "c00001", "other"] * 9}
    strict = model.predict(rows, backend=STRICT).margin
    tracemalloc.start()
    margins = model.predict(rows, engine="columns").margin
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.array_equal(margins, strict)
    assert peak < MAX_TABLE_BYTES


@settings(max_examples=30)
@given(rows=st.integers(1, 70), terms=st.integers(1, 60), seed=st.integers(0, 999))
def test_addition_goes_from_first_to_last_whatever_the_shape(
    rows: int, terms: int, seed: int
) -> None:
    values = np.random.default_rng(seed).normal(size=(terms, rows)) * 10.0 ** np.arange(rows)
    wanted = [arithmetic.ordered_sum_one(values[:, k].tolist()) for k in range(rows)]
    assert arithmetic.ordered_sum(values, np).tolist() == wanted


def test_one_hot_columns_are_added_as_if_all_their_zeros_were() -> None:
    rng = np.random.default_rng(3)
    builder = Builder(
        [ColumnInput("c", "category", categories=("a", "b", "z")), ColumnInput("x", "number")]
    )
    code = builder.add(categorical.Category, column=0)
    hot = builder.add(
        categorical.OneHot, code, code_columns=builder.array([0, 1, 2, -1, -1], "i4"), width=3
    )
    x = builder.add(numeric.Numbers, columns=(1,))
    both = builder.add(numeric.Concat, x, hot)
    weights, bias = builder.array(rng.normal(size=(2, 4))), builder.array(rng.normal(size=2))
    folded = builder.add(linear.Linear, both, weights=weights, bias=bias)
    same = builder.add(numeric.Select, both, columns=(0, 1, 2, 3))
    dense = builder.add(linear.Linear, same, weights=weights, bias=bias)
    apart = builder.add(numeric.Concat, folded, dense)
    label = builder.add(outputs.ArgMax, apart)
    model = PackedModel(builder.finish("regression", (), Answers(label, None, apart)))
    rows = {"c": ["a", "z", None, "new", "b"] * 5, "x": rng.normal(size=25)}
    for engine in ("rows", "columns"):
        found = model.predict(rows, engine=engine).margin
        assert np.array_equal(found[:, :2], found[:, 2:])


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_and_chunks_change_no_bit(threads: int) -> None:
    rng = np.random.default_rng(0)
    grove = random_grove(rng, 5, 20, 3, 1, 0)
    builder = Builder([ColumnInput(f"x{k}", "number") for k in range(3)])
    x = builder.add(numeric.Numbers, columns=(0, 1, 2))
    op = add_forest(builder, x, grove, 1)
    model = PackedModel(builder.finish("regression", (), Answers(op)))
    rows = rng.normal(size=(20_001, 3))
    whole = model.predict(rows, threads=threads).label
    assert np.array_equal(whole[15_000:15_100], model.predict(rows[15_000:15_100]).label)
    assert np.array_equal(whole[-3:], model.predict(rows[-3:]).label)
