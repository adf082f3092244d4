"""Promoting and reading the past from Python, as the commands do."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lockgate.errors import GateRefused, UsageError
from lockgate.registry.api import Ledger
from lockgate.registry.provenance.verdict import Verdict
from tests.registry.conftest import guard

SMALL = "gate:\n  size:\n    plugin: size\n    at_most_kb: 64\n"


@pytest.fixture
def small(shop: Path) -> Path:
    """That repository, with a gate that all versions pass."""
    guard(shop, SMALL)
    return shop


def test_gates_are_run_once_for_a_promotion(shop: Path, small: Path) -> None:
    ledger = Ledger(shop)
    seen: list[tuple[Verdict, str]] = []

    def promote() -> None:
        ledger.promote(
            "fraud",
            "prod",
            version="1.0.0",
            on_verdict=lambda version, verdict: seen.append((verdict, version.version)),
        )

    promote()
    ((verdict, version),) = seen
    assert (verdict.passed, version) == (True, "1.0.0")
    current = ledger.current("fraud", "prod")
    assert current is not None
    assert current.slot.verdict == verdict.digest
    ledger.retire("fraud", stage="prod")
    promote()  # a version was put into the stage since that verdict
    assert len(seen) == 2
    ledger.retire("fraud", stage="prod")
    ledger.gate("fraud", "prod", version="1.0.0")
    promote()
    assert len(seen) == 2


def test_a_failing_verdict_is_recorded_and_promotes_nothing(shop: Path) -> None:
    guard(shop, "gate:\n  size:\n    plugin: size\n    at_most_kb: 0.1\n")
    ledger = Ledger(shop)
    with pytest.raises(GateRefused, match="did not pass the gates of prod: size"):
        ledger.promote("fraud", "prod", version="1.0.0")
    assert ledger.current("fraud", "prod") is None
    (verdict,) = ledger.state.verdicts("fraud", "1.0.0")
    assert not verdict.passed


def test_an_override_runs_no_gates(shop: Path, small: Path) -> None:
    ledger = Ledger(shop)
    ledger.promote(
        "fraud",
        "prod",
        version="1.0.0",
        override=True,
        reason="fire",
        on_verdict=lambda *_: pytest.fail("a gate was run"),
    )
    assert ledger.state.verdicts("fraud", "1.0.0") == []


def test_an_override_without_a_reason_is_refused(shop: Path) -> None:
    with pytest.raises(UsageError, match="an override needs a reason"):
        Ledger(shop).promote("fraud", "prod", override=True, reason=" ")


def test_an_override_with_rows_for_gates_is_refused(shop: Path, small: Path) -> None:
    with pytest.raises(UsageError, match="an override runs no gates: leave out data and today"):
        Ledger(shop).promote(
            "fraud", "prod", override=True, reason="fire", data=small / "params.yaml"
        )


def test_gating_records_the_verdict_unless_it_is_dry(shop: Path, small: Path) -> None:
    ledger = Ledger(shop)
    record, verdict = ledger.gate("fraud", "prod", dry=True)
    assert (record.version, verdict.passed) == ("1.2.0", True)
    assert ledger.state.verdicts("fraud", "1.2.0") == []
    _, recorded = ledger.gate("fraud", "prod")
    assert [one.digest for one in ledger.state.verdicts("fraud", "1.2.0")] == [recorded.digest]


def test_history_at_a_time_is_what_was_in_each_stage(shop: Path) -> None:
    ledger = Ledger(shop)
    for stage, version in (("prod", "1.0.0"), ("canary", "1.1.0"), ("prod", "1.1.0")):
        ledger.promote("fraud", stage, version=version, override=True, reason="x")
    last = next(ledger.history())
    moment = datetime.fromisoformat(last.at)
    now = [(event.stage, event.after) for event in ledger.history(at=moment)]
    assert now == [("prod", "1.1.0"), ("canary", "1.1.0")]
    before = ledger.history("fraud", "prod", at=moment - timedelta(milliseconds=1))
    assert [event.after for event in before] == ["1.0.0"]
    naive = moment.astimezone(UTC).replace(tzinfo=None)  # counts as UTC
    assert [event.after for event in ledger.history("fraud", "prod", at=naive)] == ["1.1.0"]
    assert list(ledger.history(at=datetime(2020, 5, 3))) == []
