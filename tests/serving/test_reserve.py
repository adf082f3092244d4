"""A rollback works on a full disk."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from lockgate.deployment.directory import Deployment
from lockgate.deployment.reserve import with_reserve
from tests.conftest import Run


def fill(path: Path) -> None:
    """Write to a disk until it is full."""
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def test_the_reserve_is_given_up_once_and_made_again(tmp_path: Path) -> None:
    calls: list[bool] = []

    def write() -> str:
        calls.append((tmp_path / ".reserve").exists())
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return "done"

    assert with_reserve(tmp_path, write) == "done"
    assert (tmp_path / ".reserve").stat().st_size == 256 << 10
    assert with_reserve(tmp_path, write) == "done"
    assert calls == [False, True, False]
    assert (tmp_path / ".reserve").exists()


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC])
def test_other_errors_and_a_full_disk_without_reserve_are_raised(
    tmp_path: Path, number: int
) -> None:
    def write() -> None:
        raise OSError(number, "no")

    with pytest.raises(OSError, match="no"):
        with_reserve(tmp_path, write)


def test_changes_are_locked_where_nothing_can_be_written(tmp_path: Path) -> None:
    script = (
        "import pathlib, resource, signal, sys\n"
        "from lockgate.deployment.change_lock import lock_changes\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "with lock_changes(pathlib.Path(sys.argv[1])):\n    pass\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)


def test_a_full_disk_refuses_a_deployment_and_allows_a_rollback(
    tmp_path: Path, bundles: dict[str, Path], call: Run
) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs cannot be mounted here; the tests above write without one")
    try:
        deployment = Deployment(folder / "live")
        deployment.deploy(bundles["logistic"], version="1")
        deployment.deploy(bundles["boosting"], version="2")
        with pytest.raises(OSError, match="No space"):
            fill(folder / "ballast")
        before = deployment.pointer()
        done = call(
            "lockgate", "deploy", str(bundles["three"]), str(deployment.path), cwd=tmp_path, code=2
        )
        assert "is full: the bundle takes" in done.stderr
        assert deployment.pointer() == before
        assert len(list((deployment.path / "bundles").iterdir())) == 2
        call("lockgate", "rollback", "--here", str(deployment.path), cwd=tmp_path)
        assert deployment.pointer().slots[0].version == "1"
        assert [event.op for event in deployment.history()] == ["deploy", "deploy", "rollback"]
    finally:
        subprocess.run(["umount", str(folder)], check=True)
