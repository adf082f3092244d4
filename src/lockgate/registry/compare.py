"""Compares two bundles, wherever they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.errors import UsageError
from lockgate.models.bundle.copy import is_complete
from lockgate.models.bundle.labelled_rows import read_test_rows
from lockgate.models.bundle.open import Bundle, open_bundle
from lockgate.models.comparison.compare import compare_bundles
from lockgate.models.comparison.comparison import Comparison

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["compare"]


def compare(
    first: Bundle | str | Path,
    second: Bundle | str | Path,
    rows: str | Path | pd.DataFrame | None = None,
    *,
    project: str | Path = ".",
    resamples: int | None = None,
    seed: int = 0,
    on_status: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Compare two bundles on the same rows.

    Parameters
    ----------
    first, second : Bundle, path-like or str
        The bundles, e.g. what is in production and what may replace it: opened, as a folder, as
        ``NAME@VERSION`` or ``NAME@STAGE`` of the ledger, or as an experiment of DVC or another
        revision of Git.
    rows : DataFrame or path-like, optional
        Rows with the target, or a CSV or Parquet file of such; neither should have been fitted on
        them. By default the test rows of the project, if one of the two is its bundle; else the
        metrics that both bundles report are shown beside each other.
    project : path-like
        Folder of the project whose ledger, experiments and test rows are meant.
    resamples : int, optional
        Resamples of the rows for the intervals of differences; by default 4,000 of up to 5,000
        rows, fewer of more, and 500 from 40,000 rows on.
    seed : int
        Seed of the resampling.
    on_status : callable
        Called with a description of each step.

    Returns
    -------
    Comparison
        Metrics with paired 95 % intervals, how far predictions agree, where either is better,
        size and latency, and how the bundles differ.

    Raises
    ------
    UsageError
        If they predict different things, a reference names no bundle, or `resamples` is below 1.
    DataError
        If the rows are empty, or the bundles read different numbers of rows in a file.
    SchemaViolation
        If the rows lack a column that either needs.

    Examples
    --------
    >>> lockgate.compare("shop@prod", "bundle", "march.csv").verdict  # doctest: +SKIP
    'bundle is better: log loss -0.0121 (-0.0184 to -0.0061).'

    """
    on_status("opening the bundles")
    folder = Path(project)
    (old_label, old), (new_label, new) = (_open(entry, folder) for entry in (first, second))
    known = rows if rows is not None else _test_rows(folder, (old, new))
    return compare_bundles(
        old,
        new,
        known,
        labels=(old_label, new_label),
        resamples=resamples,
        seed=seed,
        on_status=on_status,
    )


def _open(entry: Bundle | str | Path, project: Path) -> tuple[str, Bundle]:
    """Return what a bundle is called, and the bundle."""
    if isinstance(entry, Bundle):
        return f"{entry.manifest.name} {entry.digest[:8]}", entry
    if not str(entry):
        raise UsageError(
            "a bundle needs a name: its folder, NAME@VERSION, NAME@STAGE or a revision"
        )
    if Path(entry).is_dir():
        return str(entry), open_bundle(entry)
    # here, as folders are compared without the packages of the ledger
    from lockgate.registry.bundle_references import find_bundle

    named = find_bundle(str(entry), project)
    return named.label, open_bundle(named.folder)


def _test_rows(project: Path, opened: tuple[Bundle, Bundle]) -> pd.DataFrame | None:
    """Return the test rows of the project, if its bundle is one of the two."""
    for bundle in opened:
        if is_complete(project / "bundle", bundle.digest):
            return read_test_rows(project, bundle.manifest.schema)
    return None
