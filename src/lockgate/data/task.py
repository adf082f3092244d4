"""Infers the task from the target of a table."""

from __future__ import annotations

from lockgate.contract.recipes import UNSUPERVISED
from lockgate.contract.tables import Table
from lockgate.errors import SchemaViolation

__all__ = ["infer_task"]


def infer_task(train: Table, requested: str) -> str:
    """Infer the task from the target, or check that the requested task fits it."""
    name, names = train.schema.target, train.schema.targets
    if requested in UNSUPERVISED:
        if name is not None:
            raise SchemaViolation(
                [
                    f"project.task={requested} takes no target, and the loader's is "
                    f"{', '.join(names)}: set the loader's target to null, and keep the column "
                    f"from the model: lockgate run 'data.leave_out=[{','.join(names)}]'"
                ]
            )
        return requested
    if name is None:
        raise SchemaViolation(
            [
                "the table has no target: set the loader's target, or group similar rows: "
                "lockgate run project.task=clustering model=k-means evaluator=[clustering], or "
                "find unusual ones: project.task=anomaly model=isolation-forest evaluator=[anomaly]"
            ]
        )
    if not isinstance(name, str):
        return _task_of_several(train, requested)
    return _task_of_target(train, name, requested)


def _task_of_target(train: Table, name: str, requested: str) -> str:
    """Return the task of a table with a single target, or check the requested."""
    if requested == "multioutput":
        raise SchemaViolation(
            [f"project.task=multioutput predicts several targets, and the loader's is {name} alone"]
        )
    target = train.frame[name]
    distinct = target.nunique(dropna=True)
    if distinct < 2:
        raise SchemaViolation(
            [f"target {name} has {distinct} distinct value(s), expected at least 2"]
        )
    numeric = train.schema[name].kind in ("number", "integer")
    if requested == "auto":
        fractions = numeric and bool((target.dropna() % 1 != 0).any())
        classification = "binary" if distinct == 2 else "multiclass"
        return "regression" if numeric and (distinct > 20 or fractions) else classification
    if requested == "multiclass" and numeric and (target.dropna() % 1 != 0).any():
        raise SchemaViolation([f"target {name} has fractional values, expected class labels"])
    if requested == "regression" and not numeric:
        raise SchemaViolation(
            [f"target {name} is {target.dtype}, expected numbers for a regression"]
        )
    if requested == "binary" and distinct != 2:
        raise SchemaViolation([f"target {name} has {distinct} distinct values, expected 2"])
    return requested


def _task_of_several(train: Table, requested: str) -> str:
    """Return the task of a table with several targets, if it is the requested."""
    names = train.schema.targets
    if requested not in ("auto", "multioutput"):
        raise SchemaViolation(
            [
                f"project.task={requested} predicts a single target, and the loader's are "
                f"{', '.join(names)}: choose one of them, or project.task=multioutput"
            ]
        )
    problems = []
    for name in names:
        if train.schema[name].kind not in ("number", "integer"):
            kind = train.schema[name].kind
            problems.append(f"target {name} is of kind {kind}; several targets must be numbers")
        elif train.frame[name].nunique(dropna=True) < 2:
            problems.append(f"target {name} has fewer than 2 distinct values")
    if problems:
        raise SchemaViolation(problems)
    return "multioutput"
