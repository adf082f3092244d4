"""Breast cancer in Wisconsin (Street, Wolberg and Mangasarian, 1993), from scikit-learn's files."""

from __future__ import annotations

import lockgate

SHA256 = "fed3eb72d0575ef6192293f5093c6e801b1476b577d0386bf4455504522172ed"
MEASURED = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave_points",
    "symmetry",
    "fractal_dimension",
)


@lockgate.plugin
class Diagnosis:
    """Breast tumours measured under a microscope: malignant or not? Small and quick."""

    @lockgate.hookimpl
    def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
        """Read the measurements."""
        import pandas as pd

        path = lockgate.installed_file(
            "scikit-learn", "sklearn/datasets/data/breast_cancer.csv", sha256=SHA256
        )
        names = [f"{kind}_{name}" for kind in ("mean", "error", "worst") for name in MEASURED]
        frame = pd.read_csv(path, header=0, names=[*names, "malignant"])
        # the file says 0 for malignant and 1 for benign
        return lockgate.table(frame.assign(malignant=frame["malignant"] == 0), target="malignant")
