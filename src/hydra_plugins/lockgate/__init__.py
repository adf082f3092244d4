"""The door for Hydra and DVC: the scheme ``lockgate://`` lists and types our plugins.

Hydra imports this module in every application of the environment, so it
imports next to nothing; the work is in ``lockgate.plugins.config.source``.
"""

from __future__ import annotations

from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult, ConfigSource


class LockgateConfigSource(ConfigSource):
    """Groups and options from the metadata of installed plugins."""

    @staticmethod
    def scheme() -> str:
        """Return what a search path must begin with."""
        return "lockgate"

    def load_config(self, config_path: str) -> ConfigResult:
        """Give the typed node of one plugin, importing that plugin alone."""
        from lockgate.plugins.config.source import build_node

        config, package = build_node(config_path)
        return ConfigResult(
            provider=self.provider,
            path=f"lockgate://{config_path}",
            config=config,
            header={"package": package},
        )

    def available(self) -> bool:
        """Return True: the environment is always there."""
        return True

    def is_group(self, config_path: str) -> bool:
        """Whether the path is a kind of plugin."""
        from lockgate.plugins.config.source import is_group

        return is_group(config_path)

    def is_config(self, config_path: str) -> bool:
        """Whether the path is an installed plugin."""
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
