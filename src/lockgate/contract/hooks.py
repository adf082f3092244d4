"""The hooks, in the order in which a model meets them.

An *operation* takes one frozen request and returns one value; the host calls
the implementations that the configuration chose. An *event* is sent to every
installed listener, which returns nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from lockgate.contract.listeners import Events

if TYPE_CHECKING:
    from lockgate.contract.compression import CompressRequest
    from lockgate.contract.conversion import ConvertedModel, ConvertRequest, Engine
    from lockgate.contract.evaluation import EvaluateRequest, Report
    from lockgate.contract.gates import GateResult, JudgeRequest
    from lockgate.contract.monitoring import Findings, MonitorRequest
    from lockgate.contract.prediction import ModelFiles, OpenRequest, Predictor, WriteRequest
    from lockgate.contract.recipes import BuildRequest, Candidate, Recipe
    from lockgate.contract.requests import Backend
    from lockgate.contract.search import OptimizeRequest, SearchResult
    from lockgate.contract.tables import LoadRequest, Table

__all__ = ["COMPANIONS", "EVENTS", "OPERATIONS", "Events", "Operations", "hookimpl"]

hookspec = pluggy.HookspecMarker("lockgate")
hookimpl = pluggy.HookimplMarker("lockgate")
"""Marks the method of a plugin that implements a hook."""


class Operations:
    """What plugins do: each hook takes one request and returns one value."""

    @hookspec
    def arrays(self) -> Backend:
        """Offer an array library and a device.

        Called once per stage, before any other hook. Raise
        `lockgate.BackendUnavailable` where library or device is missing: the
        configuration is then rejected when it is composed, before any work.

        ::

            @lockgate.plugin
            class Strict:
                "The strict reference implementation of the array API standard."

                @lockgate.hookimpl
                def arrays(self):
                    import array_api_strict as xp, numpy as np
                    return lockgate.Backend("strict", xp, xp.asarray, np.asarray)
        """

    @hookspec
    def load(self, request: LoadRequest) -> Table:
        """Read the rows and declare what their columns mean.

        Called once by the load stage, and once by the monitor stage where that
        looks at another window of time. Aggregate per entity here: the row that is
        served later is a row of this table. Leave cleaning and splitting to the
        host. An error ends the stage.

        ::

            @lockgate.plugin
            class Excel:
                "The first sheet of an Excel file; `target` is the column to predict."
                path: str = lockgate.setting(help="file, relative to the project")
                target: str = lockgate.setting(help="column to predict")

                @lockgate.hookimpl
                def load(self, request):
                    import pandas as pd
                    frame = pd.read_excel(f"{request.root}/{self.path}")
                    return lockgate.table(frame, target=self.target)
        """

    @hookspec
    def build(self, request: BuildRequest) -> Recipe:
        """Return an unfitted estimator, its requirements, and what may be tuned.

        Called once by the optimize stage. The host puts the cell rules (missing
        values, categories, scaling) in front, as `Recipe.requirements` asks for.
        A class with ``tasks = ("regression",)`` is refused before any work where
        ``project.task`` is another. For the task multioutput a class that does not name it
        is asked for a regression, which is fitted to each target. An error ends the stage.

        ::

            @lockgate.plugin
            class Forest:
                "A random forest of `trees` trees."
                trees: int = lockgate.setting(200, at_least=1)

                @lockgate.hookimpl
                def build(self, request):
                    from sklearn.ensemble import RandomForestClassifier
                    return lockgate.Recipe(
                        RandomForestClassifier(self.trees, random_state=request.seed),
                        request.task,
                        space={"max_depth": lockgate.SearchRange(2, 20, integer=True)},
                        requirements=lockgate.Requirements(scaled=False, encoding="ordinal"),
                    )
        """

    @hookspec
    def optimize(self, request: OptimizeRequest) -> SearchResult:
        """Choose the parameters of a recipe.

        Called once by the optimize stage. `request.measure(params)` gives the
        cross-validated loss. If the candidate's estimator is None, the host fits
        it. An error ends the stage.

        ::

            @lockgate.plugin
            class First:
                "The first value of each parameter, without a search."

                @lockgate.hookimpl
                def optimize(self, request):
                    space = request.recipe.space
                    params = {k: s.at(0) if isinstance(s, lockgate.SearchRange) else s[0]
                              for k, s in space.items()}
                    trial = request.measure(params)
                    return lockgate.SearchResult(
                        lockgate.Candidate(request.recipe, params), (trial,))
        """

    @hookspec
    def compress(self, request: CompressRequest) -> Candidate:
        """Make a fitted model smaller or faster.

        Called once per chosen compressor, in the order of the configuration, each
        with the candidate that the previous one returned. The host measures the
        loss on the tune rows before and after, and skips a step that raises it by
        more than `request.max_loss`. Raise `lockgate.NotApplicable` where there is
        nothing to compress. Any other error ends the stage. A class with
        ``on_packed = True`` changes the packed form (`lockgate.PackedContent`), after all others.

        ::

            @lockgate.plugin
            class Round:
                "Round coefficients to `digits` decimal places."
                digits: int = lockgate.setting(3, at_least=0, at_most=12)

                @lockgate.hookimpl
                def compress(self, request):
                    import copy, dataclasses
                    fitted = copy.deepcopy(request.candidate.estimator)
                    last = fitted[-1]
                    if not hasattr(last, "coef_"):
                        raise lockgate.NotApplicable("the model has no coefficients")
                    last.coef_ = last.coef_.round(self.digits)
                    return dataclasses.replace(request.candidate, estimator=fitted)
        """

    @hookspec
    def evaluate(self, request: EvaluateRequest) -> Report:
        """Measure a model on held-out rows.

        Called once per chosen evaluator by the evaluate stage; its report is kept
        under its name. `tasks` of the class says which it is for; without it an evaluator is
        for all but multioutput, whose values have the shape (rows, targets). An error ends
        the stage.

        ::

            @lockgate.plugin
            class Positives:
                "The share of rows that are predicted positive."

                @lockgate.hookimpl
                def evaluate(self, request):
                    share = (request.output.label == request.classes[1]).mean()
                    return lockgate.Report({"positives": lockgate.Metric(float(share))})
        """

    @hookspec
    def write(self, request: WriteRequest) -> ModelFiles:
        """Write a fitted model to files that `open` reads.

        Optional: a format without it opens bundles, and is rejected when a pipeline or
        `lockgate.pack` chooses it. Called by the compress stage, also to measure the size
        of each candidate, and by ``lockgate.pack(..., format=NAME)``. The host opens what was
        written and compares the predictions with the estimator's. Raise `lockgate.NotCovered` for
        a model that the format cannot hold. ``docs/how-to/write-a-format.md`` has an example.
        """

    @hookspec
    def open(self, request: OpenRequest) -> Predictor:
        """Open a model file; never run code from it.

        Called when a bundle is read, for the format that its manifest names, after
        the digests of the files have been checked. With an error the bundle is
        rejected.

        ::

            @lockgate.plugin
            class Constant:
                "A number in a text file, predicted for every row."

                @lockgate.hookimpl
                def open(self, request):
                    number = float((request.directory / request.files[0]).read_text())
                    return ConstantPredictor(request.schema, number)
        """

    @hookspec
    def monitor(self, request: MonitorRequest) -> Findings:
        """Compare what a model receives now with its training data.

        Called once per chosen monitor by the monitor stage; the findings of all of
        them are collected. An error ends the stage.

        ::

            @lockgate.plugin
            class Silence:
                "An alarm when fewer than `min_rows` rows arrive."
                min_rows: int = lockgate.setting(100, at_least=0)

                @lockgate.hookimpl
                def monitor(self, request):
                    n = request.window.n
                    finding = lockgate.Finding(
                        "(rows)", "count", effect=1.0, p=0.0, severity="alarm",
                        message=f"expected at least {self.min_rows} rows, got {n}")
                    return lockgate.Findings((finding,) if n < self.min_rows else ())
        """

    @hookspec
    def judge(self, request: JudgeRequest) -> GateResult:
        """Decide whether a bundle may replace the one in a stage.

        Called by `lockgate gate`, and by `lockgate promote` where no verdict exists
        yet. A gate that does not apply returns `passed=None` or raises
        `lockgate.NotApplicable`; every other one must pass. One that needs the metrics and
        rows of the candidate alone may declare ``in_report = True``: then the report of
        the pipeline, too, begins with whether the model passes it on its test rows.

        ::

            @lockgate.plugin
            class Weekday:
                "No promotions on a Friday."

                @lockgate.hookimpl
                def judge(self, request):
                    from datetime import date
                    return lockgate.GateResult(date.today().weekday() != 4, f"{date.today():%A}")
        """

    @hookspec
    def convert(self, request: ConvertRequest) -> ConvertedModel:
        """Convert a fitted model of another library to operations of the packed format.

        The plugin's entry point has the name of the library: ``lightgbm`` converts
        every model whose class is defined in the package lightgbm. Called when a
        model is packed, once for each such model in it. Raise
        ``request.trace.refuse(message)`` for an option that has no packed form.
        The host compares the packed model's predictions with the original's.

        ::

            @lockgate.plugin
            class Constant:
                "Models of the library `constantly`, which predict one number."

                @lockgate.hookimpl
                def convert(self, request):
                    trace, builder = request.trace, request.trace.builder
                    zeros = builder.array([0.0] * len(request.columns))
                    known = builder.add("fill", trace.numbers(request.columns), values=zeros)
                    op = builder.add(
                        "linear", known, weights=builder.array([[0.0] * len(request.columns)]),
                        bias=builder.array([request.estimator.number]))
                    return lockgate.ConvertedModel(op)
        """

    @hookspec
    def compile(self) -> Engine:
        """Offer another implementation of packed forests.

        Called when predictions are requested with this engine's name, e.g. by
        ``lockgate predict --engine numba``. Import heavy libraries in `prepare`,
        not here.

        ::

            @lockgate.plugin
            class Plain:
                "The NumPy implementation itself, which engines are compared with."

                @lockgate.hookimpl
                def compile(self):
                    return lockgate.Engine("plain", lambda forest: forest.run)
        """


def _names_of_hooks(spec: type) -> tuple[str, ...]:
    return tuple(name for name, member in vars(spec).items() if hasattr(member, "lockgate_spec"))


OPERATIONS = _names_of_hooks(Operations)
"""Names of the operation hooks, in calling order."""

EVENTS = _names_of_hooks(Events)
"""Names of the event hooks."""

COMPANIONS = {"write": "open"}
"""Hooks that a plugin may have beside the hook of its kind, and that hook."""
