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

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec

from lockgate.errors import LedgerError, UsageError
from lockgate.plugins.host.params_file import MAX_BYTES, parse_yaml
from lockgate.registry.ledger.stage_names import check_stage_name, is_similar
from lockgate.registry.provenance.policy import StagePolicy
from lockgate.suggestions import nearest

__all__ = [
    "POLICY_FILE",
    "DeclaredPolicy",
    "ParamsPolicy",
    "PolicyFile",
    "PolicyRow",
    "parse_policy",
]

POLICY_FILE = ".lockgate/policy.yaml"
"""Path of the file in the repository."""


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


class PolicyRow(NamedTuple):
    """What guards a stage, as a row of a table.

    Attributes
    ----------
    model, stage : str
        The model and the stage; ``every`` for all.
    gates : list of str
        Instance names, with the stages that a gate is limited to.
    policy : StagePolicy
        All of these gates, and who may promote.

    """

    model: str
    stage: str
    gates: list[str]
    policy: StagePolicy


class DeclaredPolicy(msgspec.Struct, frozen=True):
    """A policy file: it declares the stages, and what guards each.

    Attributes
    ----------
    source : str
        Where it was read, for messages.
    stages : dict
        Stage to what guards it, for every model.
    models : dict
        The same for single models, where they differ.

    """

    source: str
    stages: dict[str, _Stage]
    models: dict[str, _Model]

    def declares(self, name: str, stage: str) -> bool:
        """Whether a stage is declared for a model."""
        return stage in self._stages(name)

    def _stages(self, name: str) -> dict[str, _Stage]:
        model = self.models.get(name)
        return self.stages if model is None else {**self.stages, **model.stages}

    def of(self, name: str, stage: str) -> StagePolicy:
        """Return the policy of a model in a stage.

        Raises
        ------
        UsageError
            If the stage is not declared.

        """
        check_stage_name(stage)
        stages = self._stages(name)
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

    def rows(self) -> Iterator[PolicyRow]:
        """Yield what guards each stage, for every model first."""
        scopes = {"every": self.stages}
        scopes |= {name: model.stages for name, model in self.models.items()}
        for scope, stages in scopes.items():
            for stage, written in stages.items():
                yield PolicyRow(scope, stage, list(written.gates), self.of(scope, stage))


class ParamsPolicy(msgspec.Struct, frozen=True):
    """The gates of a ``params.yaml``: it declares no stages, and they guard any.

    Attributes
    ----------
    source : str
        Where it was read, for messages.
    gates, evaluators : dict
        Plugin and settings by instance name.
    limits : dict
        Stages that a gate is limited to, by its instance name.

    """

    source: str
    gates: dict[str, dict[str, Any]]
    evaluators: dict[str, dict[str, Any]]
    limits: dict[str, tuple[str, ...]]

    def declares(self, _name: str, _stage: str) -> bool:
        """Whether a stage is declared: its gates guard any."""
        return True

    def of(self, _name: str, stage: str) -> StagePolicy:
        """Return the policy of a stage, whatever the model.

        Raises
        ------
        UsageError
            If a gate is limited to a stage with nearly this name.

        """
        check_stage_name(stage)
        for gate, limits in self.limits.items():
            similar = [limit for limit in limits if is_similar(stage, limit)]
            if stage not in limits and similar:
                raise UsageError(
                    f"{self.source}: gate.{gate}.stages limits the gate to {similar[0]!r}, and the "
                    f"stage is {stage!r}: if both are stages, declare them in {POLICY_FILE}"
                )
        gates = {
            gate: node
            for gate, node in self.gates.items()
            if stage in self.limits.get(gate, (stage,))
        }
        return StagePolicy(stage=stage, gates=gates, evaluators=self.evaluators)

    def rows(self) -> Iterator[PolicyRow]:
        """Yield the only row: these gates guard every stage."""
        labels = [
            f"{gate} ({','.join(self.limits[gate])} only)" if gate in self.limits else gate
            for gate in self.gates
        ]
        policy = StagePolicy(stage="every", gates=self.gates, evaluators=self.evaluators)
        yield PolicyRow("every", "every", labels, policy)


PolicyFile = DeclaredPolicy | ParamsPolicy
"""A policy, from either file."""


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
            f"{source} is not a policy{_wrong_stage(raw)}: {error}; expected stages, each with its "
            "gates: {NAME: {plugin: PLUGIN, ...}}"
        ) from None
    for stage in file.stages:
        try:
            check_stage_name(stage)
        except UsageError as error:
            raise LedgerError(f"{source}: {error}") from None
    _check_stages(file, source)
    return DeclaredPolicy(source, file.stages, file.models)


def _wrong_stage(raw: object) -> str:
    """Return which stage is not valid, as text; empty if that is not it."""
    stages = raw.get("stages") if isinstance(raw, Mapping) else None
    for stage, written in stages.items() if isinstance(stages, Mapping) else ():
        try:
            msgspec.convert(written, _Stage)
        except msgspec.ValidationError:
            return f", in stage {str(stage)[:80]}"
    return ""


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
        for gate, node in written.gates.items():
            if not isinstance(node.get("plugin"), str):
                raise LedgerError(
                    f"{source}: gate {gate} of {stage} names no plugin; expected e.g. "
                    f"{gate}: {{plugin: {gate}}}"
                )
        limited = [gate for gate, node in written.gates.items() if "stages" in node]
        if limited:
            raise LedgerError(f"{source}: gate {limited[0]} of {stage} cannot be limited to stages")


def _parse_params(raw: Mapping[str, Any], source: str) -> ParamsPolicy | None:
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
    return ParamsPolicy(source, gates, evaluators, limits)


def _nodes(raw: object, key: str, source: str) -> dict[str, dict[str, Any]]:
    """Return plugins and settings by instance name; the code behind them is in the verdict."""
    if not isinstance(raw, Mapping) or not all(isinstance(node, Mapping) for node in raw.values()):
        raise LedgerError(f"{source}: {key} is {raw!r}, expected settings by plugin")
    return {
        str(name): {key: value for key, value in node.items() if key != "provider"}
        for name, node in raw.items()
    }
