"""An issuer of tokens: keys of its own, and the documents that tell them."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_CURVES: dict[str, ec.EllipticCurve] = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
_HASHES: dict[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def number(value: int, size: int | None = None) -> str:
    return encoded(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class SigningKey:
    """A key for one algorithm."""

    def __init__(self, algorithm: str, key_id: str, bits: int = 2048) -> None:
        self.algorithm = algorithm
        self.key_id = key_id
        self._digest = _HASHES[algorithm[2:]]
        self._rsa = rsa.generate_private_key(65537, bits) if algorithm[:2] != "ES" else None
        self._curve = ec.generate_private_key(_CURVES[algorithm]) if algorithm[:2] == "ES" else None

    @property
    def public(self) -> dict[str, Any]:
        """The JSON Web Key."""
        common = {"kid": self.key_id, "alg": self.algorithm, "use": "sig"}
        if self._rsa is not None:
            numbers = self._rsa.public_key().public_numbers()
            return {**common, "kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        assert self._curve is not None
        point = self._curve.public_key().public_numbers()
        size = (self._curve.key_size + 7) // 8
        name = {256: "P-256", 384: "P-384", 521: "P-521"}[self._curve.key_size]
        return {**common, "kty": "EC", "crv": name, "x": number(point.x, size), "y": number(point.y, size)}

    def sign(self, content: bytes) -> bytes:
        if self._rsa is not None:
            padded: padding.AsymmetricPadding = padding.PKCS1v15()
            if self.algorithm.startswith("PS"):
                padded = padding.PSS(padding.MGF1(self._digest), self._digest.digest_size)
            return self._rsa.sign(content, padded, self._digest)
        assert self._curve is not None
        r, s = decode_dss_signature(self._curve.sign(content, ec.ECDSA(self._digest)))
        size = (self._curve.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def token(self, claims: dict[str, Any], **header: Any) -> str:
        """A signed token; `header` changes what its header says."""
        head = {"typ": "JWT", "alg": self.algorithm, "kid": self.key_id, **header}
        content = f"{encoded(json.dumps(head).encode())}.{encoded(json.dumps(claims).encode())}"
        return f"{content}.{encoded(self.sign(content.encode()))}"
