"""Data contracts: inferred, written, checked by every form of rows, widened."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given

import lockgate
from lockgate import ColumnRule, DataContract, DataError, UsageError
from lockgate.data.columns.inputs import ColumnInput
from lockgate.data.data_contract.checked_table import load_with_contract
from lockgate.data.data_contract.counts import CheckedRows
from lockgate.data.data_contract.file import contract_diff, contract_text
from lockgate.data.data_contract.row_checks import check_rows


def frame(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 90, rows),
            "zip": rng.choice(["01067", "80331"], rows),
            "plan": rng.choice(["no", "yes", "null"], rows),
            "income": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(0, 1e5, rows)),
            "since": pd.date_range("2020-01-01", periods=rows),
            "card": rng.choice(["gold", "blue"], rows),
            "customer": np.arange(rows),
            "note": [f"text {k}" for k in range(rows)],
        }
    )


def table(cells: pd.DataFrame | None = None) -> lockgate.Table:
    return lockgate.table(
        frame() if cells is None else cells, id="customer", time="since", kinds={"zip": "category"}
    )


CONTRACT = lockgate.infer_contract(table())


def sentences(changed: pd.DataFrame, contract: DataContract = CONTRACT) -> list[str]:
    return [str(violation) for violation in lockgate.check_contract(contract, changed)]


def test_inference_bounds_numbers_and_lists_closed_categories() -> None:
    rules = CONTRACT.columns
    assert (rules["age"].kind, rules["age"].min, rules["age"].max) == ("integer", 0, 130)
    assert rules["plan"].values == ("no", "null", "yes")
    assert rules["income"].missing == pytest.approx(0.17, abs=0.03)
    assert rules["customer"].unique
    assert rules["customer"].max is None
    assert rules["card"].values == rules["zip"].values == ()  # personal: not written down
    assert rules["note"].values == ()  # each occurs once: more are to be expected
    assert rules["since"].min == "2019-06-15"
    assert sentences(frame()) == []


def test_frames_are_read_as_tables_are() -> None:
    days = pd.date_range("2021-03-14", periods=60).strftime("%d.%m.%Y")
    rows = pd.DataFrame({"since": days, "x": np.arange(60) % 7})
    contract = lockgate.infer_contract(rows)
    assert contract.columns["since"].kind == "date"
    for form in (rows, lockgate.table(rows), rows[::-1]):
        assert lockgate.check_contract(contract, form) == []
    assert lockgate.widen_contract(contract, rows) == contract
    with pytest.raises(lockgate.SchemaViolation, match="the table has no rows"):
        lockgate.check_contract(contract, rows[:0])
    with pytest.raises(UsageError, match="rows are list, expected a DataFrame or a lockgate.Table"):
        lockgate.check_contract(contract, [{"x": 1}])  # type: ignore[arg-type]  # a mistake of the caller


def test_ids_are_unique_and_have_no_range() -> None:
    rows = pd.DataFrame({"order": np.arange(190_000, 190_100), "x": np.arange(100) % 9 * 1.5})
    rule = lockgate.infer_contract(rows).columns["order"]
    assert (rule.unique, rule.min, rule.max) == (True, None, None)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{kind: number, uniqe: true}", "unknown key 'uniqe', did you mean 'unique'"),
        ("{kind: number, missing: 4%}", "missing is '4%', expected a share from 0 to 1"),
        ("{kind: number, min: 12,5}", "unknown key '5'; available: .*a text with a comma"),
    ],
)
def test_faults_of_a_rule_are_named(rule: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(f"contract: 1\ncolumns:\n  x: {rule}\n")
    with pytest.raises(UsageError, match=message):
        lockgate.read_contract(tmp_path / "c.yaml")


def test_each_violation_names_column_count_examples_and_rule() -> None:
    broken = frame()
    broken["age"] = broken["age"].astype(object)
    broken.loc[[1, 2], "age"] = 900
    broken.loc[3, "age"] = "old"
    broken.loc[4, "age"] = None
    broken.loc[5, "age"] = 20.5
    broken.loc[:2, "plan"] = "trial"
    broken.loc[:299, "income"] = np.nan
    broken.loc[0, "since"] = pd.Timestamp("1900-01-01")
    broken.loc[0, "customer"] = 1
    broken = broken.drop(columns="zip").assign(outcome=1)
    income = broken["income"].isna().sum()
    allowed = f"{100 * CONTRACT.columns['income'].missing:.3g}%"
    assert sentences(broken) == [
        "column zip is missing",
        "column outcome is not in the contract",
        "column age: 2 of 400 cells, such as 'old', 20.5, expected a whole number",
        "column age: 2 of 400 cells, such as 900, expected at most 130",
        "column age: 1 of 400 cells (0.25%) are missing, expected a value in each row",
        "column plan: 3 of 400 cells, such as 'trial', expected one of no, null, yes",
        f"column income: {income} of 400 cells ({100 * income / 400:.3g}%) are missing, "
        f"expected at most {allowed} missing",
        "column since: 1 of 400 cells, such as 1900-01-01, expected at least 2019-06-15",
        "column customer: 1 of 400 cells, such as 1, expected each value once",
    ]


def test_values_of_personal_columns_are_not_shown() -> None:
    contract = DataContract(1, {"card": ColumnRule("category", values=("blue", "gold"))})
    cells = pd.DataFrame({"card": ["4111 1111", "gold"]})
    assert sentences(cells, contract) == ["column card: 1 of 2 cells, expected a known category"]


def test_a_contract_file_keeps_texts_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "contract: 1\ncolumns:\n"
        "  zip: {kind: category, values: [01067, no, 1e5, null, 12:30]}\n"
        "  age: {kind: number, min: 1e1, max: 130, missing: .05, optional: true}\n"
        "  day: {kind: date, min: 2020-01-01, description: first day}\n"
    )
    rules = lockgate.read_contract(path).columns
    assert rules["zip"].values == ("01067", "no", "1e5", "null", "12:30")
    assert (rules["age"].min, rules["age"].max, rules["age"].missing) == (10, 130, 0.05)
    assert rules["age"].optional
    assert rules["day"].min == "2020-01-01"
    lockgate.write_contract(path, lockgate.read_contract(path))
    assert lockgate.read_contract(path).columns == rules


BOUNDS = st.none() | st.integers(-(10**6), 10**6).map(float) | st.floats(-1e300, 1e300)


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8),
        st.builds(
            ColumnRule,
            st.just("number"),
            missing=st.floats(0, 1),
            min=BOUNDS.map(lambda bound: None if bound is None else -abs(bound)),
            max=BOUNDS.map(lambda bound: None if bound is None else abs(bound)),
            unique=st.booleans(),
            description=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8),
        )
        | st.builds(
            ColumnRule,
            st.just("category"),
            values=st.lists(st.sampled_from(["no", "01", "null", "~", "1e5", "ä", "a: b"])).map(
                tuple
            ),
        ),
        max_size=4,
    )
)
def test_a_contract_that_is_written_is_read_the_same(
    tmp_path_factory: pytest.TempPathFactory, rules: dict[str, ColumnRule]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.yaml"
    lockgate.write_contract(path, DataContract(1, rules))
    assert lockgate.read_contract(path) == DataContract(1, rules)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("contract: 1\ncolumns:\n  a: {kind: numbr}\n", "did you mean 'number'"),
        ("contract: 1\ncolumns:\n  a: {kind: number, maximum: 3}\n", "maximum"),
        ("contract: 1\ncolumns:\n  a: {kind: number, min: 5, max: 3}\n", "min 5 is above max 3"),
        ("contract: 1\ncolumns:\n  a: {kind: number, min: low}\n", "a finite number"),
        ("contract: 1\ncolumns:\n  a: {kind: number, max: inf}\n", "a finite number"),
        ("contract: 1\ncolumns:\n  a: number\n", "a rule like {kind: number}"),
        ("contract: 1\ncolumns:\n  a: {kind: date, min: soon}\n", "expected a date like"),
        ("contract: 1\ncolumns:\n  a: {kind: number, missing: 20}\n", "a share from 0 to 1"),
        ("contract: 1\ncolumns:\n  a: {kind: category, max: 3}\n", "applies to numbers and dates"),
        ("contract: 1\ncolumns:\n  a: {kind: number, values: [a]}\n", "values apply to a category"),
        ("contract: 2\ncolumns: {}\n", "format 2"),
        ("contract: 1\ncolumns:\n  a: {kind: date}\n  a: {kind: text}\n", "occurs twice"),
        ("contract: 1\n", "columns"),
        ("[", "not valid YAML"),
        ("", "expected `contract: 1`"),
    ],
)
def test_a_contract_with_a_fault_is_refused_with_its_place(
    tmp_path: Path, text: str, problem: str
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as error:
        lockgate.read_contract(path)
    assert problem in str(error.value)
    assert str(path) in str(error.value)


def test_a_missing_contract_says_what_writes_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lockgate contract infer"):
        lockgate.read_contract(tmp_path / "c.yaml")


FORMS: dict[str, Any] = {
    "frame": lambda cells: cells,
    "arrow": lambda cells: pa.Table.from_pandas(cells, preserve_index=False),
    "columns": lambda cells: {name: cells[name].tolist() for name in cells},
    "records": lambda cells: [
        {name: None if pd.isna(cell) else cell for name, cell in row.items()}
        for row in cells.astype(object).to_dict("records")
    ],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_rows_is_checked_the_same(form: str) -> None:
    cells = frame(60)
    cells.loc[3, "age"] = 900
    cells.loc[4, "plan"] = "trial"
    cells.loc[5, "plan"] = None
    cells.loc[6, "since"] = pd.Timestamp("1900-01-01")
    cells.loc[7, "income"] = 1e9
    reasons: dict[int, list[str]] = {}
    checked = check_rows(CONTRACT, FORMS[form](cells), reasons)
    rules = {(v.column, v.rule): v.count for v in checked.violations(CONTRACT)}
    assert rules == {
        ("age", "max"): 1,
        ("plan", "values"): 1,
        ("plan", "missing"): 1,
        ("since", "min"): 1,
        ("income", "max"): 1,
    }
    assert sorted(reasons) == [3, 4, 5, 6, 7]
    assert reasons[3] == [
        "data contract: column age holds 900 in row 3, expected at most 130",
    ]
    assert reasons[5] == [
        "data contract: column plan has no value in row 5, expected a value in each row"
    ]


@given(st.integers(0, 2**31), st.lists(st.integers(0, 60), max_size=3))
def test_parts_are_counted_as_the_whole(seed: int, cuts: list[int]) -> None:
    cells = frame(60, seed)
    rng = np.random.default_rng(seed)
    cells.loc[rng.random(60) < 0.2, "plan"] = "trial"
    cells.loc[rng.random(60) < 0.5, "income"] = np.nan
    edges = [0, *sorted(cuts), 60]
    parts = [cells.iloc[a:b] for a, b in itertools.pairwise(edges) if a < b]
    total = sum((check_rows(CONTRACT, part) for part in parts), CheckedRows())
    whole = check_rows(CONTRACT, cells)
    assert total.violations(CONTRACT) == whole.violations(CONTRACT)


@given(st.integers(0, 2**31))
def test_a_widened_contract_is_held_and_changes_nothing_else(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = frame(100, seed)
    cells["age"] = cells["age"] * int(rng.integers(1, 30)) - int(rng.integers(0, 2000))
    cells["income"] = cells["income"] * rng.choice([1e-3, 1, 1e3])
    cells.loc[rng.random(100) < rng.random(), "income"] = np.nan
    cells.loc[rng.random(100) < 0.1, "plan"] = "trial"
    cells.loc[0, "since"] = pd.Timestamp("1950-05-05")
    changed = table(cells.assign(extra=1.5).drop(columns="note"))
    wider = lockgate.widen_contract(CONTRACT, changed)
    assert sentences(changed.frame, wider) == []
    assert sentences(frame(), wider) in ([], ["column extra is missing"])
    assert lockgate.widen_contract(wider, changed) == wider
    assert wider.columns["zip"] == CONTRACT.columns["zip"]
    assert wider.columns["note"].optional


def test_another_kind_is_not_a_wider_contract() -> None:
    cells = frame().astype({"age": object})
    cells.loc[0, "age"] = "old"
    with pytest.raises(UsageError, match="not widened to another kind"):
        lockgate.widen_contract(CONTRACT, lockgate.table(cells, kinds={"age": "category"}))


def test_the_diff_of_a_wider_contract_has_the_changed_line_only(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    lockgate.write_contract(path, CONTRACT)
    assert contract_diff(path, CONTRACT) == ""
    cells = frame()
    cells.loc[0, "age"] = 900
    diff = contract_diff(path, lockgate.widen_contract(CONTRACT, table(cells)))
    assert [line for line in diff.splitlines() if line[:2] in ("- ", "+ ")] == [
        "-  age: {kind: integer, min: 0, max: 130}",
        "+  age: {kind: integer, min: 0, max: 900}",
    ]
    assert "commit this file" in contract_text(CONTRACT)


def test_a_file_is_read_by_the_kinds_of_its_contract(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("zip,age\n1067,20\n80331,30\n")  # without leading zeros they look like numbers
    contract = DataContract(1, {"zip": ColumnRule("category"), "age": ColumnRule("number")})
    loaded, violations = load_with_contract(
        lambda kinds: lockgate.read_table(path, kinds=kinds), contract, {}
    )
    assert violations == []
    assert loaded.frame["zip"].tolist() == ["1067", "80331"]


def test_a_loader_that_reads_another_kind_is_reported() -> None:
    cells = pd.DataFrame({"zip": [1067, 80331]})
    contract = DataContract(1, {"zip": ColumnRule("category")})
    _, violations = load_with_contract(lambda kinds: lockgate.table(cells), contract, {})
    assert [str(v) for v in violations] == ["column zip is read as integer, expected category"]


def test_a_word_in_a_file_is_the_only_violation_of_its_column(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("age,paid,day\n20,true,2024-01-01\n,false,2024-01-02\nold,maybe,soon\n")
    rules = {
        "age": ColumnRule("integer", missing=0.5),
        "paid": ColumnRule("boolean"),
        "day": ColumnRule("date"),
    }
    _, violations = load_with_contract(
        lambda kinds: lockgate.read_table(path, kinds=kinds), DataContract(1, rules), {}
    )
    assert [str(violation) for violation in violations] == [
        "column age: 1 of 3 cells, such as 'old', expected a whole number",
        "column paid: 1 of 3 cells, such as 'maybe', expected true or false",
        "column day: 1 of 3 cells, such as 'soon', expected a date",
    ]


def test_a_day_is_within_its_bounds_as_a_whole() -> None:
    contract = DataContract(1, {"day": ColumnRule("date", min="2024-01-01", max="2024-12-31")})
    last = pd.DataFrame({"day": pd.to_datetime(["2024-01-01 00:00:00", "2024-12-31 23:59:59"])})
    assert sentences(last, contract) == []
    after = pd.DataFrame({"day": pd.to_datetime(["2025-01-01 00:00"])})
    assert len(sentences(after, contract)) == 1
    exact = DataContract(1, {"day": ColumnRule("date", max="2024-12-31T12:00")})
    assert len(sentences(last, exact)) == 1


def test_dates_are_read_in_the_order_of_the_model() -> None:
    contract = DataContract(1, {"day": ColumnRule("date", min="2024-06-30")})
    cells = {"day": ["02/07/2024", "05/06/2024"]}
    inputs = [ColumnInput("day", "date", dates="day-first")]
    checked = check_rows(contract, cells, read_as=inputs)
    assert [violation.examples for violation in checked.violations(contract)] == [["'05/06/2024'"]]


def test_a_range_beyond_doubles_has_no_bound() -> None:
    wide = pd.DataFrame({"x": [-1.5e308, 1.5e308, 0.5]})
    contract = lockgate.infer_contract(lockgate.table(wide))
    assert (contract.columns["x"].min, contract.columns["x"].max) == (None, None)


def test_extreme_values_are_inferred_widened_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    for cells in (
        [5e-324, 1e-323, 0.5],
        [1.5, 2.0, 1.75e308],
        np.array(["2020-01-01", "9999-12-31", "2020-04-04"], "datetime64[us]"),
        np.array(["0001-01-01", "2020-04-04", "2020-04-05"], "datetime64[us]"),
    ):
        extreme = lockgate.table(pd.DataFrame({"x": cells}))
        lockgate.write_contract(path, lockgate.infer_contract(extreme))
        assert sentences(extreme.frame, lockgate.read_contract(path)) == []
        kind = extreme.schema.columns[0].kind
        narrow = ColumnRule(kind, max="2019-12-31" if kind == "date" else 1e-300)
        wider = lockgate.widen_contract(DataContract(1, {"x": narrow}), extreme)
        lockgate.write_contract(path, wider)
        assert sentences(extreme.frame, lockgate.read_contract(path)) == []


def test_a_bound_may_be_null_and_numbers_have_no_underscores(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("contract: 1\ncolumns:\n  a: {kind: number, min: null, max: ~}\n")
    assert lockgate.read_contract(path).columns["a"] == ColumnRule("number")
    path.write_text("contract: 1\ncolumns:\n  a: {kind: number, max: 3_0}\n")
    with pytest.raises(UsageError, match="'3_0', expected a finite number"):
        lockgate.read_contract(path)


def test_unique_categories_are_equal_as_allowed_ones_are() -> None:
    contract = DataContract(1, {"id": ColumnRule("category", unique=True)})
    assert len(sentences(pd.DataFrame({"id": [1, 1.0, 2]}, dtype=object), contract)) == 1


def test_numbers_that_are_texts_in_a_typed_file_are_violations(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    pd.DataFrame({"n": ["1", "2"], "m": [1, 900]}).to_parquet(path)
    contract = DataContract(1, {"n": ColumnRule("integer"), "m": ColumnRule("integer", max=5)})
    _, violations = load_with_contract(
        lambda kinds: lockgate.read_table(path, kinds=kinds), contract, {}
    )
    assert [(v.column, v.rule, v.count) for v in violations] == [("n", "kind", 2), ("m", "max", 1)]


@pytest.mark.parametrize("texts", [["0", "1", "2", "1"], ["true", "false", "2"], ["1", "maybe"]])
def test_a_number_that_is_no_truth_value_is_counted_alone(texts: list[str], tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    pd.DataFrame({"x": texts}).to_csv(path, index=False)
    contract = DataContract(1, {"x": ColumnRule("boolean")})
    (violation,) = load_with_contract(
        lambda kinds: lockgate.read_table(path, kinds=kinds), contract, {}
    )[1]
    assert (violation.rule, violation.count) == ("kind", 1)


@pytest.mark.parametrize(
    ("days", "invalid"),
    [
        (["02/07/2024", "25/06/2024", "06/25/2024", "06/26/2024"], ["06/25/2024", "06/26/2024"]),
        (["06/25/2024"] * 3, ["06/25/2024"] * 3),
        (["02/07/2024", "soon"], ["soon"]),
    ],
)
def test_dates_of_a_declared_order_are_checked_in_it(
    days: list[str], invalid: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    pd.DataFrame({"x": days}).to_csv(path, index=False)
    contract = DataContract(1, {"x": ColumnRule("date")})
    (violation,) = load_with_contract(
        lambda kinds: lockgate.read_table(path, kinds=kinds, dates="day-first"),
        contract,
        {},
        "day-first",
    )[1]
    assert violation.count == len(invalid)
    assert violation.examples == sorted({repr(day) for day in invalid})


def test_leading_zeros_are_numbers_where_the_contract_says_so(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("n,m\n007,1\n008,x\n")
    contract = DataContract(1, {"n": ColumnRule("integer"), "m": ColumnRule("integer")})
    _, violations = load_with_contract(
        lambda kinds: lockgate.read_table(path, kinds=kinds), contract, {}
    )
    assert [(v.column, v.count) for v in violations] == [("m", 1)]


@pytest.mark.parametrize(
    ("kind", "cells", "message"),
    [
        ("date", ["02/07/2024", "25/06/2024", "soon"], "1 of 3 cells, such as 'soon'"),
        ("number", ["1", "inf", "3"], "1 of 3 cells, such as 'inf'"),
        ("boolean", ["true", "maybe", "false"], "1 of 3 cells, such as 'maybe'"),
    ],
)
def test_a_cell_that_cannot_be_read_is_counted_alone(
    kind: str, cells: list[str], message: str, tmp_path: Path
) -> None:
    contract = DataContract(1, {"x": ColumnRule(kind), "gone": ColumnRule("number", optional=True)})
    (tmp_path / "rows.csv").write_text("x\n" + "\n".join(cells) + "\n")
    loads = []

    def load(kinds: Any) -> lockgate.Table:
        loads.append(kinds)
        return lockgate.read_table(tmp_path / "rows.csv", kinds=kinds)

    (violation,) = load_with_contract(load, contract, {})[1]
    assert message in str(violation)
    good = [cell for cell in cells if f"'{cell}'" not in message]
    (tmp_path / "rows.csv").write_text("x\n" + "\n".join(good) + "\n")
    loads.clear()
    assert load_with_contract(load, contract, {})[1] == []
    assert len(loads) == 2  # the second time without the optional column, which is absent


@pytest.mark.parametrize(
    ("bound", "valid"), [("20240702", False), ("2024-W27-2", False), ("2024-07-02", True)]
)
def test_a_bound_of_dates_is_written_as_dates_are(bound: str, valid: bool) -> None:
    contract = DataContract(1, {"day": ColumnRule("date", max=bound)})
    if not valid:
        with pytest.raises(UsageError, match="expected a date like 2024-07-02"):
            contract.check("c.yaml")
        return
    contract.check("c.yaml")
    noon = pd.DataFrame({"day": [pd.Timestamp("2024-07-02 12:00")]})
    assert lockgate.check_contract(contract, noon) == []


def test_personal_numbers_are_not_written_down() -> None:
    rows = pd.DataFrame({"phone": np.arange(100) * 7919 + 4915112345670, "x": np.arange(100) % 7})
    rule = lockgate.infer_contract(rows).columns["phone"]
    assert (rule.min, rule.max, rule.values) == (None, None, ())


def test_columns_of_any_name_are_checked() -> None:
    rows = pd.DataFrame({0: [1, 2], ("price", "mean"): ["a", "b"]})
    contract = lockgate.infer_contract(rows)
    assert list(contract.columns) == ["0", "price_mean"]
    assert lockgate.check_contract(contract, rows) == []
