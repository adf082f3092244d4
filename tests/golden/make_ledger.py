"""Writes the golden ledger and the golden deployment directory: run once for each released form.

``python -m tests.golden.make_ledger`` writes what is missing and never changes anything.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from lockgate.cli.commands import lockgate as command_line
from lockgate.deployment.directory import Deployment
from lockgate.deployment.follow import deploy_stage
from lockgate.models.bundle.open import open_bundle
from lockgate.registry.api import Ledger
from lockgate.registry.attest.attest import Attestation, record_attestation
from tests.registry.conftest import QUIET, git, guard, key, new_repository, packed, sign_with

HERE = Path(__file__).parent
LEDGER, DEPLOYMENT = HERE / "ledger-1", HERE / "deployment-1"
VERSIONS = ("1.0.0", "1.1.0", "1.2.0")
ROWS = [{"x0": x0 / 4, "x1": x1 / 4} for x0 in range(-6, 7, 3) for x1 in range(-6, 7, 4)]
GATES = """\
gate:
  alone: {plugin: parity}
  callers: {plugin: signature}
  tiny: {plugin: size, at_most_kb: 0.25, stages: canary}
  small: {plugin: size, at_most_kb: 64}
"""


def main() -> None:
    if LEDGER.exists() or DEPLOYMENT.exists():
        return
    os.environ |= QUIET | {"LOGNAME": "ada"}
    system, _, *rest = os.uname()
    machine = os.uname_result((system, "shop", *rest))
    os.uname = lambda: machine  # records name the machine that they were written on
    with tempfile.TemporaryDirectory() as scratch:
        shop = new_shop(Path(scratch))
        deployment = Deployment(DEPLOYMENT / "served")
        live(
            Ledger(shop),
            [packed(Path(scratch) / f"b{k}", seed=k, columns=2) for k in range(3)],
            deployment,
        )
        LEDGER.mkdir()
        git(
            shop,
            "bundle",
            "create",
            "-q",
            str(LEDGER / "ledger.bundle"),
            "main",
            "refs/lockgate/ledger",
        )
        shutil.copy(shop / ".lockgate" / "allowed_signers", DEPLOYMENT)
    (LEDGER / "gates.yaml").write_text(GATES)
    for name in (".lock", ".reserve"):
        (deployment.path / name).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        text = json.dumps(answers(opened(Path(scratch))), indent=1)
    (LEDGER / "answers.json").write_text(text + "\n")
    (DEPLOYMENT / "answers.json").write_text(json.dumps(served(deployment), indent=1) + "\n")


def new_shop(folder: Path) -> Path:
    """A repository whose main branch names the one key that may sign."""
    shop = new_repository(folder / "shop")
    (shop / ".lockgate").mkdir()
    signer = f'ada@shop.example namespaces="git" {key(folder, "ada")}\n'
    (shop / ".lockgate" / "allowed_signers").write_text(signer)
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "signers")
    sign_with(shop, folder / "ada")
    return shop


def live(ledger: Ledger, bundles: list[Path], deployment: Deployment) -> None:
    """Everything that can happen to versions."""
    guard(ledger.repository.top, GATES)

    def promote(version: str, reason: str) -> None:
        ledger.gate("fraud", "prod", version=version)
        ledger.promote("fraud", "prod", version=version, reason=reason)

    def attest(version: str, differing: dict[str, str]) -> None:
        record = ledger.version("fraud", version)
        rebuilt = "f" * 64 if differing else record.digest
        record_attestation(ledger, Attestation(record, not differing, differing, rebuilt, 2, 1.5))

    ledger.register(bundles[0], reason="the first")
    promote("1.0.0", "begin")
    deploy_stage(ledger, deployment, "fraud", "prod")
    attest("1.0.0", {})
    ledger.register(bundles[1])
    ledger.gate("fraud", "canary", version="1.1.0")
    ledger.promote("fraud", "canary", version="1.1.0", override=True, reason="naïve: a “trial”")
    deploy_stage(ledger, deployment, "fraud", "canary")
    promote("1.1.0", "catches 3 % more")
    deploy_stage(ledger, deployment, "fraud", "prod")
    ledger.register(bundles[2], bump="minor")
    attest("1.2.0", {"model.packed": "is another: 0123 -> 4567"})
    promote("1.2.0", "")
    ledger.rollback("fraud", "prod", reason="refunds doubled")
    ledger.rollback("fraud", "prod", to="1.0.0", expect="1.1.0")
    deploy_stage(ledger, deployment, "fraud", "prod")
    ledger.retire("fraud", version="1.2.0", reason="leaked labels")
    ledger.promote("fraud", "shadow", version="1.1.0", override=True, reason="compare")
    ledger.retire("fraud", stage="canary", reason="the trial is over")


def opened(folder: Path) -> Path:
    """The golden ledger in a repository of its own."""
    git(folder, "init", "-q", "--bare", "-b", "main", "shop")
    refs = ("refs/heads/main:refs/heads/main", "refs/lockgate/ledger:refs/lockgate/ledger")
    git(folder / "shop", "fetch", "-q", str(LEDGER / "ledger.bundle"), *refs)
    return folder / "shop"


def answers(shop: Path) -> dict[str, Any]:
    """What the ledger of a repository answers."""

    def asked(*options: str) -> str:
        done = CliRunner().invoke(command_line, [*options, "-C", str(shop)], catch_exceptions=False)
        return done.stdout

    verified = Ledger(shop).verify()
    return {
        "history": [json.loads(line) for line in asked("history", "--json").splitlines()],
        "current": json.loads(asked("current", "--json")),
        "trace": {version: json.loads(asked("trace", f"fraud@{version}")) for version in VERSIONS},
        "verify": {
            "events": verified.events,
            "signed": verified.signed,
            "demanded": verified.demanded,
            "overrides": verified.overrides,
            "findings": [finding.problem for finding in verified.findings],
        },
    }


def served(deployment: Deployment) -> dict[str, Any]:
    """What the bundles of a deployment directory answer, each float in its shortest form."""
    scores = {}
    for path in sorted((deployment.path / "bundles").iterdir()):
        bundle = open_bundle(path)
        replies = [bundle.predict_one(row) for row in ROWS]
        scores[bundle.digest] = [[bool(answer.label), float(answer.score)] for answer in replies]
    return scores


if __name__ == "__main__":
    main()
