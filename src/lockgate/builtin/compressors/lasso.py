"""The compressor ``lasso``: feature selection with an L1 penalty, then a refit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import lockgate

if TYPE_CHECKING:
    import numpy as np


@lockgate.plugin
class Lasso:
    """Select features with an L1 penalty and refit the same model on the selected ones.

    Goes from the strongest penalty to the weakest (Tibshirani, 1996) and takes the
    first selection whose refitted model stays within the loss budget. The dropped
    features are no longer inputs of the model.
    """

    strengths: int = lockgate.setting(
        12, at_least=1, at_most=200, help="number of penalties to try"
    )

    @lockgate.hookimpl
    def compress(self, request: lockgate.CompressRequest) -> lockgate.Candidate:
        """Select features, refit, and compare the loss on the tune rows."""
        candidate = request.candidate
        if request.train.schema.target is None:
            raise lockgate.NotApplicable("lasso selects the features that tell about a target")
        # the terms of texts are selected by the penalty of the model itself
        features, texts, computed = _list_features(candidate.recipe)
        if not features:
            raise lockgate.NotApplicable(
                "the features are texts, whose terms lasso does not select"
            )
        limit = request.loss(candidate.estimator) + request.max_loss
        tried: set[tuple[str, ...]] = set()
        path = self._selections(features, computed, request)
        for keep in request.progress(path, total=self.strengths, label="selections"):
            if not keep or len(keep) == len(features) or keep in tried:
                continue
            tried.add(keep)
            recipe = _restrict_recipe(candidate.recipe, (*keep, *texts))
            refitted = request.fit(recipe, candidate.params)
            if request.loss(refitted) <= limit:
                names = ", ".join(keep[:12]) + (", ..." if len(keep) > 12 else "")
                request.log.info(
                    "lasso keeps %d of %d features: %s", len(keep), len(features), names
                )
                return replace(candidate, recipe=recipe, estimator=refitted)
        raise lockgate.NotApplicable(
            f"no smaller set of the {len(features)} features stays within the loss budget"
        )

    def _selections(
        self,
        features: list[str],
        computed: list[tuple[str, ...]],
        request: lockgate.CompressRequest,
    ) -> Iterator[tuple[str, ...]]:
        """Yield the selected features, strongest penalty first.

        A computed column that is selected keeps the features that it is computed of.
        """
        import numpy as np
        from sklearn.preprocessing import StandardScaler

        units = [*((name,) for name in features), *computed]
        blocks = [_encode_unit(request, unit) for unit in units]
        of_input = np.repeat(np.arange(len(units)), [block.shape[1] for block in blocks])
        inputs = np.nan_to_num(StandardScaler().fit_transform(np.hstack(blocks)))
        for share in np.geomspace(1, 0.001, self.strengths + 1)[1:]:
            coefficients = _fit_penalized(inputs, request, float(share))
            selected = np.unique(of_input[np.abs(coefficients).max(axis=0) > 0])
            kept = {name for index in selected for name in units[index]}
            yield tuple(name for name in features if name in kept)


def _list_features(
    recipe: lockgate.Recipe,
) -> tuple[list[str], list[str], list[tuple[str, ...]]]:
    """Return the features that can be left out, the texts, and those of computed columns."""
    from lockgate.data.cell_rules import COMPUTED, TEXT

    if not recipe.steps or not hasattr(recipe.steps[0][1], "transformers"):
        raise lockgate.NotApplicable(
            "the members of several models as one, and steps of other plugins, do not say which "
            "features they read"
        )
    parts = recipe.steps[0][1].transformers
    texts = [name for part, _, names in parts for name in names if part.startswith(TEXT)]
    features = [name for _, _, names in parts for name in names if name not in texts]
    computed = [tuple(names) for part, _, names in parts if part.startswith(COMPUTED)]
    return list(dict.fromkeys(features)), texts, computed


def _restrict_recipe(recipe: lockgate.Recipe, keep: tuple[str, ...]) -> lockgate.Recipe:
    """Return the recipe with only these features in its first step."""
    from sklearn.base import clone

    from lockgate.data.cell_rules import COMPUTED

    (name, cells), *remaining_steps = recipe.steps
    narrowed = clone(cells)
    narrowed.transformers = [
        (part, transformer, [feature for feature in features if feature in keep])
        for part, transformer, features in narrowed.transformers
        if (set(features) <= set(keep) if part.startswith(COMPUTED) else set(features) & set(keep))
    ]
    return replace(recipe, steps=((name, narrowed), *remaining_steps))


def _encode_unit(request: lockgate.CompressRequest, unit: tuple[str, ...]) -> np.ndarray:
    """Return the columns that a feature, or a column of two, is encoded as, (rows, columns)."""
    import numpy as np

    from lockgate.data.cell_rules import COMPUTED

    transformer = _restrict_recipe(request.candidate.recipe, unit).steps[0][1]
    if len(unit) > 1:
        transformer.transformers = [
            part
            for part in transformer.transformers
            if part[0].startswith(COMPUTED) and tuple(part[2]) == unit
        ]
    train = request.train
    return np.asarray(transformer.fit_transform(train.features, train.target), dtype=float)


def _fit_penalized(
    inputs: np.ndarray, request: lockgate.CompressRequest, share: float
) -> np.ndarray:
    """Return the coefficients for a share of the smallest penalty at which all are 0."""
    import numpy as np
    from sklearn import linear_model
    from sklearn.preprocessing import StandardScaler

    target = request.train.target
    if request.candidate.recipe.task == "multioutput":
        scaled = StandardScaler().fit_transform(target)
        strongest = np.linalg.norm(inputs.T @ scaled, axis=1).max() / len(target)
        group_lasso = linear_model.MultiTaskLasso(alpha=share * strongest, max_iter=5000)
        return np.atleast_2d(group_lasso.fit(inputs, scaled).coef_)
    if request.candidate.recipe.task == "regression":
        centred = target.astype(float) - target.mean()
        strongest = np.abs(inputs.T @ centred).max() / len(target)
        return np.atleast_2d(
            linear_model.Lasso(alpha=share * strongest, max_iter=5000).fit(inputs, target).coef_
        )
    classes = np.unique(target)
    indicators = (target[:, None] == classes).astype(float)
    strongest = np.abs(inputs.T @ (indicators - indicators.mean(axis=0))).max()
    model = linear_model.LogisticRegression(
        C=1 / (share * strongest),
        l1_ratio=1.0,
        solver="liblinear" if len(classes) == 2 else "saga",
        max_iter=5000,
        random_state=request.seed,
        tol=1e-3,
    )
    return np.atleast_2d(model.fit(inputs, target).coef_)
