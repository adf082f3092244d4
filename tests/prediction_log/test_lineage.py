"""From a prediction, a version or a bundle to its origin."""

from pathlib import Path

import pytest

from lockgate.deployment.directory import Deployment
from lockgate.errors import LedgerError, LogError
from lockgate.prediction_log.lineage import Lineage, trace_lineage
from lockgate.registry.api import Ledger
from tests.registry.conftest import new_repository, packed


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lineage")
    repository = new_repository(folder / "shop")
    packed(folder / "bundle")
    ledger = Ledger(repository)
    ledger.register(folder / "bundle", version="1.0.0")
    ledger.promote("fraud", "prod", override=True, reason="x")
    return repository


def test_a_version_is_found_by_number_by_stage_and_by_bundle(shop: Path) -> None:
    bundle = shop.parent / "bundle"
    for subject in ("fraud@1.0.0", "fraud@prod", str(bundle)):
        lineage = trace_lineage(subject, ledger=shop)
        assert lineage.prediction is None
        assert lineage.as_dict()["version"]["version"] == "1.0.0"
        assert "fraud" in lineage.as_html()


def test_a_bundle_that_is_not_registered_says_how(shop: Path, tmp_path: Path) -> None:
    other = packed(tmp_path / "other", seed=1)
    with pytest.raises(LedgerError, match="is not registered: run lockgate register"):
        trace_lineage(str(other), ledger=shop)


def test_an_id_that_was_never_logged_is_named(shop: Path, tmp_path: Path) -> None:
    deployment = Deployment(tmp_path / "live")
    deployment.deploy(shop.parent / "bundle", version="1.0.0")
    with pytest.raises(LogError, match="no prediction with id 'abandonwhat23456-1f' in"):
        trace_lineage("abandonwhat23456-1f", directory=deployment.path, ledger=shop)


def test_a_prediction_without_a_ledger_has_no_page() -> None:
    lineage = Lineage({"id": "x"}, None)
    assert lineage.as_dict() == {"id": "x"}
    with pytest.raises(LedgerError, match="pass -C FOLDER"):
        lineage.as_html()
