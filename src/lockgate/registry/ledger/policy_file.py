"""The committed file that says which gates guard each stage, and who may promote to it.

::

    # .lockgate/policy.yaml
    stages:
      staging: {gates: {}}                      # no gates, and that is written down
      prod:
        gates:
          no-worse: {plugin: no-worse, metric: roc_auc}
        promoters: ["*@risk.example"]
    models:                                     # where a model differs from the others
      churn:
        stages:
          prod: {gates: {signature: {plugin: signature}}}

Without such a file, the gates of the project's ``params.yaml`` are the policy.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from lockgate.contract.names import NAME, NAME_RULE
from lockgate.errors import LedgerError, UsageError, nearest
from lockgate.plugins.host.params_file import MAX_BYTES, parse_yaml
from lockgate.registry.provenance.events import VERSION
from lockgate.registry.provenance.policy import StagePolicy

__all__ = ["POLICY_FILE", "PolicyFile", "check_stage_name", "parse_policy"]

POLICY_FILE = ".lockgate/policy.yaml"
"""Path of the file in the repository."""

SLIP = 0.6
"""Similarity, as of `difflib`, from which an undeclared stage is taken for a slip of the pen."""


class _Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stage as it is written in the file."""

    gates: dict[str, dict[str, Any]]
    evaluators: dict[str, dict[str, Any]] = {}
    promoters: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] | msgspec.UnsetType = (
        msgspec.UNSET
    )

    @property
    def may_promote(self) -> tuple[str, ...]:
        """Those that may promote; empty for all."""
        return () if isinstance(self.promoters, msgspec.UnsetType) else self.promoters


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    stages: dict[str, _Stage]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    stages: dict[str, _Stage]
    models: dict[str, _Model] = {}


class PolicyFile(msgspec.Struct, frozen=True):
    """A policy file, parsed.

    Attributes
    ----------
    source : str
        Where it was read, for messages.
    stages : dict
        Stage to what guards it, for every model.
    models : dict
        The same for single models, where they differ.
    declared : bool
        Whether the file declares its stages; ``params.yaml`` does not, and its gates guard any.
    limits : dict
        Of ``params.yaml``: stages that each gate is limited to.

    """

    source: str
    stages: dict[str, _Stage]
    models: dict[str, _Model] = {}
    declared: bool = True
    limits: dict[str, tuple[str, ...]] = {}

    def of(self, name: str, stage: str) -> StagePolicy:
        """Return the policy of a model in a stage.

        Raises
        ------
        UsageError
            If the stage is not declared, or a gate is limited to a stage with nearly this name.

        """
        check_stage_name(stage)
        if not self.declared:
            return self._of_params(stage)
        stages = {**self.stages, **(self.models[name].stages if name in self.models else {})}
        if stage not in stages:
            raise UsageError(
                f"{self.source} does not declare the stage {stage!r}{nearest(stage, stages)}; "
                f"declared: {', '.join(stages) or 'none'}"
            )
        written = stages[stage]
        return StagePolicy(
            stage=stage,
            gates=written.gates,
            evaluators=written.evaluators,
            # a model that differs in its gates is promoted by the same people
            promoters=written.may_promote or self.stages[stage].may_promote,
        )

    def rows(self) -> Iterator[tuple[str, str, list[str], tuple[str, ...]]]:
        """Yield model, stage, gates and promoters of each stage; ``every`` stands for all."""
        scopes = [("every", self.stages)]
        scopes += [(name, model.stages) for name, model in self.models.items()]
        for scope, stages in scopes:
            for stage, written in stages.items():
                gates = [
                    f"{gate} ({','.join(self.limits[gate])} only)" if gate in self.limits else gate
                    for gate in written.gates
                ]
                yield scope, "every" if stage == "*" else stage, gates, written.may_promote

    def _of_params(self, stage: str) -> StagePolicy:
        written = self.stages["*"]
        for gate, limits in self.limits.items():
            similar = [limit for limit in limits if _is_similar(stage, limit)]
            if stage not in limits and similar:
                raise UsageError(
                    f"{self.source}: gate.{gate}.stages limits the gate to {similar[0]!r}, and the "
                    f"stage is {stage!r}: if both are stages, declare them in {POLICY_FILE}"
                )
        gates = {
            gate: node
            for gate, node in written.gates.items()
            if stage in self.limits.get(gate, (stage,))
        }
        return StagePolicy(stage=stage, gates=gates, evaluators=written.evaluators)


def parse_policy(text: str, source: str) -> PolicyFile | None:
    """Read a policy file, or the gates of a ``params.yaml``; None if that has none.

    Raises
    ------
    LedgerError
        If it is not valid; the message says where.

    """
    if len(text) > MAX_BYTES:
        raise LedgerError(f"{source} is larger than {MAX_BYTES} characters")
    try:
        raw = parse_yaml(text, Path(source))
        msgspec.json.encode(raw)  # e.g. half of a surrogate pair
    except (UsageError, UnicodeError, TypeError) as error:
        raise LedgerError(str(error)) from None
    if isinstance(raw, Mapping) and "stages" not in raw and not source.endswith(POLICY_FILE):
        return _parse_params(raw, source)
    try:
        file = msgspec.convert(raw, _File)
    except msgspec.ValidationError as error:
        raise LedgerError(
            f"{source} is not a policy: {error}; expected stages, each with its gates"
        ) from None
    for stage in file.stages:
        try:
            check_stage_name(stage)
        except UsageError as error:
            raise LedgerError(f"{source}: {error}") from None
    _check_stages(file, source)
    return PolicyFile(source, file.stages, file.models)


def _check_stages(file: _File, source: str) -> None:
    """Reject what would switch something off: undeclared stages of models, limits of gates."""
    for model, differing in file.models.items():
        for stage in differing.stages:
            if stage not in file.stages:
                raise LedgerError(
                    f"{source}: models.{model} names the stage {stage!r}, which stages does not "
                    f"declare{nearest(stage, file.stages)}"
                )
    scopes = [file.stages, *(model.stages for model in file.models.values())]
    for stage, written in (item for scope in scopes for item in scope.items()):
        limited = [gate for gate, node in written.gates.items() if "stages" in node]
        if limited:
            raise LedgerError(f"{source}: gate {limited[0]} of {stage} cannot be limited to stages")


def _parse_params(raw: Mapping[str, Any], source: str) -> PolicyFile | None:
    if raw.get("gate") is None:
        return None
    gates: dict[str, dict[str, Any]] = {}
    limits: dict[str, tuple[str, ...]] = {}
    for name, node in _nodes(raw["gate"], "gate", source).items():
        stages = node.pop("stages", "")
        if not isinstance(stages, str):
            raise LedgerError(f"{source}: gate.{name}.stages is {stages!r}, expected e.g. prod")
        gates[name] = node
        if stages:
            limits[name] = tuple(stage.strip() for stage in stages.split(","))
            for stage in limits[name]:
                try:
                    check_stage_name(stage)
                except UsageError as error:
                    raise LedgerError(f"{source}: gate.{name}.stages: {error}") from None
    evaluators = _nodes(raw.get("evaluator") or {}, "evaluator", source)
    return PolicyFile(source, {"*": _Stage(gates, evaluators)}, declared=False, limits=limits)


def _nodes(raw: object, key: str, source: str) -> dict[str, dict[str, Any]]:
    """Return plugins and settings by instance name; the code behind them is in the verdict."""
    if not isinstance(raw, Mapping) or not all(isinstance(node, Mapping) for node in raw.values()):
        raise LedgerError(f"{source}: {key} is {raw!r}, expected settings by plugin")
    return {
        str(name): {key: value for key, value in node.items() if key != "provider"}
        for name, node in raw.items()
    }


def _is_similar(stage: str, other: str) -> bool:
    """Whether a name may be meant as another: ``prod`` as ``production``, ``prdo``, ``Prod``."""
    ratio = difflib.SequenceMatcher(None, stage, other).ratio()
    return ratio >= SLIP or stage.startswith(other) or other.startswith(stage)


def check_stage_name(stage: str) -> None:
    """Raise a `UsageError` unless this can be the name of a stage."""
    hint = ""
    if not NAME.fullmatch(stage):
        parts = stage.replace(";", " ").split()
        hint = f"; separate names by commas: {','.join(parts)}" if len(parts) > 1 else ""
        raise UsageError(f"{stage[:80]!r} is not a name of a stage{hint}; allowed: {NAME_RULE}")
    if stage != stage.lower() or VERSION.fullmatch(stage):
        raise UsageError(
            f"{stage!r} is not a name of a stage; expected lower case, so that no gate is missed "
            f"by its spelling, and not a version; did you mean {stage.lower()!r}?"
        )
