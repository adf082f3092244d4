"""Plugins with faults, for the tests."""

import lockgate


@lockgate.plugin
class Nonsense:
    """Report a figure that is none."""

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Divide nothing by nothing."""
        return lockgate.Report({"y": lockgate.Metric(float("nan"))})


@lockgate.plugin
class Meddler:
    """Change the training rows."""

    @lockgate.hookimpl
    def optimize(self, request: lockgate.OptimizeRequest) -> lockgate.SearchResult:
        """Write where one must not."""
        request.train.frame.loc[0, "size"] = 12345.0
        return lockgate.SearchResult(lockgate.Candidate(request.recipe), (request.measure({}),))


@lockgate.plugin
class Neighbours:
    """Nearest neighbours."""

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Propose what no model file holds."""
        from sklearn.neighbors import KNeighborsClassifier

        if request.task == "regression":
            raise lockgate.DataError("classes only")
        return lockgate.Recipe(KNeighborsClassifier(), request.task)
