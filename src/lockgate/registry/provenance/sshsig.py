"""SSH signatures, checked in process (OpenSSH's PROTOCOL.sshsig)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from typing import Any

from lockgate.errors import MissingExtra

__all__ = ["InvalidSignature", "verify_signature"]

BEGIN, END = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"
MAGIC = b"SSHSIG"


class InvalidSignature(ValueError):
    """A signature that is not valid, with the reason."""


def verify_signature(message: bytes, armored: bytes, *, namespace: str = "git") -> bytes:
    """Return the key that signed a message.

    Parameters
    ----------
    message : bytes
        The signed message.
    armored : bytes
        The signature as ``ssh-keygen -Y sign`` writes it.
    namespace : str
        The expected namespace of the signature.

    Returns
    -------
    bytes
        The public key in SSH's wire format; the caller decides whether to trust it.

    Raises
    ------
    InvalidSignature
        If it is not valid, or of an unsupported kind.

    """
    fields = _FieldReader(_decode_armor(armored))
    if fields.take(len(MAGIC)) != MAGIC or fields.number() != 1:
        raise InvalidSignature("it is not an SSH signature of version 1")
    key, signed_namespace, reserved, algorithm, signature = (fields.text() for _ in range(5))
    if signed_namespace != namespace.encode():
        raise InvalidSignature(
            f"expected the namespace {namespace!r}, got {signed_namespace[:40]!r}"
        )
    if algorithm not in (b"sha256", b"sha512"):
        raise InvalidSignature(f"hash {algorithm[:20]!r} is not allowed")
    digest = hashlib.new(algorithm.decode(), message).digest()
    parts = (signed_namespace, reserved, algorithm, digest)
    signed = MAGIC + b"".join(struct.pack(">I", len(part)) + part for part in parts)
    _check_signature(key, signature, signed)
    return key


class _FieldReader:
    """Reads length-prefixed fields (RFC 4251, section 5)."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.offset = raw, 0

    def take(self, size: int) -> bytes:
        chunk = self.raw[self.offset : self.offset + size]
        if len(chunk) != size:
            raise InvalidSignature("the signature is truncated")
        self.offset += size
        return chunk

    def number(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def text(self) -> bytes:
        return self.take(self.number())


def _decode_armor(armored: bytes) -> bytes:
    lines = armored.strip().splitlines()
    if len(lines) < 3 or lines[0] != BEGIN or lines[-1] != END:
        raise InvalidSignature("it is not an SSH signature")
    try:
        return base64.b64decode(b"".join(lines[1:-1]), validate=True)
    except binascii.Error:
        raise InvalidSignature("the signature is not valid base64") from None


def _check_signature(key: bytes, signature: bytes, signed: bytes) -> None:
    """Check a signature of one of the kinds that OpenSSH makes by default."""
    try:
        from cryptography.exceptions import InvalidSignature as MismatchedSignature
    except ModuleNotFoundError:
        raise MissingExtra("ledger", "checking a signature") from None
    kind = _FieldReader(key).text()
    fields = _FieldReader(signature)
    signature_kind, value = fields.text(), fields.text()
    try:
        if kind == b"ssh-ed25519" and signature_kind == kind:
            _ed25519(key).verify(value, signed)
        elif kind == b"sk-ssh-ed25519@openssh.com" and signature_kind == kind:
            _check_security_key(key, value, fields, signed)
        elif kind == b"ssh-rsa" and signature_kind in (b"rsa-sha2-256", b"rsa-sha2-512"):
            _check_rsa(key, signature_kind, value, signed)
        elif kind.startswith(b"ecdsa-sha2-nistp") and signature_kind == kind:
            _check_ecdsa(key, kind, value, signed)
        else:
            raise InvalidSignature(
                f"unsupported key type {kind[:40]!r} with signature type {signature_kind[:40]!r}"
            )
    except MismatchedSignature:
        raise InvalidSignature("the signature does not match the content") from None


def _load_key(key: bytes) -> Any:
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    kind = _FieldReader(key).text()
    try:
        return load_ssh_public_key(kind + b" " + base64.b64encode(key))
    except Exception as error:  # the library raises several types for an invalid key
        raise InvalidSignature(f"the key cannot be read: {error}") from None


def _ed25519(key: bytes) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    fields = _FieldReader(key)
    fields.text()
    try:
        return Ed25519PublicKey.from_public_bytes(fields.text())
    except ValueError as error:
        raise InvalidSignature(f"the key cannot be read: {error}") from None


def _check_security_key(key: bytes, value: bytes, fields: _FieldReader, signed: bytes) -> None:
    """Check a FIDO signature, which covers application, flags and counter as well."""
    parts = _FieldReader(key)
    parts.text(), parts.text()
    application = hashlib.sha256(parts.text()).digest()
    presence = fields.take(5)
    if not presence[0] & 1:
        raise InvalidSignature("the security key was not touched")
    _ed25519(key).verify(value, application + presence + hashlib.sha256(signed).digest())


def _check_rsa(key: bytes, signature_kind: bytes, value: bytes, signed: bytes) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    algorithm = hashes.SHA512() if signature_kind.endswith(b"512") else hashes.SHA256()
    _load_key(key).verify(value, signed, padding.PKCS1v15(), algorithm)


def _check_ecdsa(key: bytes, kind: bytes, value: bytes, signed: bytes) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    algorithm = {b"256": hashes.SHA256(), b"384": hashes.SHA384(), b"521": hashes.SHA512()}
    numbers = _FieldReader(value)
    r, s = (int.from_bytes(numbers.text(), "big") for _ in range(2))
    _load_key(key).verify(encode_dss_signature(r, s), signed, ec.ECDSA(algorithm[kind[-3:]]))
