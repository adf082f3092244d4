"""Signs events with the SSH key that Git is configured to sign with."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from lockgate.errors import LedgerError
from lockgate.registry.ledger.repository import Repository

__all__ = ["sign"]


def sign(repository: Repository, payload: bytes) -> bytes:
    """Return the signature of an event; empty where no SSH key is configured.

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
        key_path = Path(key).expanduser()
        program = settings.get("gpg.ssh.program", "ssh-keygen")
        argv = [program, "-Y", "sign", "-n", "git"]
        literal = key.removeprefix("key::")
        if literal.startswith(("ssh-", "ecdsa-", "sk-")):  # a public key; an agent has the private
            key_path = Path(folder) / "key.pub"
            key_path.write_text(literal + "\n", encoding="utf-8")
            argv.append("-U")
        try:
            completed = subprocess.run(
                [*argv, "-f", str(key_path)],
                input=payload,
                capture_output=True,
                check=False,
                timeout=120,
            )
        except (FileNotFoundError, subprocess.TimeoutExpired) as error:
            raise LedgerError(f"{program} cannot sign the event: {error}") from None
    if completed.returncode or not completed.stdout.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        message = " ".join(completed.stderr.decode("utf-8", "replace").split())
        raise LedgerError(f"the event cannot be signed with {key[:80]}: {message[:300]}")
    return completed.stdout.strip()
