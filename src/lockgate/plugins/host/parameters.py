"""The content of ``params.yaml``, checked against the host's sections and the plugins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lockgate.contract.kinds import CONFIGURED, Kind
from lockgate.contract.kinds import kind as kind_named
from lockgate.contract.names import NAME, NAME_RULE
from lockgate.contract.plugin import hooks_of
from lockgate.contract.sections import DATES, SECTIONS, Sections
from lockgate.contract.settings import build, check
from lockgate.errors import PluginChanged, SettingError, UnknownKey, UnknownPlugin, UsageError
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.plugin_choice import PluginChoice
from lockgate.plugins.host.provider import identify_provider
from lockgate.plugins.host.task_checks import check_task

__all__ = ["ORDER", "Parameters", "choose"]

ORDER = "compressor_order"
"""Key of the list of compressors in the order to run them."""


@dataclass(frozen=True)
class Parameters:
    """Checked parameters of a project.

    Attributes
    ----------
    sections : Sections
        Settings of the host.
    chosen : mapping of str to tuple of PluginChoice
        Plugins by kind; compressors in the order to run them.

    """

    sections: Sections
    chosen: Mapping[str, tuple[PluginChoice, ...]]

    @classmethod
    def check(cls, raw: Mapping[str, Any], catalogue: Catalogue) -> Parameters:
        """Check all parameters, before any work.

        Raises
        ------
        UnknownKey
            For an unknown key.
        SettingError
            For a missing key, a wrong type or a value out of range.
        UnknownPlugin, PluginConflict, BrokenPlugin, ContractMismatch
            If a configured plugin cannot be loaded.

        """
        known = [*SECTIONS, *(kind.name for kind in CONFIGURED), ORDER]
        for key in raw:
            if key == "experiment":
                raise UsageError(
                    "a file of conf/experiment/ needs `# @package _global_` as its first line; it "
                    "sets keys from the top, e.g. search: {folds: 3}"
                )
            if key not in known:
                raise UnknownKey(str(key), known)
        section_values = {key: _check_section(raw.get(key, {}), key) for key in SECTIONS}
        sections = Sections(
            **{key: build(SECTIONS[key], section_values[key], key) for key in SECTIONS}
        )
        _check_dates(sections)
        if not NAME.fullmatch(sections.project.name):
            raise SettingError("project.name", sections.project.name, NAME_RULE)
        chosen = {
            kind.name: choose(kind.name, raw.get(kind.name), catalogue) for kind in CONFIGURED
        }
        chosen["compressor"] = _order_choices(chosen["compressor"], raw.get(ORDER))
        _check_format(chosen["format"][0])
        _check_packed_steps(chosen["compressor"], chosen["format"][0])
        if sections.project.task != "auto":
            check_task(sections, chosen, sections.project.task, catalogue)
        return cls(sections, chosen)

    def single(self, kind: str) -> PluginChoice:
        """Return the plugin of a kind that has exactly one."""
        return self.chosen[kind][0]

    def verify_providers(self, raw: Mapping[str, Any], kinds: Iterable[str]) -> None:
        """Check that the installed code of these kinds' plugins is the recorded one.

        Raises
        ------
        PluginChanged
            For the first plugin with other code.

        """
        for kind in kinds:
            for chosen in self.chosen[kind]:
                recorded = raw[chosen.kind][chosen.name].get("provider")
                installed = identify_provider(chosen.entry)
                if recorded is not None and recorded != installed:
                    raise PluginChanged(
                        f"{chosen.kind}.{chosen.name}: params.yaml records {recorded}, but "
                        f"{installed} is installed; recompose with: lockgate run"
                    )


def _check_format(chosen: PluginChoice) -> None:
    companion = kind_named("format").companion
    assert companion is not None
    if companion.hook not in hooks_of(chosen.entry.load()):
        raise SettingError(
            "format",
            chosen.entry.name,
            f"a format that writes models; {chosen.entry.name} of "
            f"{chosen.entry.distribution_label} only opens them",
        )


def _check_packed_steps(compressors: Sequence[PluginChoice], format: PluginChoice) -> None:
    """Refuse a compressor that needs the estimator behind one that changes the packed form."""
    packed = [choice for choice in compressors if choice.on_packed]
    if packed and format.entry.name != "packed":
        raise SettingError(
            "format",
            format.entry.name,
            f"packed, as compressor {packed[0].name} changes packed models",
        )
    if list(compressors[len(compressors) - len(packed) :]) != packed:
        names = ", ".join(choice.name for choice in (*_without(compressors, packed), *packed))
        raise SettingError(
            ORDER,
            [choice.name for choice in compressors],
            f"compressors of packed models last: {names}",
        )


def _without(
    choices: Sequence[PluginChoice], left_out: Sequence[PluginChoice]
) -> list[PluginChoice]:
    return [choice for choice in choices if choice not in left_out]


def _check_dates(sections: Sections) -> None:
    for key in DATES:
        section, _, name = key.partition(".")
        text = getattr(getattr(sections, section), name)
        try:
            if text is not None:
                datetime.fromisoformat(text)
        except ValueError:
            raise SettingError(key, text, "an ISO date such as 1998-01-31, or null") from None


def _check_section(value: object, key: str) -> Mapping[str, Any]:
    if value is None:  # not its defaults: Hydra forgets what other files of conf/ say
        raise SettingError(key, value, f"settings below it; to leave them as they are, drop {key}")
    return _check_mapping(value, key)


def _check_mapping(value: object, key: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SettingError(key, value, "a mapping")
    return value


def choose(of_kind: str, raw: object, catalogue: Catalogue) -> tuple[PluginChoice, ...]:
    """Check the configured plugins of a kind.

    Raises
    ------
    LockgateError
        As `Parameters.check` does.

    """
    kind = kind_named(of_kind)
    if isinstance(raw, (str, list)):
        # DVC without Hydra puts the name in the place of the plugin's settings
        named = f"[{','.join(map(str, raw))}]" if isinstance(raw, list) else raw
        raise SettingError(
            kind.name, raw, f"settings by plugin, as `lockgate run {kind.name}={named}` writes them"
        )
    nodes = _check_mapping(raw, kind.name)
    chosen = tuple(_choose_instance(kind, name, node, catalogue) for name, node in nodes.items())
    if (not chosen and not kind.listed) or (len(chosen) > 1 and not kind.several):
        installed = ", ".join(catalogue.names(kind.name)) or "none"
        count = "one plugin or more" if kind.several else "exactly one plugin"
        raise SettingError(kind.name, list(nodes), f"{count}; installed: {installed}")
    return chosen


def _choose_instance(kind: Kind, instance: str, raw: object, catalogue: Catalogue) -> PluginChoice:
    key_path = f"{kind.name}.{instance}"
    if not re.fullmatch(r"[A-Za-z][\w-]*", str(instance)):
        raise SettingError(kind.name, instance, "a letter, then letters, digits, - and _")
    node = dict(_check_mapping(raw, key_path))
    name = node.pop("plugin", None)
    node.pop("provider", None)
    stages = _parse_stages(node.pop("stages", ""), key_path) if kind.name == "gate" else ()
    if name is None:
        # written by hand, or an override of a plugin that was not chosen
        if instance not in catalogue.names(kind.name):
            raise UnknownPlugin(kind.name, instance, catalogue.names(kind.name))
        raise UsageError(
            f"{key_path} is set by conf/ or by an override, but {instance} is not chosen; "
            f"choose it with {kind.name}={instance}, or remove it with ~{key_path}"
        )
    if not isinstance(name, str):
        raise SettingError(f"{key_path}.plugin", name, "the name of a plugin")
    entry = catalogue.find(kind.name, name)
    return PluginChoice(kind.name, instance, entry, check(entry.load(), node, key_path), stages)


def _parse_stages(raw_stages: object, key_path: str) -> tuple[str, ...]:
    if not isinstance(raw_stages, str):
        raise SettingError(
            f"{key_path}.stages",
            raw_stages,
            "names separated by commas, e.g. prod,canary; '' for all",
        )
    return tuple(stage.strip() for stage in raw_stages.split(",") if stage.strip())


def _order_choices(chosen: tuple[PluginChoice, ...], order: object) -> tuple[PluginChoice, ...]:
    by_name = {choice.name: choice for choice in chosen}
    names = list(by_name) if order is None else order
    if not isinstance(names, list) or sorted(map(str, names)) != sorted(by_name):
        allowed = (
            f"each of {', '.join(by_name) or 'the chosen ones'} once, in the order to run them"
        )
        raise SettingError(ORDER, order, allowed)
    return tuple(by_name[name] for name in names)
