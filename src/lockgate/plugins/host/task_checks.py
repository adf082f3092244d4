"""Checks that the chosen plugins and settings suit a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lockgate.contract.kinds import kind as kind_named
from lockgate.contract.recipes import NOT_FUSED, UNSUPERVISED, WITHOUT_REGIONS, is_fitted_to_each
from lockgate.contract.sections import Sections
from lockgate.errors import SettingError
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.plugin_choice import PluginChoice

__all__ = ["check_task"]


def check_task(
    sections: Sections,
    chosen: Mapping[str, Sequence[PluginChoice]],
    task: str,
    catalogue: Catalogue,
) -> None:
    """Refuse what the task cannot have; of ``auto`` the stages know which it is.

    Raises
    ------
    SettingError
        For a plugin of other tasks, or a setting that the task has no use for.

    """
    for choice in (*chosen["model"], *chosen["evaluator"]):
        if not _suits(choice.kind, choice.tasks, task):
            raise SettingError(choice.kind, choice.name, _rule(choice, task, catalogue))
    _check_sections(sections, task)
    if task in NOT_FUSED and len(chosen["model"]) > 1:
        names = [choice.name for choice in chosen["model"]]
        raise SettingError("model", names, f"a single model for the task {task}")


def _check_sections(sections: Sections, task: str) -> None:
    """Refuse settings that models of a task have no use for."""
    search = sections.search
    if search.calibration != "none" and task not in ("binary", "multiclass"):
        rule = f"none, as the task {task} has no probabilities to correct"
        raise SettingError("search.calibration", search.calibration, rule)
    if sections.decision.coverage is not None and task in WITHOUT_REGIONS:
        reason = "no true value to hold" if task in UNSUPERVISED else "no prediction intervals"
        rule = f"null, as the task {task} has {reason}"
        raise SettingError("decision.coverage", sections.decision.coverage, rule)


def _rule(choice: PluginChoice, task: str, catalogue: Catalogue) -> str:
    """Return what is expected instead of a plugin of other tasks."""
    rule = f"one for project.task={task}; {choice.name} is for "
    rule += " and ".join(choice.tasks) or "tasks of a single target"
    if others := _suitable(choice.kind, task, catalogue):
        name = f"[{others[0]}]" if kind_named(choice.kind).listed else others[0]
        rule += f": choose {choice.kind}={name}" + " or another" * (len(others) > 1)
    return rule


def _suits(kind: str, tasks: Sequence[str], task: str) -> bool:
    """Whether a model or evaluator of these tasks is for a task.

    Without tasks it is for all but several targets, whose values have another shape.
    """
    if kind == "model" and is_fitted_to_each(tasks, task):
        return not tasks or "regression" in tasks
    return task in tasks or (not tasks and task != "multioutput")


def _suitable(kind: str, task: str, catalogue: Catalogue) -> list[str]:
    """Return the installed plugins that name a task as theirs."""
    return [
        entry.name
        for entry in catalogue
        if entry.kind == kind and task in getattr(entry.load(), "tasks", ())
    ]
