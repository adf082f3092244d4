"""Provenance of a bundle: the registration, the verdict and the promotion of what is served."""

from __future__ import annotations

import msgspec

from lockgate.data.io.digests import sha256_bytes
from lockgate.errors import GateRefused, LedgerError
from lockgate.registry.provenance.commits import Commit, InvalidCommit
from lockgate.registry.provenance.events import Event, InvalidEvent
from lockgate.registry.provenance.formats import UnreadableRecord, decode_record
from lockgate.registry.provenance.policy import StagePolicy
from lockgate.registry.provenance.signers import Signers
from lockgate.registry.provenance.sshsig import InvalidSignature
from lockgate.registry.provenance.verdict import Verdict

__all__ = ["Provenance"]


class Provenance(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Commits of a ledger, byte for byte, and the verdict that they are based on.

    They contain everything that was signed, so that a server can check it without Git.

    Attributes
    ----------
    v : int
        Version of this format.
    registered : str
        Commit of the registration.
    judged : str or None
        Commit that recorded the verdict; None where the gates were overridden.
    promoted : str
        Commit of the promotion that is based on the verdict.
    placed : str
        Commit that put the bundle into its stage: the promotion, or a later rollback.
    verdict, policy : str or None
        The files of the verdict, and of the policy that it was made by; None where the gates were
        overridden.

    """

    v: int = 1
    registered: str
    judged: str | None
    promoted: str
    placed: str
    verdict: str | None
    policy: str | None = None

    def encode(self) -> bytes:
        """Return the file."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"

    @classmethod
    def decode(cls, raw: bytes) -> Provenance:
        """Read the file.

        Raises
        ------
        GateRefused
            If it cannot be read.

        """
        try:
            return decode_record(raw, cls)
        except UnreadableRecord as error:
            raise GateRefused(f"the provenance {error}") from None

    def check(
        self,
        *,
        name: str,
        stage: str,
        version: str,
        digest: str,
        signers: Signers | None,
        now: float | None = None,
    ) -> None:
        """Check that it proves a passing verdict on a bundle for its stage.

        Parameters
        ----------
        name, stage, version, digest : str
            The bundle to serve, and its stage.
        signers : Signers or None
            The allowed signers; None where signatures are not required.
        now : float or None
            Seconds since 1970 at which keys must be valid, in addition to the dates of
            the commits, which their authors chose; None for a bundle accepted before.

        Raises
        ------
        GateRefused
            If it does not; the message says what is missing.

        """
        subject = f"{name}@{version} ({digest[:12]}) in {stage}"
        if self.verdict is None or self.judged is None:
            event = _parse_event(self.placed)[1]
            reason = f"; overridden gates: {event.reason}" if event.override else ""
            raise GateRefused(f"{subject}: no passing verdict{reason}")
        required_events = {
            "register": (_parse_event(self.registered), None),
            "gate": (_parse_event(self.judged), stage),
            "promote": (_parse_event(self.promoted), stage),
            "rollback": (_parse_event(self.placed), stage),
        }
        date = 0
        for op, ((commit, event), expected_stage) in required_events.items():
            ops = ("promote", "rollback") if op == "rollback" else (op,)
            recorded = (event.name, event.stage, event.after, event.digest)
            if (
                event.op not in ops
                or recorded != (name, expected_stage, version, digest)
                or event.override
            ):
                raise GateRefused(
                    f"{subject}: its provenance is about another event: {event.subject}"
                )
            if expected_stage is not None and event.gate != sha256_bytes(self.verdict.encode()):
                raise GateRefused(f"{subject}: {event.subject} is based on another verdict")
            # keys are checked at these dates, so that an expired key could be back-dated
            if commit.person.date < date:
                raise GateRefused(
                    f"{subject}: {event.subject} is dated before the event that it is based on"
                )
            date = commit.person.date
            self._check_signature(subject, commit, event, signers, now)
        self._check_verdict(subject, required_events["promote"][0][1])

    def _check_signature(
        self, subject: str, commit: Commit, event: Event, signers: Signers | None, now: float | None
    ) -> None:
        if signers is None:
            return
        try:
            signers.check(commit, event, now=now)
        except InvalidSignature as error:
            raise GateRefused(f"{subject}: {event.subject}: {error}") from None

    def _check_verdict(self, subject: str, promoted: Event) -> None:
        assert self.verdict is not None
        try:
            verdict = Verdict.decode(self.verdict.encode())
        except LedgerError as error:
            raise GateRefused(f"{subject}: {error}") from None
        incumbent_version = None if verdict.incumbent is None else verdict.incumbent.version
        recorded = (verdict.name, verdict.bundle, verdict.stage, incumbent_version)
        if recorded != (promoted.name, promoted.digest, promoted.stage, promoted.before):
            raise GateRefused(f"{subject}: its verdict is about another bundle, stage or incumbent")
        if not verdict.passed:
            raise GateRefused(f"{subject}: its verdict is not passing")
        if not verdict.judged:
            raise GateRefused(f"{subject}: its verdict has no gates")
        self._check_policy(subject, verdict)

    def _check_policy(self, subject: str, verdict: Verdict) -> None:
        """Check that the verdict has every gate of its policy, and who promoted."""
        raw = (self.policy or "").encode()
        if sha256_bytes(raw) != verdict.policy:
            raise GateRefused(f"{subject}: its policy is missing, or not that of its verdict")
        try:
            policy = StagePolicy.decode(raw)
            verdict.check_policy(policy)
        except LedgerError as error:
            raise GateRefused(f"{subject}: {error}") from None
        if policy.stage != verdict.stage:
            raise GateRefused(f"{subject}: its policy is of the stage {policy.stage}")
        email = _parse_event(self.promoted)[0].person.email
        if not policy.lets_promote(email):
            raise GateRefused(f"{subject}: its policy does not let {email} promote")


def _parse_event(raw: str) -> tuple[Commit, Event]:
    try:
        commit = Commit.decode(raw.encode())
        return commit, Event.parse(commit.message)
    except (InvalidCommit, InvalidEvent) as error:
        raise GateRefused(f"the provenance does not contain a valid event: {error}") from None
