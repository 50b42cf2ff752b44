"""Checksums: known answers, chunking, combination."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services import checksums

# Check values of the CRC catalogue (reveng) and of the hashes' own test suites, for "123456789".
KNOWN = {
    "CRC32": "cbf43926",
    "CRC32C": "e3069283",
    "CRC64NVME": "ae8b14860a799888",
    "SHA1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "SHA256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
    "MD5": "25f9e794323b453885f5181f1b624d0b",
    "XXHASH64": "8cb841db40e6ae83",
}


@pytest.mark.parametrize("algorithm", sorted(KNOWN))
def test_known_answers(algorithm: str) -> None:
    checksum = checksums.new_checksum(algorithm)
    checksum.update(b"123456789")
    assert checksum.digest().hex() == KNOWN[algorithm]


@given(st.sampled_from(checksums.ALGORITHMS), st.lists(st.binary(max_size=100), max_size=8))
def test_a_checksum_does_not_depend_on_how_the_bytes_are_cut(algorithm: str, pieces: list[bytes]) -> None:
    cut = checksums.new_checksum(algorithm)
    for piece in pieces:
        cut.update(piece)
        cut.digest()
    whole = checksums.new_checksum(algorithm)
    whole.update(b"".join(pieces))
    assert cut.digest() == whole.digest()
    assert len(cut.digest()) == checksums.SIZES[algorithm]


@given(st.sampled_from(sorted(checksums.COMBINABLE)), st.binary(max_size=200), st.binary(max_size=200))
def test_combining_two_checksums_gives_that_of_the_concatenation(algorithm: str, first: bytes, second: bytes) -> None:
    def digest(data: bytes) -> bytes:
        checksum = checksums.new_checksum(algorithm)
        checksum.update(data)
        return checksum.digest()

    combined = checksums.combine(algorithm, digest(first), digest(second), len(second))
    assert combined == digest(first + second)


@given(st.sampled_from(checksums.ALGORITHMS), st.binary(max_size=40))
def test_decode_takes_only_base64_of_the_right_size(algorithm: str, data: bytes) -> None:
    fits = len(data) == checksums.SIZES[algorithm]
    assert checksums.decode(algorithm, checksums.encode(data)) == (data if fits else None)
    assert checksums.decode(algorithm, "not base64!") is None


def test_header_names_lead_back_to_their_algorithms() -> None:
    for algorithm in checksums.ALGORITHMS:
        assert checksums.algorithm_of_header(checksums.header(algorithm)) == algorithm
    assert checksums.algorithm_of_header("x-amz-checksum-type") is None
    assert checksums.algorithm_of_header("crc32") is None
