"""Files with reasons: those of `bundle.explain`, for every row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.svm import SVC

import lockgate
from lockgate.batch.predict_file import predict_file
from lockgate.cli.commands import lockgate as command_line
from lockgate.contract.explanation import Against
from lockgate.errors import NotApplicable, UsageError


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    frame = pd.DataFrame(
        np.random.default_rng(0).normal(size=(300, 4)), columns=["a", "b", "c", "d"]
    )
    return frame.mask(np.random.default_rng(1).random(frame.shape) < 0.1)


@pytest.fixture(scope="module")
def bundle(rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> lockgate.Bundle:
    target = np.array(["low", "middle", "high"])[
        np.digitize(rows.a.fillna(0) * rows.b.fillna(1), [-0.3, 0.3])
    ]
    model = HistGradientBoostingClassifier(max_iter=10).fit(rows, target)
    return lockgate.pack(model, rows, target, path=tmp_path_factory.mktemp("reasons") / "bundle")


@pytest.mark.parametrize("against", ["reference", "training"])
def test_reasons_are_those_of_the_bundle(
    bundle: lockgate.Bundle, rows: pd.DataFrame, tmp_path: Path, against: Any
) -> None:
    source, target = tmp_path / "rows.parquet", tmp_path / "predictions.parquet"
    rows.assign(a=rows.a.where(rows.index != 7, np.inf)).to_parquet(source)
    result = predict_file(bundle, source, target, explain=3, against=against, part_rows=64)
    assert (result.predicted_rows, result.rejected_rows) == (299, 1)
    written = pd.read_parquet(target)
    explanation = bundle.explain(rows, against=against)
    for line in written.to_dict("records"):
        reasons = explanation.reasons(line["row"], 3)
        for k in range(3):
            expected = (
                (reasons[k].column, reasons[k].contribution) if k < len(reasons) else (None, None)
            )
            actual = (line[f"reason_{k + 1}"], line[f"contribution_{k + 1}"])
            assert tuple(None if pd.isna(cell) else cell for cell in actual) == expected


def test_the_command_writes_as_many_as_there_are(
    bundle: lockgate.Bundle, rows: pd.DataFrame, tmp_path: Path
) -> None:
    source, target = tmp_path / "rows.csv", tmp_path / "out.csv"
    rows.head(5).to_csv(source, index=False)
    arguments = [str(bundle.path), str(source), str(target), "--explain", "99"]
    assert CliRunner().invoke(command_line, ["predict", *arguments]).exit_code == 0
    names = list(pd.read_csv(target).columns)
    assert names[-2:] == ["reason_4", "contribution_4"]


def test_each_target_has_reasons(rows: pd.DataFrame, tmp_path: Path) -> None:
    filled = rows.fillna(0)
    targets = pd.DataFrame({"heat": filled.a * 2, "cold": filled.b - filled.c})
    model = RandomForestRegressor(4, max_depth=4, random_state=0).fit(filled, targets)
    both = lockgate.pack(model, filled, targets, path=tmp_path / "bundle")
    filled.to_parquet(tmp_path / "rows.parquet")
    predict_file(both, tmp_path / "rows.parquet", tmp_path / "out.parquet", explain=1)
    written = pd.read_parquet(tmp_path / "out.parquet")
    explanation = both.explain(filled)
    for target in ("heat", "cold"):
        for line in written.head(50).to_dict("records"):
            reasons = explanation.reasons(line["row"], 1, output=target)
            cells = line[f"reason_1_{target}"], line[f"contribution_1_{target}"]
            expected = [(reason.column, reason.contribution) for reason in reasons]
            assert [cells][: len(expected)] == expected
            assert pd.isna(cells[0]) == (not expected)


def test_what_is_refused_leaves_nothing(
    bundle: lockgate.Bundle, rows: pd.DataFrame, tmp_path: Path
) -> None:
    wide = pd.DataFrame(
        np.random.default_rng(0).normal(size=(60, 13)), columns=list("abcdefghijklm")
    )
    svm = lockgate.pack(
        SVC().fit(wide, wide.a > 0), wide, (wide.a > 0).astype(int), path=tmp_path / "svm"
    )
    wide.to_parquet(tmp_path / "wide.parquet")
    rows.assign(reason_1="x").to_parquet(tmp_path / "rows.parquet")
    target = tmp_path / "out.parquet"
    with pytest.raises(NotApplicable, match="13 inputs"):
        predict_file(svm, tmp_path / "wide.parquet", target, explain=1)
    refused: tuple[tuple[dict[str, Any], str], ...] = (
        ({"explain": -1}, "explain is -1, expected a whole number from 0"),
        ({"explain": "3"}, "explain is '3'"),
        ({"explain": 1, "against": "mean"}, "against is 'mean'"),
        ({"explain": 1, "keep": ["reason_1"]}, "column reason_1 cannot be kept"),
    )
    for options, message in refused:
        with pytest.raises(UsageError, match=message):
            predict_file(bundle, tmp_path / "rows.parquet", target, **options)
    assert not target.exists()
    assert not list(tmp_path.glob("*.parts"))


def test_parts_of_a_run_with_other_reasons_are_not_reused(
    bundle: lockgate.Bundle, rows: pd.DataFrame, tmp_path: Path
) -> None:
    source, target = tmp_path / "rows.parquet", tmp_path / "out.parquet"
    rows.to_parquet(source)

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    runs: tuple[dict[str, Any], ...] = (
        {},
        {"explain": 1},
        {"explain": 1, "against": "training"},
    )
    for options in runs:
        with pytest.raises(KeyboardInterrupt):
            predict_file(bundle, source, target, part_rows=64, on_progress=stop, **options)
    result = predict_file(bundle, source, target, part_rows=64, explain=2)
    assert result.resumed == 0
    assert "reason_2" in pd.read_parquet(target)


def test_a_part_without_a_row_to_explain(
    bundle: lockgate.Bundle, rows: pd.DataFrame, tmp_path: Path
) -> None:
    source, target = tmp_path / "rows.parquet", tmp_path / "out.parquet"
    broken = rows.assign(a=rows.a.where(rows.index >= 64, np.inf))
    broken.to_parquet(source)
    runs: tuple[Against, ...] = ("reference", "training")
    for against in runs:
        result = predict_file(
            bundle, source, target, explain=2, against=against, part_rows=64, force=True
        )
        assert (result.predicted_rows, result.rejected_rows) == (236, 64)
        assert pd.read_parquet(target).row.min() == 64
