"""Opens a bundle: digests first, then the model, then its probe rows."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.contract.explanation import Against, Explanation
from lockgate.contract.monitoring import ReferenceCounts
from lockgate.contract.prediction import OpenRequest, Output, Predictor
from lockgate.contract.regions import region_of_row
from lockgate.contract.requests import Resources
from lockgate.data.columns.filled import FilledCells, count_filled
from lockgate.data.columns.parsing import read_columns
from lockgate.data.columns.sources import select_of_array
from lockgate.data.data_contract.rules import DataContract
from lockgate.data.io.digests import sha256_file
from lockgate.errors import BundleError, PluginFailed, UsageError
from lockgate.models.bundle.environment import check_environment
from lockgate.models.bundle.explain import Explainers
from lockgate.models.bundle.manifest import (
    CONTRACT,
    MANIFEST,
    Manifest,
    read_document,
    read_manifest,
    verify_files,
)
from lockgate.models.bundle.open_format import model_of, open_model
from lockgate.models.bundle.probes import check_probes
from lockgate.models.packed.runtime.predictions import RowPrediction
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.engines import load_engine
from lockgate.plugins.host.host import Host

if TYPE_CHECKING:
    import pandas as pd

    from lockgate.contract.prediction import Columns

__all__ = ["Bundle", "open_bundle"]

log = logging.getLogger("lockgate.models")


class Bundle:
    """An opened bundle.

    Attributes
    ----------
    path : pathlib.Path
        Its directory.
    digest : str
        sha256 of its manifest, which contains the sha256 of everything else.
    manifest : Manifest
        Its table of contents.
    predictor : Predictor
        The model.

    """

    def __init__(self, path: Path, digest: str, manifest: Manifest, predictor: Predictor) -> None:
        self.path, self.digest, self.manifest, self.predictor = path, digest, manifest, predictor

    def predict(self, columns: Columns, **options: Any) -> Output:
        """Predict rows given as a DataFrame or as columns of equal length.

        A packed model also takes Arrow tables, lists of mappings, and arrays, and
        the options of `PackedModel.predict`: `backend`, `engine`, `threads`.
        """
        engine = options.get("engine")
        if isinstance(engine, str) and engine not in ("rows", "columns"):
            options["engine"] = load_engine(engine)
        names = [column.name for column in model_of(self.predictor).inputs]
        rows: Any = select_of_array(names, self.manifest.array_columns, columns)
        output = self.predictor.predict(rows, **options)
        if output.missing or output.unknown:
            self._warn_of_filled(rows, output)
        output = replace(output, quantile=self.manifest.quantile)
        region = self.manifest.region
        return output if region is None else region.attach(output)

    @property
    def classes(self) -> tuple[Any, ...]:
        """The labels, in the order of the scores; empty where numbers are predicted."""
        return tuple(self.manifest.classes)

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the columns that it predicts, in the order of the values of several."""
        return self.manifest.schema.targets

    def predict_proba(self, columns: Columns, **options: Any) -> np.ndarray:
        """Return the probability of each class, as scikit-learn's classifiers do.

        Returns
        -------
        ndarray, shape (n, classes)
            In the order of `classes`.

        Raises
        ------
        UsageError
            If the model has no probabilities.

        """
        output = self.predict(columns, **options)
        if output.score is None:
            raise UsageError(f"{self.manifest.name} has no probabilities: use predict")
        return output.class_scores()

    def predict_frame(self, columns: Columns, **options: Any) -> pd.DataFrame:
        """Return predictions as a table: label or values, and the score of each class by its name.

        Where the rows are a DataFrame, theirs is the index.
        """
        import pandas as pd

        output = self.predict(columns, **options)
        return pd.DataFrame(
            output.columns(self.classes, self.manifest.schema.targets),
            index=columns.index if isinstance(columns, pd.DataFrame) else None,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the path and the digest: a process that unpickles opens the directory again."""
        return _open_same, (str(self.path.absolute()), self.digest)

    def _warn_of_filled(self, columns: Columns, output: Output) -> None:
        """Log columns that hardly hold what the model was trained on."""
        model = model_of(self.predictor)
        rows = len(output.label)
        filled = FilledCells(rows, output.missing, output.unknown)
        if not filled.warnings(model.inputs, self.never_missing):
            return
        cells, _ = read_columns(model.inputs, columns)
        filled = count_filled(model.inputs, columns, cells, rows)
        for message in filled.warnings(model.inputs, self.never_missing):
            log.warning("%s", message)

    @functools.cached_property
    def never_missing(self) -> frozenset[str]:
        """Columns that had no missing value in training."""
        return frozenset(
            bins.column for bins in self.reference().columns if bins.counts and not bins.counts[0]
        )

    @functools.cached_property
    def contract(self) -> DataContract | None:
        """The data contract that the rows of training held; None without one."""
        if CONTRACT not in self.manifest.files:
            return None
        contract = read_document(self.path / CONTRACT, DataContract)
        try:
            contract.check(str(self.path / CONTRACT))
        except UsageError as error:
            raise BundleError(str(error)) from None
        return contract

    @functools.cached_property
    def input_contract(self) -> DataContract | None:
        """The rules of the columns that the model takes; None without a contract."""
        if self.contract is None:
            return None
        return self.contract.select(tuple(c.name for c in self.manifest.schema.features))

    def explain(
        self, columns: Columns, *, against: Against | Mapping[str, object] = "reference"
    ) -> Explanation:
        """Explain predictions: what each input column contributes to them.

        Contributions are exact Shapley values. Packed models of trees, and linear ones, may have
        any number of inputs, others 12.

        Parameters
        ----------
        columns : DataFrame or columns of equal length
            The rows, as for `predict`.
        against : {"reference", "training"} or mapping of str to object
            What predictions are compared with: the manifest's reference row (medians and most
            frequent values of the training rows); the training rows, for sums of trees; or any
            row, with cells of the reference row in columns that it leaves out.

        Raises
        ------
        NotApplicable
            If the model cannot be explained, with the reason.
        SchemaViolation
            If the rows or the reference row do not fit the model.
        UsageError
            If `against` is something else.

        """
        names = [column.name for column in model_of(self.predictor).inputs]
        rows: Any = select_of_array(names, self.manifest.array_columns, columns)
        return self.explainers.explain(rows, self.predict(rows), against)

    @functools.cached_property
    def explainers(self) -> Explainers:
        """What explains the model's predictions; each is made when it is first needed."""
        return Explainers(
            model_of(self.predictor), self.manifest.reference_row, self.manifest.schema.targets
        )

    def predict_one(self, row: Mapping[str, object]) -> RowPrediction:
        """Predict one row given as a mapping of column to value, None for a missing value.

        Returns
        -------
        RowPrediction
            With `label`, `score` and `margin`, and the `interval` of a regression or the `set`
            of classes where the model has some.

        """
        predict_row = getattr(self.predictor, "predict_one", None)
        if predict_row is None:
            raise BundleError(
                f"format {self.manifest.format} cannot predict a single row; use predict"
            )
        prediction: RowPrediction = predict_row(row)
        interval, members = region_of_row(
            self.manifest.region, prediction.label, prediction.score, self.classes
        )
        return prediction._replace(interval=interval, set=members)

    def reference(self) -> ReferenceCounts:
        """Read the statistics of the training rows, for monitors."""
        return read_document(self.path / "reference.json", ReferenceCounts)

    def metrics(self) -> dict[str, Any]:
        """Read the metrics by evaluator."""
        return read_document(self.path / "metrics.json", METRICS_FORM)

    def _repr_html_(self) -> str:
        """Show the bundle in a notebook."""
        from lockgate.models.bundle.notebook import bundle_html

        size = sum(path.stat().st_size for path in self.path.iterdir())
        return bundle_html(self.manifest, self.metrics(), digest=self.digest, size_bytes=size)

    def __repr__(self) -> str:
        """Return the name, digest and task."""
        return f"<Bundle {self.manifest.name} {self.digest[:12]} ({self.manifest.task})>"


def _open_same(path: str, digest: str) -> Bundle:
    """Open a bundle that was pickled, if it is still the same."""
    bundle = open_bundle(path)
    if bundle.digest != digest:
        raise BundleError(
            f"{path} is another bundle ({bundle.digest[:12]}) than the one that was pickled "
            f"({digest[:12]})"
        )
    return bundle


METRICS_FORM = dict[str, dict[str, dict[str, float | None]]]
"""Estimate and bounds, by evaluator and metric."""


def open_bundle(path: str | Path, *, threads: int = 1) -> Bundle:
    """Open a bundle without running code from it.

    Parameters
    ----------
    path : path-like
        The bundle's directory.
    threads : int
        Threads that predictions may use.

    Raises
    ------
    BundleError
        If a file is missing, extra or changed, or the model's predictions for its
        probe rows differ from those recorded when it was packed.

    """
    folder = Path(path)
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    entry = Catalogue.installed().find("format", manifest.format)
    plugin = entry.load()()
    check_environment(manifest.environment.answers, str(folder))
    host = Host("open")
    host.register("format", manifest.format, plugin)
    request = OpenRequest(
        directory=folder,
        files=tuple(manifest.model),
        schema=manifest.schema,
        task=manifest.task,
        classes=tuple(manifest.classes),
        threshold=manifest.threshold,
        resources=Resources(threads),
    )
    try:
        predictor = open_model(host, manifest.format, request)
    except PluginFailed as error:
        raise BundleError(f"{folder}: the model cannot be opened: {error}") from error
    probes = read_document(folder / "probes.json", dict[str, Any])
    try:
        check_probes(probes, manifest.schema, predictor)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"{folder}: the probe rows are damaged: {error!r}") from None
    return Bundle(folder, sha256_file(folder / MANIFEST), manifest, predictor)
