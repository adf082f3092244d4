"""The site: links that lead nowhere are warnings, which `make lint` refuses; settings are documented."""

import re
import subprocess
import sys
from pathlib import Path

from lockgate.contract.kinds import KINDS
from lockgate.contract.sections import SECTIONS
from lockgate.contract.settings import settings_of
from lockgate.plugins.host.catalogue import Catalogue
from tests.conftest import ROOT


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "dirhtml"]
    return subprocess.run(
        [*command, str(source), str(target)], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_link_that_leads_nowhere_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "conf.py").write_text((ROOT / "docs" / "conf.py").read_text())
    (tmp_path / "docs" / "pictures").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# A\n\n[b](index.md#nowhere)\n")
    assert "nowhere" in build(tmp_path / "docs", tmp_path / "site").stderr


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "plugins.md").read_text()
    documented = set(re.findall(r"^\| `([\w.-]+)` \|", text, re.MULTILINE))
    expected = {f"{key}.{name}" for key, cls in SECTIONS.items() for name in settings_of(cls)}
    kinds = {kind.name for kind in KINDS}
    for entry in Catalogue.installed():
        if entry.kind in kinds and entry.distribution.startswith("lockgate"):
            expected |= {f"{entry.kind}.{entry.name}.{name}" for name in settings_of(entry.load())}
    missing = {
        name
        for name in expected
        if not any(d == name or d.startswith(f"{name}.") for d in documented)
    }
    assert missing == set()
