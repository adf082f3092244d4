"""The papers of a bundle: who registered it, who put it where it is, on which verdict."""

from __future__ import annotations

import msgspec

from lockgate.errors import GateRefused, LedgerError
from lockgate.files.digests import sha256_bytes
from lockgate.proof.commits import BadCommit, Commit
from lockgate.proof.events import BadEvent, Event
from lockgate.proof.signers import Signers
from lockgate.proof.sshsig import BadSignature
from lockgate.proof.verdict import Verdict

__all__ = ["Proof"]


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Two commits of a ledger, word for word, and the verdict that the second rests on.

    What was signed is in them, so that a server can check it without Git.

    Attributes
    ----------
    v : int
        Version of this form.
    registered, placed : str
        The commits of `register`, and of `promote` or `rollback`.
    verdict : str or None
        The verdict's file; None where it was put there against the gates.

    """

    v: int = 1
    registered: str
    placed: str
    verdict: str | None

    def encode(self) -> bytes:
        """Return the file."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"

    @classmethod
    def decode(cls, raw: bytes) -> Proof:
        """Read the file.

        Raises
        ------
        GateRefused
            If it is none.

        """
        try:
            return msgspec.json.decode(raw, type=cls)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise GateRefused(f"its proof cannot be read: {str(error)[:200]}") from None

    def check(
        self, *, name: str, stage: str, version: str, digest: str, signers: Signers | None
    ) -> None:
        """See that it shows what is to be shown.

        Parameters
        ----------
        name, stage, version, digest : str
            What is to be served, and where.
        signers : Signers or None
            Who may sign; None where signatures are not asked for.

        Raises
        ------
        GateRefused
            With what is missing.

        """
        what = f"{name}@{version} ({digest[:12]}) in {stage}"
        registered, first = _event(self.registered)
        placed, second = _event(self.placed)
        if (first.op, first.name, first.after, first.digest) != ("register", name, version, digest):
            raise GateRefused(f"{what}: its proof is about {first.subject}")
        said = (second.name, second.stage, second.after, second.digest)
        if second.op not in ("promote", "rollback") or said != (name, stage, version, digest):
            raise GateRefused(f"{what}: its proof is about {second.subject}")
        self._check_verdict(what, second)
        for commit, event in ((registered, first), (placed, second)) if signers else ():
            try:
                assert signers is not None
                signers.check(commit, event)
            except BadSignature as error:
                raise GateRefused(f"{what}: {event.subject}: {error}") from None

    def _check_verdict(self, what: str, placed: Event) -> None:
        if self.verdict is None or placed.override:
            why = f" against the gates: {placed.reason}" if placed.override else ""
            raise GateRefused(f"{what}: there is no passing verdict; it was put there{why}")
        if sha256_bytes(self.verdict.encode()) != placed.gate:
            raise GateRefused(f"{what}: its verdict is not the one that it was put there on")
        try:
            verdict = Verdict.decode(self.verdict.encode())
        except LedgerError as error:
            raise GateRefused(f"{what}: {error}") from None
        if (verdict.bundle, verdict.stage) != (placed.digest, placed.stage) or not verdict.passed:
            raise GateRefused(f"{what}: its verdict does not let it in")


def _event(raw: str) -> tuple[Commit, Event]:
    try:
        commit = Commit.decode(raw.encode())
        return commit, Event.parse(commit.message)
    except (BadCommit, BadEvent) as error:
        raise GateRefused(f"its proof holds no event: {error}") from None
