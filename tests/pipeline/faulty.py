"""Plugins with faults, for the tests."""

import lockgate


@lockgate.plugin
class Nonsense:
    """Report a figure that is none."""

    @lockgate.hookimpl
    def evaluate(self, exam: lockgate.Exam) -> lockgate.Report:
        """Divide nothing by nothing."""
        return lockgate.Report({"y": lockgate.Metric(float("nan"))})


@lockgate.plugin
class Meddler:
    """Change the training rows."""

    @lockgate.hookimpl
    def optimize(self, problem: lockgate.Problem) -> lockgate.Search:
        """Write where one must not."""
        problem.train.frame.loc[0, "size"] = 12345.0
        return lockgate.Search(lockgate.Candidate(problem.recipe), (problem.measure({}),))


@lockgate.plugin
class Neighbours:
    """Nearest neighbours."""

    @lockgate.hookimpl
    def build(self, brief: lockgate.Brief) -> lockgate.Recipe:
        """Propose what no model file holds."""
        from sklearn.neighbors import KNeighborsClassifier

        if brief.task == "regression":
            raise lockgate.DataError("classes only")
        return lockgate.Recipe(KNeighborsClassifier(), brief.task)
