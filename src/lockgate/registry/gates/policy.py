"""The gates of a stage: from the project's parameters, or the default ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate.data.io.digests import sha256_text
from lockgate.errors import UsageError
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.parameters import PluginChoice, choose
from lockgate.plugins.host.params_file import read_params
from lockgate.registry.ledger.repository import Repository
from lockgate.registry.ledger.state import VersionRecord

__all__ = ["DEFAULT", "Policy", "policy_digest", "policy_of"]

DEFAULT = {name: {"plugin": name} for name in ("signature", "parity", "no-worse")}
"""Gates where none are configured: requests remain valid, and the model is not worse."""


@dataclass(frozen=True)
class Policy:
    """The gates of one stage.

    Attributes
    ----------
    gates : tuple of PluginChoice
        The gates, in the order of the configuration.
    digest : str
        sha256 of their names and settings; a verdict counts only for the same gates.
    evaluators : mapping of str to object
        Evaluators by instance name; empty for the default one of the task.

    """

    gates: tuple[PluginChoice, ...]
    digest: str
    evaluators: Mapping[str, object]


def policy_of(params: Path, stage: str, *, explicit: bool = False) -> Policy:
    """Read the gates of a stage.

    Parameters
    ----------
    params : pathlib.Path
        The project's ``params.yaml``; it need not exist, and only its keys `gate` and
        `evaluator` are read.
    stage : str
        The stage.
    explicit : bool
        Whether the user named this file: then it must have the key `gate`.

    Raises
    ------
    LockgateError
        If the configuration is not valid.

    """
    raw: dict[str, Any] = read_params(params) if params.is_file() else {}
    catalogue = Catalogue.installed()
    nodes = raw.get("gate")
    if nodes is None:
        if explicit:
            raise UsageError(f"{params} has no key gate:, which lists the gates")
        nodes = DEFAULT
    gates = choose("gate", nodes, catalogue)
    stage_gates = tuple(gate for gate in gates if not gate.stages or stage in gate.stages)
    configuration = {
        gate.name: {"plugin": gate.entry.name, "settings": dict(gate.settings)}
        for gate in stage_gates
    }
    digest = sha256_text(json.dumps(configuration, sort_keys=True, default=str))
    evaluators = {
        choice.name: choice.build()
        for choice in choose("evaluator", raw.get("evaluator") or {}, catalogue)
    }
    return Policy(stage_gates, digest, evaluators)


def policy_digest(
    repository: Repository, params: Path | None, stage: str, record: VersionRecord
) -> str:
    """Return the digest of the gates of a stage that apply to a version."""
    path = params or repository.project(record.path) / "params.yaml"
    return policy_of(path, stage).digest
