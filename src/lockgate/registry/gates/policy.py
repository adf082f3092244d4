"""The gates of a stage, loaded from the policy that names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate.data.io.atomic import write_file
from lockgate.errors import GateRefused, LedgerError, LockgateError, UsageError
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.parameters import choose
from lockgate.plugins.host.params_file import dump_yaml, read_params
from lockgate.plugins.host.plugin_choice import PluginChoice
from lockgate.registry.ledger.policy_file import POLICY_FILE, ParamsPolicy, PolicyFile, parse_policy
from lockgate.registry.ledger.repository import Repository
from lockgate.registry.ledger.trust import read_policy
from lockgate.registry.provenance.policy import StagePolicy
from lockgate.suggestions import nearest

DEFAULT = """
gate:
  signature: {plugin: signature}
  parity: {plugin: parity}
  no-worse: {plugin: no-worse}
"""
"""Gates of models that were fitted elsewhere: requests remain valid, and they are not worse."""

HEADER = """\
# Which gates guard each stage, and who may promote to it. What counts is this file as it is
# committed to the main branch; `lockgate policy` shows it. Keys of a stage: gates ({} for none),
# evaluators, promoters (addresses, or patterns like "*@risk.example"). A model that differs has its
# stages below `models: {NAME: {stages: ...}}`.
"""

__all__ = [
    "LoadedPolicy",
    "check_promoter",
    "check_retirement",
    "load_policy",
    "policy_problems",
    "read_policy_file",
    "stage_policy",
    "write_policy",
]


@dataclass(frozen=True)
class LoadedPolicy:
    """The policy of a stage, with its plugins.

    Attributes
    ----------
    written : StagePolicy
        The policy as it is written.
    gates : tuple of PluginChoice
        The gates, in the order of the file.
    evaluators : mapping of str to object
        Evaluators by instance name; empty for the default one of the task.

    """

    written: StagePolicy
    gates: tuple[PluginChoice, ...]
    evaluators: Mapping[str, object]


def load_policy(policy: StagePolicy) -> LoadedPolicy:
    """Load the gates and evaluators of a policy.

    Raises
    ------
    LockgateError
        If a plugin is not installed, or a setting is not valid.

    """
    catalogue = Catalogue.installed()
    return LoadedPolicy(
        policy,
        choose("gate", policy.gates, catalogue),
        {
            choice.name: choice.build()
            for choice in choose("evaluator", policy.evaluators, catalogue)
        },
    )


def stage_policy(repository: Repository, name: str, stage: str) -> StagePolicy:
    """Return the policy of the main branch for a model in a stage.

    Raises
    ------
    GateRefused
        If the main branch says nothing about gates.
    UsageError
        If it does not declare the stage.
    LedgerError
        If its policy is not valid.

    """
    file = read_policy(repository)
    if file is None:
        raise GateRefused(
            f"nothing says which gates guard {stage}: commit {POLICY_FILE} to the main branch "
            f"(`lockgate policy --write` makes it), or promote with --override --reason"
        )
    return file.of(name, stage)


def check_retirement(repository: Repository, name: str, stage: str) -> None:
    """Check that the user may empty a stage: its promoters may, and all if it is not declared.

    Raises
    ------
    GateRefused
        If the policy names others.

    """
    file = read_policy(repository)
    if file is not None and file.declares(name, stage):
        check_promoter(repository, name, stage)


def check_promoter(repository: Repository, name: str, stage: str) -> None:
    """Check that the user may promote to a stage, where the main branch has a policy.

    Raises
    ------
    GateRefused
        If the policy names others.
    UsageError
        If it declares stages, and not this one.

    """
    file = read_policy(repository)
    if file is None:
        return
    policy, email = file.of(name, stage), repository.person(0).email
    if not policy.lets_promote(email):
        raise GateRefused(
            f"{email} is not a promoter of {stage}; promoters: {', '.join(policy.promoters)}"
        )


def write_policy(root: Path, stages: Sequence[str] = ()) -> Path:
    """Write the policy file from the gates of a project, and return its path.

    Parameters
    ----------
    root : pathlib.Path
        A folder of the project.
    stages : sequence of str
        Stages to declare, or whose gates to replace; by default ``staging`` and ``prod``, in a
        new file.

    Raises
    ------
    UsageError
        If the project has no gates, a gate is limited to a stage that is not declared, or the
        file exists and no stage is named, or it is not valid.

    """
    repository = Repository.find(root)
    path = _policy_path(repository)
    raw: dict[str, Any] = {}
    if path.is_file():
        read_policy_file(path)  # refused before anything is changed
        raw = read_params(path)
    declared: dict[str, Any] = raw.get("stages") or {}
    source = _params_of(root.absolute(), repository.top)
    params = read_policy_file(source) if source else parse_policy(DEFAULT, "the default gates")
    if not isinstance(params, ParamsPolicy):
        raise UsageError(f"{source} declares stages; expected the gates of a project")
    new_stages = list(dict.fromkeys(stages or (() if declared else ("staging", "prod"))))
    if not new_stages:
        raise UsageError(
            f"{path} declares {', '.join(declared)}; name the stages whose gates are to be "
            "replaced by those of the project: --stage STAGE"
        )
    names = list(dict.fromkeys([*declared, *new_stages]))
    for gate, limits in params.limits.items():
        for stage in limits:
            if stage not in names:
                raise UsageError(
                    f"gate.{gate}.stages names {stage!r}{nearest(stage, names)}; the policy "
                    f"declares: {', '.join(names)}; add --stage {stage}, or change it in conf/"
                )
    for stage in new_stages:
        policy = params.of("", stage)
        node = {**declared.get(stage, {}), "gates": policy.gates}
        if policy.evaluators:
            node["evaluators"] = policy.evaluators
        declared[stage] = node
    text = HEADER + dump_yaml({**raw, "stages": declared})
    parse_policy(text, str(path))
    write_file(path, text)
    return path


def _policy_path(repository: Repository) -> Path:
    """Return the path of the policy file in the work tree."""
    if repository.top == repository.folder:
        raise UsageError("a bare repository has no work tree: write the policy in a clone")
    path = repository.top / POLICY_FILE
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise UsageError(f"{path} is not a regular file; the main branch must have one there")
    return path


def _params_of(start: Path, top: Path) -> Path | None:
    """Return the ``params.yaml`` of the project that a folder is in; None without a project."""
    for folder in (start, *start.parents):
        if (folder / "params.yaml").is_file():
            return folder / "params.yaml"
        if folder == top:
            break
    return None


def policy_problems(file: PolicyFile) -> list[str]:
    """Return why gates of a policy cannot be run here: plugins and settings, by model and stage."""
    problems = []
    for row in file.rows():
        try:
            for gate in load_policy(row.policy).gates:
                gate.build()
        except LockgateError as error:
            problems.append(f"{row.model} {row.stage}: {error}")
    return problems


def read_policy_file(path: Path) -> PolicyFile:
    """Read a file with gates that is not committed, to try them out.

    Raises
    ------
    UsageError
        If it is not valid, or has no gates.

    """
    try:
        file = parse_policy(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError, LedgerError) as error:
        raise UsageError(str(error)) from None
    if file is None:
        raise UsageError(f"{path} has neither stages nor the key gate")
    return file
