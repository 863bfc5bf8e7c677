"""Who asks, proved to a PostgreSQL server: without a password, or by one in the clear, by MD5 or by SCRAM-SHA-256.

In: a user, a password, and what the server asks for. Out: what to answer. Always holds: the server that asked for SCRAM
has to prove that it knows the password, too; what else a server may ask for raises `Unsupported`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
from typing import Final

_OK, _CLEAR, _MD5, _SASL, _SASL_CONTINUE, _SASL_FINAL = 0, 3, 5, 10, 11, 12
_MECHANISM: Final = b"SCRAM-SHA-256"


class Unsupported(Exception):
    """What is left to the driver."""


class Login:
    """The conversation that opens one session."""

    def __init__(self, user: str, password: str | None) -> None:
        self._user = user
        self._password = password
        self._scram: _Scram | None = None

    def answer(self, code: int, data: bytes) -> bytes | None:
        """What to send for a request of the server, None for nothing."""
        if code == _OK:
            if self._scram is not None and not self._scram.is_proved:
                raise Unsupported
            return None
        if self._scram is not None:
            return self._go_on(self._scram, code, data)
        if self._password is None or not self._password.isascii():
            # The driver looks into files, and prepares other characters.
            raise Unsupported
        if code == _CLEAR:
            return self._password.encode() + b"\0"
        if code == _MD5:
            return _md5(self._user, self._password, data) + b"\0"
        if code == _SASL and _MECHANISM in data.split(b"\0"):
            self._scram = _Scram(self._password)
            return self._scram.first()
        raise Unsupported

    def _go_on(self, scram: _Scram, code: int, data: bytes) -> bytes | None:
        if code == _SASL_CONTINUE:
            return scram.final(data)
        if code != _SASL_FINAL:
            raise Unsupported
        scram.prove(data)
        return None


class _Scram:
    """SCRAM-SHA-256 as RFC 7677 has it, without channel binding."""

    def __init__(self, password: str) -> None:
        self._password = password.encode()
        self._first = f"n=,r={base64.b64encode(secrets.token_bytes(18)).decode()}"
        self._signature = b""
        self.is_proved = False

    def first(self) -> bytes:
        """What opens the conversation."""
        data = f"n,,{self._first}".encode()
        return _MECHANISM + b"\0" + struct.pack("!i", len(data)) + data

    def final(self, challenge: bytes) -> bytes:
        """What proves the password; raises `Unsupported` for another conversation's challenge."""
        words = dict(word.split("=", 1) for word in challenge.decode().split(","))
        nonce, mine = words["r"], self._first.partition("r=")[2]
        if not nonce.startswith(mine) or nonce == mine:
            raise Unsupported
        salted = hashlib.pbkdf2_hmac("sha256", self._password, base64.b64decode(words["s"]), int(words["i"]))
        key = _mac(salted, b"Client Key")
        bare = f"c=biws,r={nonce}"
        message = f"{self._first},{challenge.decode()},{bare}".encode()
        signature = _mac(hashlib.sha256(key).digest(), message)
        self._signature = _mac(_mac(salted, b"Server Key"), message)
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        return f"{bare},p={base64.b64encode(proof).decode()}".encode()

    def prove(self, answer: bytes) -> None:
        """Notes that the server knows the password, too."""
        self.is_proved = hmac.compare_digest(answer, b"v=" + base64.b64encode(self._signature))


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _md5(user: str, password: str, salt: bytes) -> bytes:
    inner = hashlib.md5((password + user).encode(), usedforsecurity=False).hexdigest()
    return b"md5" + hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest().encode()
