"""Bytes on disk: pinned, and replaced in one step."""

import contextlib
import importlib.metadata
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lockgate
from lockgate.data.io.atomic import replace_directory, write_file
from lockgate.data.io.digests import sha256_file, sha256_text


def test_a_file_is_replaced_whole_and_nothing_is_left_beside(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "a.txt"
    write_file(file, "one")
    write_file(file, "two")
    assert file.read_text() == "two"
    assert [path.name for path in file.parent.iterdir()] == ["a.txt"]


def test_a_failing_block_leaves_the_old_directory(tmp_path: Path) -> None:
    place = tmp_path / "bundle"
    with replace_directory(place) as folder:
        (folder / "a").write_text("old")
    with contextlib.suppress(ZeroDivisionError), replace_directory(place) as folder:
        (folder / "a").write_text("new")
        raise ZeroDivisionError
    assert (place / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_files_that_are_no_longer_there_are_gone(tmp_path: Path) -> None:
    place = tmp_path / "bundle"
    for names in (("a", "b"), ("b", "c")):
        with replace_directory(place) as folder:
            for name in names:
                (folder / name).write_text(name)
    assert sorted(path.name for path in place.iterdir()) == ["b", "c"]


KILLED = """
import sys
from pathlib import Path
from lockgate.data.io.atomic import replaced_directory
place, turn = Path(sys.argv[1]), 0
print("ready", flush=True)
while True:
    turn += 1
    with replaced_directory(place) as folder:
        for name in "abcd":
            (folder / name).write_text(str(turn))
"""


@pytest.mark.parametrize("seed", range(8))
def test_a_kill_leaves_the_old_directory_or_the_new_one(tmp_path: Path, seed: int) -> None:
    place = tmp_path / "bundle"
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(place)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(0.02 + 0.013 * seed)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    if place.exists():
        contents = {name: (place / name).read_text() for name in "abcd"}
        assert len(set(contents.values())) == 1, contents
    # what the killed process left beside it is taken away by the next one
    with replace_directory(place) as folder:
        (folder / "a").write_text("last")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_digests_are_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_file(tmp_path / "a") == sha256_text("abc") == known


def test_a_file_of_a_distribution_is_found_without_importing_it() -> None:
    path = lockgate.installed_file("lifetimes", "lifetimes/datasets/CDNOW_master.txt")
    assert path.is_file()
    assert "lifetimes" not in sys.modules


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("lifetimez", "x"), lockgate.DataError, "pip install 'lifetimez'"),
        (("lifetimes", "x"), lockgate.DataError, "has no file 'x'"),
    ],
)
def test_what_is_not_installed_says_how_to_get_it(
    arguments: tuple[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        lockgate.installed_file(*arguments)


def test_another_version_and_another_content_are_named() -> None:
    path = "lifetimes/datasets/CDNOW_master.txt"
    found = importlib.metadata.version("lifetimes")
    with pytest.raises(lockgate.DataError, match=f"expected lifetimes 9, got {found}"):
        lockgate.installed_file("lifetimes", path, version="9")
    with pytest.raises(lockgate.DigestMismatch, match="expected sha256 00, got eff6"):
        lockgate.installed_file("lifetimes", path, sha256="00")


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_file(file, "old")
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from lockgate.data.io.atomic import write_file\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_file(Path(sys.argv[1]), b'x' * 5000)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(file)], capture_output=True, env=os.environ, check=False
    )
    assert done.returncode != 0
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
