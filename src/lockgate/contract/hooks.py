"""The hooks, in the order in which a model meets them.

An *operation* takes one frozen request and gives one value; the host calls
the implementations that the configuration chose. An *event* is told to every
installed listener and has no answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from lockgate.contract.conversion import ConvertedModel, ConvertRequest, ForestEngine
    from lockgate.contract.evaluation import EvaluateRequest, Report
    from lockgate.contract.events import Alarm, Promotion, Registration, Rollback, StageEvent
    from lockgate.contract.gates import GateResult, JudgeRequest
    from lockgate.contract.modeling import (
        BuildRequest,
        Candidate,
        CompressRequest,
        OptimizeRequest,
        Recipe,
        SearchResult,
    )
    from lockgate.contract.monitoring import Findings, MonitorRequest
    from lockgate.contract.prediction import OpenRequest, Predictor
    from lockgate.contract.requests import Backend
    from lockgate.contract.tables import LoadRequest, Table

__all__ = ["EVENTS", "OPERATIONS", "Events", "Operations", "hookimpl"]

hookspec = pluggy.HookspecMarker("lockgate")
hookimpl = pluggy.HookimplMarker("lockgate")
"""Marks the method of a plugin that implements a hook."""


class Operations:
    """What plugins do: one request in, one value out."""

    @hookspec
    def arrays(self) -> Backend:
        """Offer an array library and a device.

        Called once per stage, before any other hook. Raise
        `lockgate.BackendUnavailable` where library or device is missing: it is
        then refused when the configuration is composed, before any work.

        ::

            @lockgate.plugin
            class Strict:
                "The array API standard's own strict implementation."

                @lockgate.hookimpl
                def arrays(self):
                    import array_api_strict as xp, numpy as np
                    return lockgate.Backend("strict", xp, xp.asarray, np.asarray)
        """

    @hookspec
    def load(self, request: LoadRequest) -> Table:
        """Read the rows and say what their columns mean.

        Called once by the load stage, and once by the monitor stage where that
        looks at another stretch of time. Aggregate per entity here: the row
        that is served later is one row of this table. Cleaning and splitting
        are the host's. An error ends the stage.

        ::

            @lockgate.plugin
            class Excel:
                "First sheet of an Excel file; `target` is the column to predict."
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
        """Propose an unfitted estimator, what it needs, and what may be tuned.

        Called once by the optimize stage. The host puts the cell rules (missing
        values, categories, scaling) in front as `Recipe.requirements` asks for them.
        An error ends the stage.

        ::

            @lockgate.plugin
            class Forest:
                "Random forest of `trees` trees."
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
        cross-validated loss. Leave the candidate's estimator None and the host
        fits it. An error ends the stage.

        ::

            @lockgate.plugin
            class First:
                "Take the first value of everything; no search."

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

        Called once per chosen compressor, in the order written, each with the
        candidate of the one before. The host measures before and after on the
        tune rows, and skips a step that loses more than `request.max_loss`.
        Raise `lockgate.NotApplicable` where there is nothing to do. Any other
        error ends the stage.

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
        """Measure a model on rows that nothing was decided on.

        Called once per chosen evaluator by the evaluate stage; reports are
        gathered under each one's name. An error ends the stage.

        ::

            @lockgate.plugin
            class Positives:
                "Share of rows that get the second label."

                @lockgate.hookimpl
                def evaluate(self, request):
                    share = (request.output.label == request.classes[1]).mean()
                    return lockgate.Report({"positives": lockgate.Metric(float(share))})
        """

    @hookspec
    def open(self, request: OpenRequest) -> Predictor:
        """Open a model file; never run code from it.

        Called when a bundle is read, for the format that its manifest names,
        after the digests of the request have been checked. An error refuses the
        bundle.

        ::

            @lockgate.plugin
            class Constant:
                "A number in a text file that answers every row."

                @lockgate.hookimpl
                def open(self, request):
                    number = float((request.directory / request.files[0]).read_text())
                    return ConstantPredictor(request.schema, number)
        """

    @hookspec
    def monitor(self, request: MonitorRequest) -> Findings:
        """Compare what a model sees now with what it was trained on.

        Called once per chosen monitor by the monitor stage; findings are
        gathered. An error ends the stage.

        ::

            @lockgate.plugin
            class Silence:
                "Alarm when fewer than `least` rows arrive."
                least: int = lockgate.setting(100, at_least=0)

                @lockgate.hookimpl
                def monitor(self, request):
                    n = request.window.n
                    found = lockgate.Finding(
                        "(rows)", "count", effect=1.0, p=0.0, severity="alarm",
                        message=f"only {n} rows arrived, expected {self.least}")
                    return lockgate.Findings((found,) if n < self.least else ())
        """

    @hookspec
    def judge(self, request: JudgeRequest) -> GateResult:
        """Say whether a bundle may take the place of the one that serves.

        Called by `lockgate gate` and, where nobody asked before, by `lockgate
        promote`. Each must pass or have nothing to say, as with `lockgate.NotApplicable`.

        ::

            @lockgate.plugin
            class Weekday:
                "Let nothing into production on a Friday."

                @lockgate.hookimpl
                def judge(self, request):
                    from datetime import date
                    return lockgate.GateResult(date.today().weekday() != 4, f"{date.today():%A}")
        """

    @hookspec
    def convert(self, request: ConvertRequest) -> ConvertedModel:
        """Turn a request model of another library into operations of a packed one.

        The plugin's entry point has the name of the library: ``lightgbm`` is
        asked for every model whose class lives in the package lightgbm. Called
        when a model is packed, once for each such model in it. Raise
        ``request.trace.refuse(sentence)`` for an option that has no packed form;
        answers are compared with the original's afterwards in any case.

        ::

            @lockgate.plugin
            class Constant:
                "Models of the library `constantly`, which answer one number."

                @lockgate.hookimpl
                def convert(self, request):
                    from lockgate.models.packed.format.linear import Linear
                    trace, width = request.trace, len(request.columns)
                    array = trace.builder.array
                    op = trace.builder.add(
                        Linear, trace.numbers(request.columns),
                        weights=array([[0.0] * width]), bias=array([request.estimator.number]))
                    return lockgate.ConvertedModel(op)
        """

    @hookspec
    def compile(self) -> ForestEngine:
        """Give another way of walking the trees of packed models.

        Called when answers are asked for by this engine's name, e.g. with
        ``lockgate predict --engine numba``. Import what is heavy in the function
        that makes a forest, not here.

        ::

            @lockgate.plugin
            class Plain:
                "NumPy, as it is; what an engine is compared with."

                @lockgate.hookimpl
                def compile(self):
                    return lockgate.ForestEngine("plain", lambda forest: forest.run)
        """


class Events:
    """What listeners are told. An error in one stops no other and no stage."""

    @hookspec
    def before_stage(self, event: StageEvent) -> None:
        """Tell that a stage begins."""

    @hookspec
    def after_stage(self, event: StageEvent) -> None:
        """Tell that a stage has ended, well or not."""

    @hookspec
    def on_registered(self, event: Registration) -> None:
        """Tell that a bundle became a version."""

    @hookspec
    def on_promoted(self, event: Promotion) -> None:
        """Tell that a version was promoted to a stage."""

    @hookspec
    def on_rolled_back(self, event: Rollback) -> None:
        """Tell that a stage went back to an earlier version."""

    @hookspec
    def on_alarm(self, event: Alarm) -> None:
        """Tell that a monitor found something that matters."""


def _names(of: type) -> tuple[str, ...]:
    return tuple(name for name, member in vars(of).items() if hasattr(member, "lockgate_spec"))


OPERATIONS = _names(Operations)
"""Names of the operation hooks, in calling order."""

EVENTS = _names(Events)
"""Names of the event hooks."""
