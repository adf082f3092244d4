"""A compressor of a third party changes the packed form, from public names alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

import lockgate
from lockgate.data.conform import conform_to_schema
from lockgate.models.skops_file import read_estimator
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.testing import Failed, check_plugin
from tests.conftest import Run
from tests.extensions.test_formats import distribution

CODE = '''
import dataclasses

import lockgate


@lockgate.plugin
class RoundLeaves:
    """Round the leaf values of trees to `digits` decimal places."""

    on_packed = True
    digits: int = lockgate.setting(4, at_least=0, at_most=12)

    @lockgate.hookimpl
    def compress(self, request):
        content = lockgate.PackedContent.read(request.packed())
        forests = content.operations("forest")
        if not forests:
            raise lockgate.NotApplicable("the model has no trees")
        rounded = {op.values: content.arrays[op.values].round(self.digits) for _, op in forests}
        packed = content.with_arrays(rounded).write()
        return dataclasses.replace(request.candidate, packed=packed)
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    distribution(
        folder, "acme-leaves", CODE, "round-leaves = acme_leaves:RoundLeaves", "compressor"
    )
    return folder


@pytest.fixture
def rounding(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type]:
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    Catalogue.forget()
    yield Catalogue.installed().find("compressor", "round-leaves").load()
    Catalogue.forget()


def test_it_passes_the_kit(rounding: type) -> None:
    check_plugin("compressor", rounding)


@pytest.mark.skipif(
    not os.environ.get("LOCKGATE_SOAK"),
    reason="a quarter of a minute; test_installed_plugins runs a project: make soak",
)
def test_it_changes_the_bundle_of_a_run(
    rounding: type, site: Path, call: Run, project: Path
) -> None:
    env = {"PYTHONPATH": str(site)}
    chosen = ["model=boosting", "model.boosting.trees=20", "optimizer.grid.points=1"]
    call(
        "lockgate",
        "run",
        *chosen,
        "compressor=[round-leaves]",
        "compression.max_loss=0.5",
        cwd=project,
        **env,
    )
    steps = json.loads((project / "models" / "steps.json").read_bytes())["steps"]
    assert [(step["step"], step["applied"]) for step in steps][-1] == ("round-leaves", True)
    raw = (project / "bundle" / "model.packed").read_bytes()
    content = lockgate.PackedContent.read(raw)
    (forest,) = [op for _, op in content.operations("forest")]
    values = content.arrays[forest.values]
    assert np.array_equal(values, values.round(4))
    assert [step["step"] for step in content.header.derived] == ["round-leaves"]
    rows = pd.read_parquet(project / "data" / "prepared" / "test.parquet")
    score = lockgate.open(project / "bundle").predict(rows).score
    candidate = read_estimator(project / "models" / "candidate" / "model.skops")
    unrounded = candidate.predict_proba(conform_to_schema(rows, content_schema(project)))[:, 1]
    assert score is not None
    assert 0 < np.abs(score - unrounded).max() < 0.05
    refused = call(
        "lockgate", "run", "--dry", "compressor=[round-leaves,prune]", cwd=project, code=2, **env
    )
    assert "compressors of packed models last: prune, round-leaves" in refused.stderr
    refused = call("lockgate", "run", "--dry", "format=skops", cwd=project, code=2, **env)
    assert "format is 'skops'; allowed: packed, as compressor round-leaves" in refused.stderr


def content_schema(project: Path) -> lockgate.Schema:
    return lockgate.open(project / "bundle").manifest.schema


def made(answer: Any, declared: bool) -> type:
    @lockgate.plugin
    class Made:
        """Return what the test says."""

        on_packed: ClassVar[bool] = declared

        @lockgate.hookimpl
        def compress(self, request: lockgate.CompressRequest) -> lockgate.Candidate:
            """Compress."""
            return answer(request)  # type: ignore[no-any-return]

    return Made


@pytest.mark.parametrize(
    ("answer", "declared", "message"),
    [
        (
            lambda request: replace(request.candidate, packed=request.packed()),
            False,
            "declare on_packed",
        ),
        (lambda request: request.candidate, True, "declare no on_packed"),
        (lambda request: replace(request.candidate, packed=b"LOCKGATE"), True, "truncated|not a"),
    ],
)
def test_another_form_than_declared_fails(answer: Any, declared: bool, message: str) -> None:
    with pytest.raises(Failed, match=message):
        check_plugin("compressor", made(answer, declared))
