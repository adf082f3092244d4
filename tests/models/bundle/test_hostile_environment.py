"""Names and versions that a bundle records never become a command."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lockgate.errors import EnvironmentMismatch, LedgerError
from lockgate.models.bundle.environment import check_environment
from lockgate.models.bundle.manifest import Environment
from lockgate.models.bundle.open import read_manifest
from lockgate.registry.attest.environment import requirements_of

HOSTILE = [
    ("--index-url", "https://example.org"),
    ("numpy", "1.0'; touch ran; '"),
    ("numpy", "1.0 --pre"),
    ("evil-package", "1.0"),
    ("numpy @ file:///tmp/evil", "1"),
    ("-r", "requirements.txt"),
    ("", "1.0"),
]


@pytest.mark.parametrize(("name", "version"), HOSTILE)
def test_advice_has_no_text_of_a_bundle(name: str, version: str) -> None:
    with pytest.raises(EnvironmentMismatch) as caught:
        check_environment({name: version}, "the bundle")
    advice = str(caught.value).rpartition("; ")[2]
    assert advice == "install what it needs, if you trust where it comes from"


def test_advice_for_a_library_that_is_here_is_a_command() -> None:
    with pytest.raises(EnvironmentMismatch, match=r"; pip install 'numpy==1\.0\.5'$"):
        check_environment({"numpy": "1.0.5"}, "the bundle")


@pytest.mark.parametrize(
    ("name", "version"), [entry for entry in HOSTILE if entry[0] != "evil-package"]
)
def test_an_attestation_installs_only_names_and_versions(
    made: Path, name: str, version: str
) -> None:
    manifest = read_manifest(made / "bundle")
    assert all(line.split("==")[0] for line in requirements_of(manifest))
    hostile = msgspec.structs.replace(manifest, environment=Environment({}, {name: version}))
    with pytest.raises(LedgerError, match="which is not a distribution and its version"):
        requirements_of(hostile)
