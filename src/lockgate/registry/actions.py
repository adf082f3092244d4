"""Changes of a stage: from the current state of the ledger to the draft of an event."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from lockgate.errors import DeploymentError, LedgerError
from lockgate.registry.ledger import rules
from lockgate.registry.ledger.drafts import Draft
from lockgate.registry.ledger.state import State
from lockgate.registry.provenance.policy import StagePolicy
from lockgate.registry.slots import choose_previous
from lockgate.suggestions import nearest

__all__ = [
    "promotion_draft",
    "retirement_draft",
    "rollback_draft",
]


def promotion_draft(
    state: State,
    *,
    name: str,
    stage: str,
    version: str | None,
    expected: rules.Expectation,
    override: bool,
    reason: str,
    policy: Callable[[], StagePolicy],
) -> Draft:
    """Draft the promotion of a version to a stage."""
    record = rules.find_usable_version(state, name, version)
    current = _current_version(state, name, stage, expected)
    if current == record.version:
        raise LedgerError(f"{name}@{current} is already in {stage}; nothing was changed")
    gate = None
    if not override:
        gate = rules.verdict_for(state, record, stage, policy().digest).digest
    return Draft(
        {
            "op": "promote",
            "name": name,
            "stage": stage,
            "before": current,
            "after": record.version,
            "digest": record.digest,
            "gate": gate,
            "override": override,
            "reason": reason,
        }
    )


def rollback_draft(
    state: State, *, name: str, stage: str, to: str | None, expected: rules.Expectation, reason: str
) -> Draft:
    """Draft the rollback of a stage to an earlier version."""
    current = _current_version(state, name, stage, expected)
    stage_record = state.stage(name, stage)
    if stage_record is None:
        rules.find_version(state, name, None)  # an unknown model is the better reason
        raise LedgerError(
            f"nothing to roll back: {name} has no version in {stage}"
            f"{nearest(stage, state.stages(name))}"
        )
    slot = stage_record.slot
    if to is None:  # retired versions are skipped, unless one is named
        usable = [bundle for bundle in slot.before if not state.is_retired(name, bundle.version)]
        if slot.before and not usable:
            retired = ", ".join(dict.fromkeys(bundle.version for bundle in slot.before))
            raise LedgerError(
                f"all versions that were in {stage} before {name}@{slot.version} are retired: "
                f"{retired}; promote another, or empty the stage: lockgate retire {name} {stage}"
            )
        slot = msgspec.structs.replace(slot, before=tuple(usable))
    try:
        previous = choose_previous(slot, to)
    except DeploymentError as error:
        raise LedgerError(str(error)) from None
    return Draft(
        {
            "op": "rollback",
            "name": name,
            "stage": stage,
            "before": current,
            "after": previous.version,
            "digest": previous.digest,
            "gate": previous.verdict,
            "override": previous.override,
            "reason": reason,
        }
    )


def retirement_draft(
    state: State,
    *,
    name: str,
    version: str | None,
    stage: str | None,
    expected: rules.Expectation,
    reason: str,
) -> Draft:
    """Draft the retirement of a version, or the removal of a model from a stage."""
    if stage is not None:
        expected.check(state, name, stage)
        stage_record = state.stage(name, stage)
        if stage_record is None:
            rules.find_version(state, name, None)
            raise LedgerError(
                f"{name} has no version in {stage}{nearest(stage, state.stages(name))}"
            )
        version = stage_record.slot.version
    digest = rules.find_version(state, name, version).digest
    return Draft(
        {
            "op": "retire",
            "name": name,
            "stage": stage,
            "before": version,
            "digest": digest,
            "reason": reason,
        }
    )


def _current_version(
    state: State, name: str, stage: str, expected: rules.Expectation
) -> str | None:
    """Return the version in a stage, if that is as expected."""
    expected.check(state, name, stage)
    stage_record = state.stage(name, stage)
    return None if stage_record is None else stage_record.slot.version
