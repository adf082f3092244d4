"""Checks of a split: classes on one side only, and time that is forgotten."""

from __future__ import annotations

from lockgate.contract.tables import Splits
from lockgate.data.columns.categories import category_text
from lockgate.data.columns.personal import is_personal
from lockgate.errors import SchemaViolation

__all__ = ["check_classes", "check_split"]


def check_split(parts: Splits, method: str, loader: str) -> list[str]:
    """Return what makes metrics on the test rows too good, as messages.

    Parameters
    ----------
    parts : Splits
        The rows; columns beyond the schema's may hold groups.
    method : {"time", "group", "stratified", "random"}
        How they were split.
    loader : str
        Name of the loader, for the overrides that messages propose.

    """
    schema = parts.test.schema
    messages = []
    dates = [
        column.name
        for column in schema.features
        if column.kind == "date" and not is_personal(column.name)  # e.g. a date of birth
    ]
    if method != "time" and schema.time is None and dates:
        messages.append(
            f"column {dates[0]} holds dates, and the rows are split at random: if the model will "
            f"predict later rows than it was trained on, these metrics are too good; split by "
            f"time: lockgate run loader.{loader}.time={dates[0]}"
        )
    return messages


def check_classes(parts: Splits) -> None:
    """Refuse tune and test rows of classes that no training row has.

    Parameters
    ----------
    parts : Splits
        The rows of a classification, as the model is trained, tuned and tested on.

    Raises
    ------
    SchemaViolation
        With each such class and its count of rows: a model cannot be measured on them.

    """
    target = str(parts.train.schema.target)
    known = set(parts.train.frame[target].map(category_text))
    messages = []
    for label, part in (("tune", parts.tune), ("test", parts.test)):
        counts = part.frame[target].map(category_text).value_counts()
        unknown = counts[~counts.index.isin(known)]
        messages += [
            f"{count} {label} row{'s' if count > 1 else ''} of class {name!r} of {target}, which "
            "no training row has"
            for name, count in unknown.head(5).items()
        ]
        if len(unknown) > 5:
            messages.append(f"and {label} rows of {len(unknown) - 5} more such classes")
    if messages:
        advice = (
            "no model can be measured on them: merge rare classes or leave their rows out of the "
            "data, split so that training rows have them (split.by, split.test_from), or, if "
            "they are numbers, lockgate run project.task=regression"
        )
        raise SchemaViolation([*messages, advice])
