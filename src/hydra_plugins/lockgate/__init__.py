"""Hydra's entry point: the scheme ``lockgate://`` lists installed plugins as typed options.

Hydra imports this module in every application of the environment, so heavier
imports are inside the functions; see ``lockgate.plugins.config.source``.
"""

from __future__ import annotations

from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult, ConfigSource


class LockgateConfigSource(ConfigSource):
    """Groups and options from the metadata of installed plugins."""

    @staticmethod
    def scheme() -> str:
        """Return the scheme of a search path."""
        return "lockgate"

    def load_config(self, config_path: str) -> ConfigResult:
        """Return the typed node of a plugin, importing that plugin only."""
        from lockgate.plugins.config.source import build_node

        config, package = build_node(config_path)
        return ConfigResult(
            provider=self.provider,
            path=f"lockgate://{config_path}",
            config=config,
            header={"package": package},
        )

    def available(self) -> bool:
        """Return True: the installed plugins are always available."""
        return True

    def is_group(self, config_path: str) -> bool:
        """Return whether the path is a kind of plugin."""
        from lockgate.plugins.config.source import is_group

        return is_group(config_path)

    def is_config(self, config_path: str) -> bool:
        """Return whether the path is an installed plugin."""
        from lockgate.plugins.config.source import is_option

        return is_option(config_path)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """List the kinds, or the plugins of one kind."""
        from lockgate.plugins.config.source import list_options

        return list_options(
            config_path,
            groups=results_filter in (None, ObjectType.GROUP),
            options=results_filter in (None, ObjectType.CONFIG),
        )
