"""Files of a bundle in another form are a documented error, though their digests are right."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import lockgate

DEEP = b"[" * 200_000 + b"]" * 200_000
FORMS = {"deep": DEEP, "list": b"[1, 2]", "null": b"null", "text": b"\xff\xfe", "empty": b""}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frame = pd.DataFrame({"a": [float(k % 7) for k in range(60)]})
    target = (frame["a"] > 3).astype(int).rename("y")
    path = tmp_path_factory.mktemp("good") / "m"
    lockgate.pack(LogisticRegression().fit(frame, target), frame, target, path=path)
    return path


def changed(good: Path, folder: Path, name: str, raw: bytes) -> Path:
    """A copy with another file, whose digest the manifest names."""
    copy = Path(shutil.copytree(good, folder / "copy"))
    (copy / name).write_bytes(raw)
    manifest = json.loads((good / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256(raw).hexdigest()
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return copy


USES: dict[str, Callable[[Any], object]] = {
    "probes.json": lambda bundle: None,
    "metrics.json": lambda bundle: bundle.metrics(),
    "reference.json": lambda bundle: bundle.reference(),
    "model.packed": lambda bundle: None,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", USES)
def test_a_file_of_another_form_is_refused(
    good: Path, tmp_path: Path, name: str, form: str
) -> None:
    with pytest.raises(lockgate.LockgateError):
        USES[name](lockgate.open(changed(good, tmp_path, name, FORMS[form])))


@pytest.mark.parametrize("form", FORMS)
def test_a_manifest_of_another_form_is_refused(good: Path, tmp_path: Path, form: str) -> None:
    copy = Path(shutil.copytree(good, tmp_path / "copy"))
    (copy / "manifest.json").write_bytes(FORMS[form])
    with pytest.raises(lockgate.BundleError):
        lockgate.open(copy)
    raw = (good / "manifest.json").read_bytes().rstrip()
    (copy / "manifest.json").write_bytes(raw[:-1] + b',"more":' + DEEP + b"}")
    with pytest.raises(lockgate.BundleError, match="damaged"):
        lockgate.open(copy)


@pytest.mark.parametrize("value", [None, 5, "x", [1, "a"], [[0], {"a": 1}], {"a": [1]}, [0, False]])
@pytest.mark.parametrize(
    "key", ["files", "schema", "classes", "task", "model", "format", "environment", "hashes"]
)
def test_a_value_of_another_type_is_refused(
    good: Path, tmp_path: Path, key: str, value: Any
) -> None:
    copy = Path(shutil.copytree(good, tmp_path / "copy"))
    manifest = json.loads((good / "manifest.json").read_text())
    assert key in manifest
    (copy / "manifest.json").write_text(json.dumps({**manifest, key: value}))
    with pytest.raises(lockgate.LockgateError):
        lockgate.open(copy)


@pytest.mark.parametrize(
    "region",
    [
        {"kind": "set", "coverage": 7, "min_score": 0.1},
        {"kind": "interval", "coverage": 0.9, "edges": [], "below": [1.0], "above": [1.0]},
        {"kind": "set", "coverage": 0.9, "min_score": 1.5},
        {"kind": "set", "coverage": 0.9},
        {"kind": "box", "coverage": 0.9},
        {"coverage": 0.9, "min_score": 0.1},
    ],
)
def test_a_region_that_is_none_of_the_task_is_refused(
    good: Path, tmp_path: Path, region: dict[str, float]
) -> None:
    folder = Path(shutil.copytree(good, tmp_path / "bundle"))
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "region": region}))
    with pytest.raises(lockgate.BundleError, match="is damaged"):
        lockgate.open(folder)
