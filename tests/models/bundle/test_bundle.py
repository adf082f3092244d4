"""A bundle is whole, unchanged, and answers as it did, or it is not opened."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pandas as pd
import pytest

import lockgate


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "bundle", tmp_path / "bundle"))


def test_an_opened_bundle_answers_rows_of_a_frame_or_of_columns(made: Path, bundle: Path) -> None:
    opened = lockgate.open(bundle)
    rows = pd.read_csv(made / "data" / "raw" / "tumours.csv").head(5)
    by_frame = opened.predict(rows)
    by_columns = opened.predict({name: rows[name].to_numpy() for name in rows})
    assert by_frame.score is not None
    assert by_columns.score is not None
    assert by_frame.score.tolist() == by_columns.score.tolist()
    assert set(by_frame.label.tolist()) <= {True, False}


def test_the_manifest_holds_content_alone(made: Path, bundle: Path) -> None:
    text = (bundle / "manifest.json").read_text()
    manifest = json.loads(text)
    assert manifest["schema_version"] == 1
    assert set(manifest["files"]) == {p.name for p in bundle.iterdir()} - {"manifest.json"}
    for word in (str(made), "2026-", "commit", "latency"):
        assert word not in text
    assert manifest["hashes"]["code"]["model.logistic"].startswith("lockgate@")


@pytest.mark.parametrize("name", ["model.packed", "probes.json", "reference.json", "card.md"])
def test_one_changed_bit_is_refused(bundle: Path, name: str) -> None:
    raw = bytearray((bundle / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (bundle / name).write_bytes(raw)
    with pytest.raises(lockgate.BundleError, match=f"{name} has sha256"):
        lockgate.open(bundle)


def test_a_missing_and_an_extra_file_are_named(bundle: Path) -> None:
    (bundle / "extra.txt").write_text("x")
    with pytest.raises(lockgate.BundleError, match=r"extra\.txt is not in the manifest"):
        lockgate.open(bundle)
    (bundle / "extra.txt").unlink()
    (bundle / "card.md").unlink()
    with pytest.raises(lockgate.BundleError, match=r"card\.md is missing"):
        lockgate.open(bundle)


def test_a_pipe_and_a_folder_are_refused_at_once(bundle: Path) -> None:
    (bundle / "card.md").unlink()
    os.mkfifo(bundle / "card.md")
    with pytest.raises(lockgate.BundleError, match="not a regular file"):
        lockgate.open(bundle)
    (bundle / "card.md").unlink()
    (bundle / "card.md").mkdir()
    with pytest.raises(lockgate.BundleError, match="not a regular file"):
        lockgate.open(bundle)


def test_a_link_is_refused(bundle: Path, tmp_path: Path) -> None:
    shutil.move(bundle / "card.md", tmp_path / "outside.md")
    (bundle / "card.md").symlink_to(tmp_path / "outside.md")
    with pytest.raises(lockgate.BundleError, match=r"card\.md is a link"):
        lockgate.open(bundle)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema_version": 99}, "bundle schema 99, expected 1: upgrade"),
        ({"surprise": 1}, "damaged"),
        ({"threshold": "high"}, "damaged"),
        ({"format": "nothing"}, "no format named 'nothing'"),
        ({"files": {"../outside": "00"}}, "not in the manifest|missing"),
        ({"model": ["../model.packed"]}, "is not in the manifest"),
        ({"task": "guess"}, "task, classes or targets differ from those of the manifest"),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(
    bundle: Path, change: dict[str, object], words: str
) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps(manifest | change))
    with pytest.raises(lockgate.LockgateError, match=words):
        lockgate.open(bundle)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema_version": 0}'])
def test_a_manifest_that_is_none_is_refused(bundle: Path, text: str) -> None:
    (bundle / "manifest.json").write_text(text)
    with pytest.raises(lockgate.BundleError):
        lockgate.open(bundle)


def test_a_model_that_answers_otherwise_is_refused(bundle: Path) -> None:
    from lockgate.data.io.digests import sha256_file

    probes = json.loads((bundle / "probes.json").read_text())
    probes["score"][3] += 1e-6
    (bundle / "probes.json").write_text(json.dumps(probes))
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"]["probes.json"] = sha256_file(bundle / "probes.json")
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(lockgate.BundleError, match="probe scores differ by up to 1e-06"):
        lockgate.open(bundle)


def test_rows_that_do_not_fit_are_named(bundle: Path) -> None:
    opened = lockgate.open(bundle)
    with pytest.raises(lockgate.SchemaViolation, match="is missing"):
        opened.predict(pd.DataFrame({"nothing": [1]}))


def test_the_reference_counts_the_training_rows(made: Path, bundle: Path) -> None:
    facts = json.loads((made / "data" / "prepared" / "facts.json").read_text())
    reference = lockgate.open(bundle).reference()
    assert reference.n == facts["rows"]["train"]
    assert all(one.n == reference.n for one in reference.columns)
    assert msgspec.json.encode(reference)


def test_no_folder_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(lockgate.BundleError, match="is not a bundle"):
        lockgate.open(tmp_path)


def test_reading_needs_no_hydra_and_no_dvc(bundle: Path) -> None:
    script = (
        f"import sys, lockgate\nlockgate.open({str(bundle)!r})\n"
        "print([n for n in ('hydra', 'omegaconf', 'dvc', 'matplotlib') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
