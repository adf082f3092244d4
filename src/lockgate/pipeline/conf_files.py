"""Writes the configuration of a new project: its plugins, and what its data need."""

from __future__ import annotations

import importlib.resources
import json
import re
import string
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from lockgate.contract.recipes import UNSUPERVISED
from lockgate.modeling.metrics.losses import EVALUATORS
from lockgate.pipeline.data_settings import DataSettings
from lockgate.plugins.config.choices import CHOICES, CONF, Choices, choices_text
from lockgate.plugins.host.catalogue import Catalogue

__all__ = ["quote", "read_template", "slugify", "write_conf"]

MODELS = {
    "regression": "linear",
    "multioutput": "linear",
    "clustering": "k-means",
    "anomaly": "isolation-forest",
}
"""The first model of a task; of classes it is the logistic regression."""


def write_conf(
    conf: Path,
    path: Path | None,
    target: str | Sequence[str] | None,
    content: DataSettings,
    name: str,
) -> None:
    """Write the files of a new project's ``conf/``.

    Parameters
    ----------
    conf : pathlib.Path
        The folder.
    path : pathlib.Path or None
        The data file, relative to the project; None where the loader's settings name the rows.
    target : str, sequence of str, or None
        Column to predict, or several.
    content : DataSettings
        What was learned of the data.
    name : str
        Name of the model.

    """
    loader = slugify(content.plugin if path is None else path.stem)
    if loader in Catalogue.installed().names("loader"):
        loader += "-data"  # a file that includes the plugin of its own name would include itself
    variables = {
        "loader": loader,
        "plugin": content.plugin,
        "model": MODELS.get(content.task, "logistic"),
        "compressor": "" if content.task in UNSUPERVISED else "lasso",
        "evaluator": EVALUATORS[content.task],
        "name": quote(name),
        "task": "" if content.asked_task == "auto" else f"\n  task: {content.task}",
        "path": "" if path is None else f"path: {quote(path.as_posix())}\n",
        "target": "null" if target is None else _quote_value(target),
        "settings": "".join(
            f"{key}: {_quote_value(value)}\n" for key, value in content.settings.items()
        ),
        "data": _data_section(content),
    }
    for template, output in (
        ("config.yaml", "config.yaml"),
        ("loader.yaml", f"loader/{loader}.yaml"),
    ):
        (conf / output).parent.mkdir(parents=True, exist_ok=True)
        (conf / output).write_text(
            string.Template(read_template(template)).substitute(variables), encoding="utf-8"
        )
    (conf / "experiment").mkdir()
    chosen = conf / CHOICES.relative_to(CONF)
    chosen.parent.mkdir()
    chosen.write_text(choices_text(Choices()), encoding="utf-8")


def _data_section(content: DataSettings) -> str:
    lines = []
    if content.kinds:
        lines += ["  kinds:"]
        lines += [f"    {quote(column)}: {kind}" for column, kind in content.kinds.items()]
    if content.left_out:
        lines += ["  # names or codes with many different values: declare their kind to use them"]
        lines += [f"  leave_out: {_quote_value(content.left_out)}"]
    sections = ["\ndata:", *lines, ""] if lines else []
    if content.texts:
        sections += ["\ncells:", "  texts:"]
        sections += [f"    {quote(column)}: {name}" for column, name in content.texts.items()]
        sections += [""]
    return "\n".join(sections)


def _quote_value(value: object) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{quote(str(key))}: {_quote_value(inner)}" for key, inner in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_quote_value, value)) + "]"
    return quote(value) if isinstance(value, str) else json.dumps(value)


def quote(text: str) -> str:
    """Quote a text for YAML, which takes JSON strings, and for OmegaConf, which expands ${."""
    return json.dumps(text.replace("${", "\\${"), ensure_ascii=False)


def slugify(text: str) -> str:
    """Return a name of lower-case letters, digits and dashes that begins with a letter."""
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return slug if slug[:1].isalpha() else f"data-{slug}".strip("-")


def read_template(name: str) -> str:
    """Return a template of a project's files."""
    return importlib.resources.files(__package__).joinpath("templates", name).read_text("utf-8")
