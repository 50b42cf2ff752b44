"""Signatures of JSON Web Tokens (RFC 7518): imported by `tokens` with the first of them."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from mayfly.services.apis.authorizers.tokens import Token, TokenError, decoded

_HASHES: Final[dict[str, Callable[[], hashes.HashAlgorithm]]] = {
    "256": hashes.SHA256,
    "384": hashes.SHA384,
    "512": hashes.SHA512,
}
_CURVES: Final[dict[str, tuple[str, type[ec.EllipticCurve], int]]] = {
    "ES256": ("P-256", ec.SECP256R1, 32),
    "ES384": ("P-384", ec.SECP384R1, 48),
    "ES512": ("P-521", ec.SECP521R1, 66),
}
_LEAST_RSA_BITS: Final = 2048


def check(token: Token, key: Mapping[str, Any]) -> None:
    """`TokenError` unless the holder of `key`, a JSON Web Key, has signed the token."""
    if key.get("use", "sig") != "sig" or key.get("alg", token.algorithm) != token.algorithm:
        raise TokenError("the key of the token is not for its signing method")
    try:
        if token.algorithm.startswith("ES"):
            _check_curve(token, key)
        else:
            _check_rsa(token, key)
    except InvalidSignature:
        raise TokenError("signature is invalid") from None
    except (KeyError, TypeError, ValueError):
        raise TokenError("the key of the token is not usable") from None


def _check_rsa(token: Token, key: Mapping[str, Any]) -> None:
    if key["kty"] != "RSA":
        raise TokenError("the key of the token is not for its signing method")
    public = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
    if public.key_size < _LEAST_RSA_BITS:
        raise TokenError("the key of the token is too short")
    digest = _HASHES[token.algorithm[2:]]()
    padded: padding.AsymmetricPadding = padding.PKCS1v15()
    if token.algorithm.startswith("PS"):
        padded = padding.PSS(padding.MGF1(digest), digest.digest_size)
    public.verify(token.signature, token.signed, padded, digest)


def _check_curve(token: Token, key: Mapping[str, Any]) -> None:
    name, curve, size = _CURVES[token.algorithm]
    if key["kty"] != "EC" or key["crv"] != name or len(token.signature) != 2 * size:
        raise TokenError("the key of the token is not for its signing method")
    public = ec.EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), curve()).public_key()
    r, s = token.signature[:size], token.signature[size:]
    signature = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    public.verify(signature, token.signed, ec.ECDSA(_HASHES[token.algorithm[2:]]()))


def _number(text: Any) -> int:
    if not isinstance(text, str):
        raise TypeError("a number of a key is text")
    return int.from_bytes(decoded(text), "big")
