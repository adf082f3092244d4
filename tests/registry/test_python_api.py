"""What a command does, its function does: the same ledger, the same refusals, to the letter."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

import lockgate
from lockgate.cli.commands import lockgate as command_line
from lockgate.deployment.directory import Deployment
from tests.registry.conftest import packed

Call = Callable[[Path], object]


@dataclass(frozen=True)
class Step:
    """One operation by both ways, in a folder that holds the repository ``shop``."""

    command: str
    function: Call
    refused: type[lockgate.LockgateError] | None = None


def ledger(folder: Path) -> lockgate.Ledger:
    return lockgate.Ledger(folder / "shop")


JOURNEY = [
    Step("register b3 -C shop", lambda at: ledger(at).register(at / "b3")),
    Step(
        "register b3 --as 9.0.0 -C shop",
        lambda at: ledger(at).register(at / "b3", version="9.0.0"),
        lockgate.LedgerConflict,
    ),
    Step(
        "gate fraud@1.0.0 prod -C shop",
        lambda at: ledger(at).gate("fraud", "prod", version="1.0.0"),
    ),
    Step(
        "promote fraud@1.0.0 prod -C shop",
        lambda at: ledger(at).promote("fraud", "prod", version="1.0.0"),
    ),
    Step(
        "gate fraud@1.1.0 prod --dry --policy tiny.yaml -C shop",
        lambda at: ledger(at).gate(
            "fraud", "prod", version="1.1.0", dry=True, policy=at / "tiny.yaml"
        ),
    ),
    Step(
        "gate fraud@1.1.0 prod --policy tiny.yaml -C shop",
        lambda at: ledger(at).gate("fraud", "prod", version="1.1.0", policy=at / "tiny.yaml"),
        lockgate.UsageError,
    ),
    Step(
        "promote fraud@1.1.0 prod --override -C shop",
        lambda at: ledger(at).promote("fraud", "prod", version="1.1.0", override=True),
        lockgate.UsageError,
    ),
    Step(
        "promote fraud@1.1.0 prod --expect 1.2.0 --override --reason x -C shop",
        lambda at: ledger(at).promote(
            "fraud", "prod", version="1.1.0", expect="1.2.0", override=True, reason="x"
        ),
        lockgate.LedgerConflict,
    ),
    Step(
        "promote fraud@1.1.0 prod --data rows.csv --reason better -C shop",
        lambda at: ledger(at).promote(
            "fraud", "prod", version="1.1.0", data=at / "rows.csv", reason="better"
        ),
    ),
    Step(
        "deploy fraud@prod live -C shop",
        lambda at: lockgate.deploy("fraud@prod", at / "live", ledger=at / "shop"),
    ),
    Step(
        "deploy b0 other --version 1.0",
        lambda at: lockgate.deploy(at / "b0", at / "other", version="1.0"),
    ),
    Step(
        "deploy missing live",
        lambda at: lockgate.deploy("missing", at / "live"),
        lockgate.UsageError,
    ),
    Step(
        "promote fraud@1.2.0 prod --override --reason fire -C shop",
        lambda at: ledger(at).promote(
            "fraud", "prod", version="1.2.0", override=True, reason="fire"
        ),
    ),
    Step(
        "deploy fraud@prod live -C shop",
        lambda at: lockgate.deploy("fraud@prod", at / "live", ledger=at / "shop"),
    ),
    Step(
        "rollback --here live --reason loud",
        lambda at: lockgate.rollback(at / "live", reason="loud"),
    ),
    Step(
        "rollback --here other",
        lambda at: lockgate.rollback(at / "other"),
        lockgate.DeploymentError,
    ),
    Step("sync live -C shop", lambda at: lockgate.sync(at / "live", ledger=ledger(at))),
    Step(
        "rollback fraud prod --reason again -C shop",
        lambda at: ledger(at).rollback("fraud", "prod", reason="again"),
    ),
    Step(
        "rollback fraud prod -C shop",
        lambda at: ledger(at).rollback("fraud", "prod"),
        lockgate.LedgerError,
    ),
    Step(
        "retire fraud canary -C shop",
        lambda at: ledger(at).retire("fraud", stage="canary"),
        lockgate.LedgerError,
    ),
    Step("retire fraud prod -C shop", lambda at: ledger(at).retire("fraud", stage="prod")),
    Step(
        "attest fraud@1.0.0 -C shop",
        lambda at: lockgate.attest("fraud", "1.0.0", ledger=ledger(at)),
        lockgate.LedgerError,
    ),
    Step(
        "trace fraud@7.0.0 -C shop",
        lambda at: lockgate.trace("fraud@7.0.0", ledger=at / "shop"),
        lockgate.LedgerError,
    ),
    Step(
        "predict b0 rows.csv out.csv",
        lambda at: lockgate.predict_file(at / "b0", at / "rows.csv", at / "out.csv"),
    ),
    Step(
        "predict b0 rows.csv out.xls",
        lambda at: lockgate.predict_file(at / "b0", at / "rows.csv", at / "out.xls"),
        lockgate.UsageError,
    ),
    Step(
        "predict b0 rows.csv out2.csv --engine numbbba",
        lambda at: lockgate.predict_file(
            at / "b0", at / "rows.csv", at / "out2.csv", engine="numbbba"
        ),
        lockgate.UnknownPlugin,
    ),
    Step(
        "evaluate b0 rows.csv --require classification.auc>=1",
        lambda at: lockgate.evaluate(
            at / "b0", at / "rows.csv", requirements=["classification.auc>=1"]
        ),
        lockgate.UsageError,
    ),
    Step(
        "log export live log.parquet",
        lambda at: lockgate.export_log(at / "live", at / "log.parquet"),
        lockgate.LogError,
    ),
    Step(
        "log label rows.csv --here live --key x0 --label bad",
        lambda at: lockgate.import_labels(at / "live", at / "rows.csv", by="x0", label="bad"),
        lockgate.LogError,
    ),
]


def by_command(folder: Path, step: Step) -> BaseException | None:
    result = CliRunner().invoke(command_line, step.command.split())
    error = result.exception
    return None if isinstance(error, SystemExit) and result.exit_code == 0 else error


def by_function(folder: Path, step: Step) -> BaseException | None:
    try:
        step.function(folder)
    except lockgate.LockgateError as error:
        return error
    return None


def message(error: BaseException | str | None) -> str:
    """Return a text without times, and without the folder of either way."""
    text = re.sub(r"[0-9-]{10}[T ][0-9:.]{8,12}", "TIME", str(error))
    return re.sub("(command|function)/work", "WAY", text)


def summary(folder: Path) -> dict[str, Any]:
    """Return all that the operations leave: events, stages, deployments, files."""
    events = [
        (event.op, event.subject, message(event.reason)) for event in ledger(folder).history()
    ]
    served = {
        name: [
            (event.op, event.name, event.stage, event.after and event.after.version, event.reason)
            for event in Deployment(folder / name).history()
        ]
        for name in ("live", "other")
        if (folder / name).exists()
    }
    files = sorted(path.name for path in folder.iterdir())
    return {"events": events, "served": served, "files": files}


def test_every_step_of_the_journey_by_both_ways(
    shop: Path, bundles: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    shutil.copytree(shop, source / "shop")
    for number in (0, 1):
        shutil.copytree(bundles[number], source / f"b{number}")
    packed(source / "b3", seed=3)
    frame = pd.DataFrame({f"x{k}": range(-50, 50) for k in range(4)})
    frame.assign(bad=frame["x0"] > 0).to_csv(source / "rows.csv", index=False)
    (source / "tiny.yaml").write_text("gate:\n  size:\n    plugin: size\n    at_most_kb: 0.1\n")
    folders = {}
    for way in ("command", "function"):
        folders[way] = tmp_path / way / "work"
        shutil.copytree(source, folders[way])
    for step in JOURNEY:
        errors = {}
        for way, run in (("command", by_command), ("function", by_function)):
            # messages show paths: both ways are called with the same ones
            monkeypatch.chdir(folders[way])
            errors[way] = run(Path(), step)
        assert type(errors["command"]) is type(errors["function"]), (step.command, errors)
        assert message(errors["command"]) == message(errors["function"]), step.command
        expected = type(None) if step.refused is None else step.refused
        assert isinstance(errors["function"], expected), (step.command, errors["function"])
        assert summary(folders["command"]) == summary(folders["function"]), step.command


def test_every_public_name_can_be_imported() -> None:
    for name in lockgate.__all__:
        assert getattr(lockgate, name) is not None
