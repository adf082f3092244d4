"""A notebook packs a model, shows it and asks it, as a user's does."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = [
    "import lockgate\nfrom sklearn.datasets import load_iris\n"
    "from sklearn.linear_model import LogisticRegression\n"
    "X, y = load_iris(return_X_y=True, as_frame=True)\n"
    "model = LogisticRegression(max_iter=500).fit(X, y)",
    "bundle = lockgate.pack(model, X, y, name='iris', test=(X, y))\nbundle",
    "bundle.predict(X.head(3)).label.tolist()",
    "bundle.predict_one(X.iloc[0].to_dict())",
]


@pytest.mark.slow
def test_a_notebook_shows_a_bundle_as_a_table(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in CELLS])
    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    shown = notebook.cells[1].outputs[0]["data"]["text/html"]
    assert "<strong>iris</strong>" in shown
    assert "petal width (cm)" in shown
    assert "classification.accuracy" in shown
    assert notebook.cells[2].outputs[0]["data"]["text/plain"] == "[0, 0, 0]"
    assert "RowPrediction(label=0, score=[" in notebook.cells[3].outputs[0]["data"]["text/plain"]
