"""Loader settings for the data file of a new project, detected and checked."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

from lockgate.contract.recipes import NUMERIC
from lockgate.contract.settings import build, check
from lockgate.contract.tables import CSVFormat, LoadRequest, Table
from lockgate.data.cell_checks import propose_text_encoding
from lockgate.data.columns.categories import category_text
from lockgate.data.columns.personal import is_personal
from lockgate.data.io.csv_detection import CSV_SETTINGS, detect_csv
from lockgate.data.io.files import file_ending
from lockgate.data.io.frames import FRAME_ENDINGS, is_parquet
from lockgate.data.tables import read_table
from lockgate.data.task import infer_task
from lockgate.errors import DataError, UsageError
from lockgate.modeling.training.estimators import find_positive
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.host import Host
from lockgate.suggestions import nearest

__all__ = ["DataSettings", "Declared", "inspect_data", "inspect_loader"]

WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")

TABLE_SETTINGS = ("id", "time", "group", "value", "weight", "horizon_days", "dates")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Declared:
    """What the author of a project says of its data; the rest is detected.

    Attributes
    ----------
    target : str, sequence of str, or None
        Column to predict, or several; None for a task without a target.
    settings : mapping
        Settings of the loader by name; a text from a command line is converted.
    kinds : mapping of str to str
        Kinds of columns that should not be inferred.
    task : str
        What to predict; ``auto`` is inferred from the target.
    use_as_time : callable
        Called with the name of the only column of dates; whether rows are split by it.

    """

    target: str | Sequence[str] | None
    settings: Mapping[str, Any]
    kinds: Mapping[str, str]
    task: str = "auto"
    use_as_time: Callable[[str], bool] = lambda _: True


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """What the configuration of a new project says about its data.

    Attributes
    ----------
    plugin : str
        The loader.
    settings : dict
        Its settings that differ from the defaults.
    kinds : dict of str to str
        Declared kinds of columns.
    task : str
        The task.
    left_out : list of str
        Features with many different texts, such as names and codes.
    texts : dict of str to str
        Features of sentences, with the encoding that suits them.
    summary : str
        Rows, columns and target, in a sentence.
    asked_task : str
        The task as it was asked for, ``auto`` where it follows from the target.

    """

    plugin: str
    settings: dict[str, Any]
    kinds: dict[str, str]
    task: str
    left_out: list[str] = dataclasses.field(default_factory=list)
    texts: dict[str, str] = dataclasses.field(default_factory=dict)
    summary: str = ""
    asked_task: str = "auto"


def inspect_data(path: Path, declared: Declared) -> DataSettings:
    """Read the file once, so that a wrong column is reported here and not by a stage.

    Parameters
    ----------
    path : pathlib.Path
        CSV or Parquet file, whose format is detected, or a workbook.
    declared : Declared
        What need not be detected.

    Raises
    ------
    DataError
        If the file cannot be read, or cells can be read in two ways.
    UsageError
        If a setting is unknown, or its value is not valid.

    """
    if (ending := file_ending(path)) in WORKBOOKS:
        return _inspect_workbook(path, declared)
    if ending not in FRAME_ENDINGS:
        raise DataError(
            f"{path} ends in {ending!r}, expected one of "
            f"{', '.join((*FRAME_ENDINGS, *WORKBOOKS))}; databases and folders have loaders of "
            "their own: lockgate init --loader sql, duckdb or parquet --set NAME=VALUE"
        )
    parquet = is_parquet(path)
    known = TABLE_SETTINGS if parquet else (*TABLE_SETTINGS, *CSV_SETTINGS)
    for name in declared.settings:
        if name not in known:
            raise UsageError(
                f"unknown setting {name!r}{nearest(name, known)}; available: {', '.join(known)}"
            )
    plugin = "parquet" if parquet else "csv"
    settings = _without_empty_time(declared.settings)
    values = check(
        Catalogue.installed().find("loader", plugin).load(),
        _convert_counts(settings) | {"path": path.as_posix(), "target": declared.target},
        "",
    )
    settings = {name: value for name, value in values.items() if name in settings}
    written = {name: value for name, value in settings.items() if name in CSV_SETTINGS}
    csv = CSVFormat() if parquet else detect_csv(path, written, declared.kinds)
    chosen = {k: v for k, v in settings.items() if k in TABLE_SETTINGS}
    table = read_table(path, target=declared.target, kinds=declared.kinds, csv=csv, **chosen)
    default = CSVFormat()
    chosen |= {
        name: getattr(csv, name)
        for name in CSV_SETTINGS
        if getattr(csv, name) != getattr(default, name)
    }
    return _describe(plugin, table, chosen, declared)


def inspect_loader(name: str, root: Path, declared: Declared) -> DataSettings:
    """Load the rows of any loader once, so that a mistake is reported here and not by a stage.

    Parameters
    ----------
    name : str
        Name of the loader.
    root : pathlib.Path
        Directory of the project, which its paths refer to.
    declared : Declared
        What need not be detected; where a setting cannot be a text, its text is read as YAML.

    Raises
    ------
    DataError
        If the loader fails.
    UsageError
        If a setting is unknown, or its value is not valid.

    """
    plugin_class = Catalogue.installed().find("loader", name).load()
    hints = get_type_hints(plugin_class)
    chosen = {
        key: value
        if not isinstance(value, str) or _takes_text(hints.get(key))
        else yaml.safe_load(value)
        for key, value in _without_empty_time(declared.settings).items()
    }
    if declared.target is not None:
        chosen["target"] = declared.target
    values = check(plugin_class, chosen, f"loader.{name}")
    host = Host("init")
    host.register("loader", name, build(plugin_class, values, f"loader.{name}"))
    request = LoadRequest(root=str(root), kinds=dict(declared.kinds))
    table: Table = host.call("loader", name, request)
    # as they were given, so that a secret stays a name
    written = {key: value for key, value in chosen.items() if key != "target"}
    return _describe(name, table, written, declared, may_split="time" in hints)


def _without_empty_time(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out an empty ``time``, which declares that rows are not split by time."""
    return {name: value for name, value in settings.items() if (name, value) != ("time", "")}


def _takes_text(hint: object) -> bool:
    """Whether a setting of that type may be a text."""
    members = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return any(member is str or get_origin(member) is Literal for member in members)


def _inspect_workbook(path: Path, declared: Declared) -> DataSettings:
    """Load a workbook from where it will lie in the project."""
    with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
        raw = Path(folder) / "data" / "raw"
        raw.mkdir(parents=True)
        shutil.copyfile(path, raw / path.name)
        settings = {**declared.settings, "path": f"data/raw/{path.name}"}
        content = inspect_loader(
            "excel", Path(folder), dataclasses.replace(declared, settings=settings)
        )
    return dataclasses.replace(
        content, settings={k: v for k, v in content.settings.items() if k != "path"}
    )


def _describe(
    plugin: str,
    table: Table,
    settings: dict[str, Any],
    declared: Declared,
    *,
    may_split: bool = True,
) -> DataSettings:
    """Return what the configuration says of a table that was loaded with these settings."""
    time = _find_time(table) if may_split and "time" not in declared.settings else None
    if time is not None and declared.use_as_time(time):
        settings = settings | {"time": time}
    task = infer_task(table, declared.task)
    left_out, texts = _find_texts(table)
    return DataSettings(
        plugin,
        settings,
        dict(declared.kinds),
        task,
        left_out,
        texts,
        _summarize(table, task),
        declared.task,
    )


def _find_texts(table: Table) -> tuple[list[str], dict[str, str]]:
    """Return the features of kind text to leave out, and those to encode with their encoding."""
    left_out, texts = [], {}
    for column in table.schema.features:
        if column.kind != "text":
            continue
        cells = table.frame[column.name].dropna().map(category_text).tolist()
        encoding = None if is_personal(column.name) else propose_text_encoding(cells)
        if encoding is None:
            left_out.append(column.name)
        else:
            texts[column.name] = encoding
    return left_out, texts


def _summarize(table: Table, task: str) -> str:
    """Return what a project's author should see at once: rows, columns, and the target's values."""
    text = f"{len(table):,} rows, {len(table.schema.features)} features"
    targets = table.schema.targets
    if not targets:
        return f"{text}; {task}, without a target"
    known = table.frame[list(targets)].dropna()
    values = known[targets[0]]
    if task in NUMERIC:
        for target in targets:
            low, high = f"{known[target].min():,.6g}", f"{known[target].max():,.6g}"
            text += f"; target {target}: {low} to {high}, mean {known[target].mean():,.6g}"
    else:
        shares = values.map(category_text).value_counts(normalize=True)
        shown = [f"{label} {100 * share:.3g}%" for label, share in shares.iloc[:5].items()]
        text += f"; target {targets[0]}: {', '.join(shown)}" + (", ..." if len(shares) > 5 else "")
    if task == "binary":
        positive = find_positive(values.to_numpy(), task)
        text += f"; positive class: {positive}, another: lockgate run data.positive=CLASS"
    if missing := len(table) - len(known):
        text += f"; {missing:,} rows without a target are left out"
    return text


def _find_time(table: Table) -> str | None:
    """Return the column that says when a row was, if it is the only one with dates."""
    dates = [column.name for column in table.schema.features if column.kind == "date"]
    if len(dates) != 1 or is_personal(dates[0]):  # a date of birth, for example
        return None
    values = table.frame[dates[0]]
    return dates[0] if values.notna().all() and values.nunique() > 1 else None


def _convert_counts(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Convert texts of the command line that are whole numbers; all other settings are texts."""
    days = settings.get("horizon_days")
    is_count = isinstance(days, str) and days.isdecimal()
    return dict(settings) | ({"horizon_days": int(str(days))} if is_count else {})
