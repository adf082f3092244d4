"""Opens a model with the format that a manifest names."""

from __future__ import annotations

from lockgate.contract.prediction import OpenRequest, Predictor
from lockgate.errors import BundleError
from lockgate.models.bundle.table_model import TableModel
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.plugins.host.host import Host

__all__ = ["Model", "find_model", "model_of", "open_model", "servable_model"]

Model = PackedModel | TableModel
"""A model as tables are predicted with it: both have the same interface."""


def open_model(host: Host, name: str, request: OpenRequest) -> Predictor:
    """Open the files of a model with the format of that name.

    Raises
    ------
    PluginFailed
        If the format fails, or returns no predictor.

    """
    predictor: Predictor = host.call("format", name, request)
    packed = isinstance(getattr(predictor, "model", None), PackedModel)
    return predictor if packed else TableModel(predictor, request, name)


def model_of(predictor: Predictor) -> Model:
    """Return the model behind a predictor that `open_model` returned."""
    model = find_model(predictor)
    assert model is not None
    return model


def find_model(predictor: Predictor) -> Model | None:
    """Return the model behind a predictor, or None if `open_model` did not return it."""
    model = getattr(predictor, "model", predictor)
    return model if isinstance(model, (PackedModel, TableModel)) else None


def servable_model(predictor: Predictor, subject: str, format_name: str) -> Model:
    """Return the model behind a predictor, if it may predict rows independently and in threads.

    Raises
    ------
    BundleError
        If its format does not allow that.

    """
    model = model_of(predictor)
    if isinstance(model, TableModel) and not model.servable:
        raise BundleError(
            f"{subject} has the format {format_name}, which serves no requests and predicts no "
            "files; run the pipeline with format=packed, or use lockgate.pack"
        )
    return model
