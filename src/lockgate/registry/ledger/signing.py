"""Signs events with the SSH key that Git is configured to sign with."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from lockgate.errors import LedgerError
from lockgate.registry.ledger.repository import Repository

__all__ = ["signature"]


def signature(repository: Repository, payload: bytes) -> bytes:
    """Return the signature of an event, or nothing where no SSH key is configured.

    Raises
    ------
    LedgerError
        If a key is configured and cannot sign.

    """
    settings = repository.settings
    key = settings.get("user.signingkey", "")
    if not key or settings.get("gpg.format") != "ssh":
        return b""
    with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
        place = Path(key).expanduser()
        program = settings.get("gpg.ssh.program", "ssh-keygen")
        words = [program, "-Y", "sign", "-n", "git"]
        literal = key.removeprefix("key::")
        if literal.startswith(("ssh-", "ecdsa-", "sk-")):  # the key itself; an agent has the rest
            place = Path(folder) / "key.pub"
            place.write_text(literal + "\n", encoding="utf-8")
            words.append("-U")
        try:
            done = subprocess.run(
                [*words, "-f", str(place)],
                input=payload,
                capture_output=True,
                check=False,
                timeout=120,
            )
        except (FileNotFoundError, subprocess.TimeoutExpired) as error:
            raise LedgerError(f"{program} cannot sign the event: {error}") from None
    if done.returncode or not done.stdout.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        said = " ".join(done.stderr.decode("utf-8", "replace").split())
        raise LedgerError(f"the event cannot be signed with {key[:80]}: {said[:300]}")
    return done.stdout.strip()
