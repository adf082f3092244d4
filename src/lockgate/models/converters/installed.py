"""Installed converters of other libraries' models, found by the library's name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lockgate.contract.conversion import ConvertRequest
from lockgate.models.converters.symbols import Column
from lockgate.models.converters.trace import Converter, Trace
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.host import Host

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["Converters"]


class Converters(Mapping[str, Converter]):
    """Converters by library; a plugin is imported when a model of its library is met."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._names = set(catalogue.names("converter"))

    def __getitem__(self, library: str) -> Converter:
        """Return the converter of a library."""
        if library not in self._names:
            raise KeyError(library)
        host = Host("pack")
        host.register("converter", library, self._catalogue.find("converter", library).load()())

        def convert(trace: Trace, estimator: BaseEstimator, columns: list[Column]) -> Any:
            request = ConvertRequest(estimator=estimator, trace=trace, columns=tuple(columns))
            return host.call("converter", library, request)

        return convert

    def __iter__(self) -> Iterator[str]:
        """Iterate over the libraries."""
        return iter(sorted(self._names))

    def __len__(self) -> int:
        """Count the libraries."""
        return len(self._names)
