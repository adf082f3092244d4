"""The scheme lockgate:// in Hydra applications of the environment."""

import subprocess
import sys
from pathlib import Path

import pytest


def test_our_groups_do_not_leak_into_other_applications(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text("a: 1\n")
    script = (
        "from hydra import compose, initialize_config_dir\n"
        f"with initialize_config_dir({str(tmp_path / 'conf')!r}, version_base='1.3'):\n"
        "    print(sorted(compose('config')))\n"
        "    print(compose('config', overrides=['+model=logistic']).model)\n"
        "import sys\nprint('lockgate.plugins.host.catalogue' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:3] == ["['a']", "logistic", "False"]


def test_only_the_chosen_plugin_is_imported() -> None:
    script = (
        "import sys\nfrom lockgate.plugins.config.source import build_node, list_options\n"
        "list_options('compressor', groups=True, options=True)\n"
        "build_node('compressor/prune')\n"
        "print([n for n in ('lasso', 'prune') if f'lockgate.builtin.compressors.{n}' in sys.modules])\n"
        "print([n for n in ('pandas', 'sklearn') if n in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["['prune']", "[]"]


@pytest.mark.parametrize(("path", "what"), [("", True), ("model", True), ("model/logistic", False)])
def test_kinds_are_groups(path: str, what: bool) -> None:
    from lockgate.plugins.config.source import is_group, is_option

    assert is_group(path) is what
    assert is_option("model/logistic.yaml")
    assert not is_option("model/none")
