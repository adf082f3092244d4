"""The report: what was declared comes first, plots say their values, tables sort and search."""

from __future__ import annotations

import dataclasses
import logging
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lockgate
from lockgate.contract.evaluation import EvaluateRequest
from lockgate.contract.requests import no_progress
from lockgate.pipeline.criteria import Criterion, judge_criteria
from lockgate.pipeline.reports.svg import svg_plot
from lockgate.pipeline.stage import Stage
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.host import Host
from lockgate.plugins.host.parameters import Parameters
from lockgate.testing import example_requests

CHROMIUM = shutil.which("chromium")


def criteria_of(gates: dict[str, Any], request: EvaluateRequest, root: Path) -> list[Criterion]:
    """Judge what gates declare, on example rows."""
    raw = {
        "loader": {"csv": {"plugin": "csv", "path": "rows.csv", "target": "target"}},
        "model": {"logistic": {"plugin": "logistic"}},
        "optimizer": {"random": {"plugin": "random"}},
        "compressor": {},
        "evaluator": {"classification": {"plugin": "classification"}},
        "monitor": {"drift": {"plugin": "drift"}},
        "backend": {"numpy": {"plugin": "numpy"}},
        "format": {"packed": {"plugin": "packed"}},
        "gate": gates,
    }
    parameters = Parameters.check(raw, Catalogue.installed())
    host = Host("evaluate")
    host.register_choices(parameters.chosen["gate"])
    log = logging.getLogger("test")
    stage = Stage("evaluate", root, parameters, raw, host, log, no_progress)
    report = lockgate.Report({"roc_auc": lockgate.Metric(0.8, 0.7, 0.9)})
    return judge_criteria(stage, request, {"classification": report})


@pytest.fixture
def request_of_two_classes() -> EvaluateRequest:
    request = example_requests("evaluator")["binary"]
    assert isinstance(request, EvaluateRequest)
    return dataclasses.replace(request, value_matrix=None)


def test_declared_bounds_are_judged(
    request_of_two_classes: EvaluateRequest, tmp_path: Path
) -> None:
    gates = {
        "good": {"plugin": "bound", "metric": "roc_auc", "at_least": 0.75},
        "high": {"plugin": "bound", "metric": "roc_auc", "at_least": 0.85, "stages": "prod"},
        "unknown": {"plugin": "bound", "metric": "rok_auc", "at_least": 0.5},
        "fair": {"plugin": "fairness", "column": "region", "at_most": 1.0},
        "size": {"plugin": "size", "at_most_kb": 0.001},
    }
    good, high, unknown, fair = criteria_of(gates, request_of_two_classes, tmp_path)
    assert good.met
    assert good.text.startswith("gate good: roc_auc is 0.8 (0.7 to 0.9) on the evaluation rows")
    assert not high.met
    assert high.text.startswith("gate high (prod): ")
    assert not unknown.met
    assert "was not measured" in unknown.text
    assert fair.met


def test_decisions_are_judged_by_their_declared_value(
    request_of_two_classes: EvaluateRequest, tmp_path: Path
) -> None:
    def judged(matrix: lockgate.ValueMatrix) -> list[Criterion]:
        request = dataclasses.replace(request_of_two_classes, value_matrix=matrix)
        return criteria_of({}, request, tmp_path)

    assert judged(lockgate.ValueMatrix()) == []
    (worth,) = judged(lockgate.ValueMatrix(true_positive=10, false_positive=-10))
    assert worth.met
    assert "per 1,000 rows, +" in worth.text
    (worthless,) = judged(lockgate.ValueMatrix(true_positive=10, false_positive=10))
    assert not worthless.met
    assert "beside acting on every row" in worthless.text


def test_nothing_declared_is_no_verdict(
    request_of_two_classes: EvaluateRequest, tmp_path: Path
) -> None:
    assert criteria_of({}, request_of_two_classes, tmp_path) == []


numbers = st.floats(-1e9, 1e9).map(lambda value: round(value, 6))


@given(points=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=40), mark=numbers)
def test_points_lie_in_the_picture_and_say_their_values(
    points: list[tuple[float, float]], mark: float
) -> None:
    x, y = (tuple(values) for values in zip(*points, strict=True))
    series = lockgate.Series("<b>model</b>", x, y)
    plot = lockgate.Plot(
        "p", "A & B", "x", "y", (series,), kind="scatter", marks={"threshold": mark}
    )
    picture = ElementTree.fromstring(svg_plot(plot))  # well-formed, and every text is escaped
    circles = list(picture.iter("circle"))
    assert len(circles) == len(points)
    for circle in circles:
        assert 0 <= float(circle.attrib["cx"]) <= 560
        assert 0 <= float(circle.attrib["cy"]) <= 340
        (title,) = circle.iter("title")
        assert title.text
    labels = [text.text for text in picture.iter("text")]
    assert len(labels) >= 4


def test_bars_have_their_names_and_lines_their_legend() -> None:
    bars = lockgate.Plot(
        "b",
        "Importance",
        "column",
        "increase",
        (
            lockgate.Series(
                "model", ("age", "a name that is much too long for the room"), (2.0, -1.0)
            ),
        ),
        kind="bar",
    )
    text = svg_plot(bars)
    assert ">age</text>" in text
    assert "a name that is much too long for the room: -1" in text
    assert ">a name that is much too long for the room</text>" not in text
    two = tuple(lockgate.Series(name, (0.0, 1.0), (0.0, 1.0)) for name in ("first", "second"))
    legend = svg_plot(lockgate.Plot("l", "Lines", "x", "y", two, diagonal=True))
    assert legend.count('class="key') == 2
    assert 'class="diagonal"' in legend


def test_the_page_has_everything_in_one_file(made: Path) -> None:
    page = (made / "report" / "index.html").read_text()
    assert page.index("<h2>Verdict</h2>") < page.index("Discrimination, calibration")
    assert "No criterion was declared" in page
    assert page.count("<svg") == 4
    assert not re.search(r"https?://|<link|src=|@import|url\(", page)
    assert len(page) < 1_000_000


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which .ci/run installs")
def test_tables_are_sorted_and_searched_in_a_browser(made: Path, tmp_path: Path) -> None:
    page = (made / "report" / "index.html").read_text()
    rows = "".join(f"<tr><td>name {k}</td><td>{k * 7 % 20}</td></tr>" for k in range(20))
    table = (
        '<div class="wide"><table id="added" class="sortable"><thead><tr><th>name</th>'
        f"<th>value</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )
    actions = """<script>
    const added = document.getElementById("added");
    const button = added.tHead.rows[0].cells[1].querySelector("button");
    button.click();
    const rising = [...added.tBodies[0].rows].map((row) => row.cells[1].textContent).join();
    button.click();
    const falling = [...added.tBodies[0].rows].map((row) => row.cells[1].textContent).join();
    const field = document.querySelector("input[type=search]");
    field.value = "NAME 13";
    field.dispatchEvent(new Event("input"));
    const found = [...added.tBodies[0].rows].filter((row) => !row.hidden).length;
    document.body.dataset.result = [rising, falling, found].join("|");
    </script>"""
    (tmp_path / "page.html").write_text(
        page.replace("</main>", f"{table}</main>").replace("</body>", f"{actions}</body>")
    )
    assert CHROMIUM is not None
    browser = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    shown = subprocess.run(
        [*browser, str(tmp_path / "page.html")], capture_output=True, text=True, check=True
    ).stdout
    match = re.search(r'data-result="([^"]*)"', shown)
    assert match is not None
    rising, falling, found = match[1].split("|")
    assert rising == ",".join(str(k) for k in range(20))
    assert falling == ",".join(str(k) for k in reversed(range(20)))
    assert found == "1"
    assert 'aria-sort="descending"' in shown


@pytest.mark.parametrize("kind", ["line", "scatter", "bar"])
@pytest.mark.parametrize(
    "values",
    [
        (),
        (5.0,),
        (0.0, float("nan"), float("inf"), 1.0),
        (-1e308, 1e308, 2.0),
        (1.7e308, 1.7e308),
        (0.0, 5e-324),
        (1.0, 1.0, 1.0),
        tuple(float(k) for k in range(50_000)),
    ],
)
def test_any_numbers_are_drawn(kind: Any, values: tuple[float, ...]) -> None:
    series = lockgate.Series("model", tuple(map(float, range(len(values)))), values)
    picture = svg_plot(lockgate.Plot("p", "P", "x", "y", (series,), kind=kind))
    assert "nan" not in picture
    assert "inf" not in picture
    assert len(picture) < 600_000
    ElementTree.fromstring(picture)
    ElementTree.fromstring(svg_plot(lockgate.Plot("p", "P", "x", "y", (), kind=kind)))


def test_a_gate_that_does_not_apply_is_no_criterion(tmp_path: Path) -> None:
    request = example_requests("evaluator")["regression"]
    assert isinstance(request, EvaluateRequest)
    gates = {"fair": {"plugin": "fairness", "column": "region"}}
    assert criteria_of(gates, request, tmp_path) == []


def test_a_gate_that_needs_more_is_left_to_the_registry(
    request_of_two_classes: EvaluateRequest, tmp_path: Path
) -> None:
    gates = {"parity": {"plugin": "parity"}, "signature": {"plugin": "signature"}}
    assert criteria_of(gates, request_of_two_classes, tmp_path) == []
