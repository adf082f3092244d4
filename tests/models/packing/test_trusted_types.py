"""The types of lockgate's own that a model file may hold: all of them, by their present names."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import lockgate
from lockgate.contract.requests import numpy_backend
from lockgate.data.text_terms import CondensedTerms, HashedTerms, TextTerms
from lockgate.data.transformers import Bins, Clip, Combined, DateParts, EmptyToZero, Frequencies
from lockgate.modeling.solvers.regressor import LeastSquares
from lockgate.modeling.training.anomaly_detector import AnomalyDetector
from lockgate.modeling.training.fusion import Member, VoteShares
from lockgate.modeling.training.mixture_clusters import MixtureClusters
from lockgate.models import skops_file
from lockgate.models.skops_file import own_types, read_estimator, trusted_types, write_estimator

OWN_NAMES = sorted(name for name in trusted_types() if name.partition(".")[0] == lockgate.__name__)

NUMBERS = np.array([[0.0, np.nan], [1.0, np.nan], [5.0, np.nan], [np.nan, np.nan], [90.0, np.nan]])
DATES = pd.DataFrame({"day": pd.to_datetime(["2026-01-05", None, "1969-12-31", "2024-02-29"])})

NOTES = pd.DataFrame({"note": ["late parcel", None, "thanks", "late", ""]})

STEPS: dict[type, tuple[Any, Any]] = {
    AnomalyDetector: (AnomalyDetector(GaussianMixture()), np.linspace(-1, 1, 40)[:, None] ** 3),
    Bins: (Bins([1.0, 30.0]), NUMBERS[:, :1]),
    Clip: (Clip(0.25), NUMBERS),
    Combined: (Combined("subtract"), NUMBERS[:, [0, 0]] * [1, 3]),
    DateParts: (DateParts(), DATES),
    Frequencies: (Frequencies(), NOTES.assign(note=["late", None, "late", "thanks", ""])),
    EmptyToZero: (EmptyToZero(), NUMBERS),
    CondensedTerms: (CondensedTerms(2, random_state=0), np.eye(5)),
    HashedTerms: (HashedTerms(n_features=8), NOTES),
    TextTerms: (TextTerms(), NOTES),
    Member: (Member([("model", DecisionTreeRegressor(max_depth=2))]), np.nan_to_num(NUMBERS)),
    MixtureClusters: (MixtureClusters(2, random_state=0), np.linspace(-1, 1, 40)[:, None] ** 3),
    VoteShares: (
        VoteShares([(str(k), DecisionTreeClassifier(max_depth=k)) for k in (1, 2)]),
        np.nan_to_num(NUMBERS),
    ),
    LeastSquares: (LeastSquares(alpha=0.5, backend=numpy_backend()), np.nan_to_num(NUMBERS)),
}
"""Each own class, unfitted, with rows to fit it on."""


def estimator_classes() -> set[type]:
    """Every class in the package that scikit-learn could fit."""
    classes: set[type] = set()
    for module in pkgutil.walk_packages(lockgate.__path__, f"{lockgate.__name__}."):
        if module.name.rpartition(".")[2] == "__main__":
            continue
        members = vars(importlib.import_module(module.name)).values()
        classes |= {m for m in members if isinstance(m, type) and issubclass(m, BaseEstimator)}
    return {cls for cls in classes if cls.__module__.partition(".")[0] == lockgate.__name__}


def answers_of(estimator: Any, rows: Any) -> Any:
    if hasattr(estimator, "predict"):
        return estimator.predict(rows)
    cells = estimator.transform(rows)
    return cells.toarray() if hasattr(cells, "toarray") else cells


def test_every_estimator_class_of_the_package_may_be_written() -> None:
    assert set(own_types()) == estimator_classes()


def test_every_own_type_is_trusted_by_a_name_that_imports() -> None:
    assert len(OWN_NAMES) == len(own_types()) >= 5
    for name in OWN_NAMES:
        module, _, attribute = name.rpartition(".")
        assert getattr(importlib.import_module(module), attribute) in own_types()


@pytest.mark.parametrize("cls", own_types(), ids=lambda cls: cls.__name__)
def test_an_own_step_answers_the_same_when_read_back(cls: type, tmp_path: Path) -> None:
    unfitted, rows = STEPS[cls]
    fitted = clone(unfitted).fit(rows, np.arange(len(rows), dtype=float))
    write_estimator(tmp_path / "m", Pipeline([("step", fitted)]))
    (_, step), *_ = read_estimator(tmp_path / "m").steps
    assert type(step) is cls
    expected = fitted.get_params()
    expected |= {"backend": None} if "backend" in expected else {}
    # estimators among them are equal by what they say of themselves
    assert {k: repr(v) for k, v in step.get_params().items()} == {
        k: repr(v) for k, v in expected.items()
    }
    np.testing.assert_array_equal(answers_of(step, rows), answers_of(fitted, rows))
    assert len(np.unique(np.asarray(answers_of(step, rows)))) > 1


@pytest.mark.parametrize("cls", own_types(), ids=lambda cls: cls.__name__)
def test_a_class_of_the_same_name_elsewhere_is_refused(cls: type, tmp_path: Path) -> None:
    impostor = type(cls.__name__, (cls,), {"__module__": __name__})
    globals()[cls.__name__ + "Impostor"] = impostor
    estimator = impostor.__new__(impostor)
    vars(estimator).update(vars(STEPS[cls][0]))
    with pytest.raises(
        lockgate.BundleError, match=rf"must not contain: .*{__name__}\.{cls.__name__}"
    ):
        write_estimator(tmp_path / "m", estimator)
    assert not (tmp_path / "m").exists()


def test_knowing_the_file_form_imports_no_library_of_models() -> None:
    heavy = ("sklearn", "pandas", "skops")
    script = (
        f"import sys, {skops_file.__name__}\nprint(*[n for n in {heavy!r} if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_a_fresh_process_reads_an_own_estimator(tmp_path: Path) -> None:
    write_estimator(tmp_path / "m", LeastSquares().fit([[0.0], [1.0]], [1.0, 3.0]))
    script = (
        f"import sys, pathlib\nfrom {skops_file.__name__} import read_estimator\n"
        "print(read_estimator(pathlib.Path(sys.argv[1])).predict([[2.0]]).round(6).tolist())"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "m")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[5.0]\n"
