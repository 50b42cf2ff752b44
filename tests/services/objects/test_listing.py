"""ListObjects and ListObjectsV2, and the walk below them against a naive model."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mayfly.services.objects import listing
from mayfly.services.objects.listing import Page, Position, Query

from .conftest import Caller, failure

# Few characters, so that prefixes and delimiters meet; among them neighbours of the surrogates and the last one.
KEYS = st.text(alphabet="ab/\ud7ff\ue000\U0010ffff", min_size=1, max_size=6)
PIECES = st.text(alphabet="ab/\ud7ff\U0010ffff", max_size=3)


class Item(NamedTuple):
    key: str


class Shelf:
    """Sorted keys that count how many rows were read."""

    def __init__(self, keys: set[str]) -> None:
        self.keys = sorted(keys)
        self.read = 0
        self.fetches = 0

    def fetch(self, position: Position, stop: str | None, count: int) -> Sequence[Item]:
        rows = [Item(key) for key in self.keys if key >= position.key and (stop is None or key < stop)][:count]
        self.read += len(rows)
        self.fetches += 1
        return rows


def walk(shelf: Shelf, prefix: str, delimiter: str, marker: str, limit: int) -> Page[Item]:
    query = Query(prefix, delimiter, listing.first_position(prefix, delimiter, marker), limit)
    return listing.walk(shelf.fetch, query, lambda item: Position(item.key + "\0"))


def naive(keys: set[str], prefix: str, delimiter: str, marker: str) -> list[str]:
    entries = set()
    for key in keys:
        if key.startswith(prefix):
            head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            entries.add(prefix + head + found if found else key)
    return sorted(entry for entry in entries if entry > marker)


def names(page: Page[Item]) -> list[str]:
    return [entry if isinstance(entry, str) else entry.key for entry in page.entries]


@settings(deadline=None)
@given(
    st.sets(KEYS, max_size=40), PIECES, st.sampled_from(["", "/", "a", "ab", "\U0010ffff"]), PIECES, st.integers(0, 9)
)
def test_a_page_is_what_a_naive_listing_begins_with(
    keys: set[str], prefix: str, delimiter: str, marker: str, limit: int
) -> None:
    page = walk(Shelf(keys), prefix, delimiter, marker, limit)
    expected = naive(keys, prefix, delimiter, marker)
    assert names(page) == expected[:limit]
    assert page.truncated == (limit > 0 and len(expected) > limit)


@settings(deadline=None)
@given(st.sets(KEYS, max_size=40), PIECES, st.sampled_from(["", "/", "a"]), st.integers(1, 5))
def test_pages_put_together_are_the_listing(keys: set[str], prefix: str, delimiter: str, limit: int) -> None:
    shelf, marker, found = Shelf(keys), "", []
    while True:
        page = walk(shelf, prefix, delimiter, marker, limit)
        found += names(page)
        if not page.truncated:
            break
        marker = found[-1]
    assert found == naive(keys, prefix, delimiter, "")


@settings(deadline=None)
@given(KEYS, KEYS)
def test_what_is_behind_a_prefix_is_above_all_that_begins_with_it(prefix: str, rest: str) -> None:
    bound = listing.behind(prefix)
    if bound is None:
        assert set(prefix) == {"\U0010ffff"}
    else:
        assert prefix < prefix + rest < bound
        assert not bound.startswith(prefix)
        bound.encode()


@settings(deadline=None)
@given(st.lists(st.text(max_size=4), max_size=8))
def test_python_sorts_keys_as_their_bytes(texts: list[str]) -> None:
    assert sorted(texts) == sorted(texts, key=lambda text: text.encode("utf-8", "surrogatepass"))


def test_common_prefixes_are_jumped_over_and_not_read() -> None:
    shelf = Shelf({f"{folder:02d}/{number:04d}" for folder in range(10) for number in range(2000)})
    page = walk(shelf, "", "/", "", 1000)
    assert names(page) == [f"{folder:02d}/" for folder in range(10)]
    assert shelf.read < 1500


def test_many_small_folders_are_read_in_few_bites() -> None:
    shelf = Shelf({f"{folder:04d}/only" for folder in range(1000)})
    assert len(names(walk(shelf, "", "/", "", 1000))) == 1000
    assert shelf.fetches < 5


# --- through the operations


async def fill(s3: Caller, *keys: str) -> None:
    for key in keys:
        await s3.put(key, b"x")


def keys_of(reply: dict[str, Any]) -> list[str]:
    return [item["Key"] for item in reply.get("Contents", ())]


def prefixes_of(reply: dict[str, Any]) -> list[str]:
    return [item["Prefix"] for item in reply.get("CommonPrefixes", ())]


async def test_keys_come_in_the_order_of_their_bytes(s3: Caller) -> None:
    await fill(s3, "b", "a", "é", "Z", "\U0001f600", "\uffff")
    reply = await s3("ListObjectsV2", Bucket="bucket")
    assert keys_of(reply) == ["Z", "a", "b", "é", "\uffff", "\U0001f600"]
    assert (reply["KeyCount"], reply["IsTruncated"], reply["MaxKeys"]) == (6, False, 1000)


async def test_a_listed_object_shows_what_is_known_of_it(s3: Caller) -> None:
    put = await s3.put("key")
    (item,) = (await s3("ListObjectsV2", Bucket="bucket", FetchOwner=True))["Contents"]
    assert (item["Key"], item["Size"], item["ETag"], item["StorageClass"]) == ("key", 5, put["ETag"], "STANDARD")
    assert (item["ChecksumAlgorithm"], item["ChecksumType"]) == (["CRC64NVME"], "FULL_OBJECT")
    assert len(item["Owner"]["ID"]) == 64
    (bare,) = (await s3("ListObjectsV2", Bucket="bucket"))["Contents"]
    assert "Owner" not in bare


async def test_keys_and_common_prefixes_count_alike_towards_a_page(s3: Caller) -> None:
    await fill(s3, "a", "b/1", "b/2", "c", "d/1")
    first = await s3("ListObjectsV2", Bucket="bucket", Delimiter="/", MaxKeys=2)
    assert (keys_of(first), prefixes_of(first), first["KeyCount"], first["IsTruncated"]) == (["a"], ["b/"], 2, True)
    second = await s3(
        "ListObjectsV2",
        Bucket="bucket",
        Delimiter="/",
        MaxKeys=2,
        ContinuationToken=first["NextContinuationToken"],
    )
    assert (keys_of(second), prefixes_of(second), second["IsTruncated"]) == (["c"], ["d/"], False)
    assert second["ContinuationToken"] == first["NextContinuationToken"]


async def test_a_prefix_and_a_start_narrow_the_listing(s3: Caller) -> None:
    await fill(s3, "photos/2023/a", "photos/2024/b", "photos/readme", "videos/c")
    reply = await s3("ListObjectsV2", Bucket="bucket", Prefix="photos/", Delimiter="/", StartAfter="photos/2023/")
    assert (prefixes_of(reply), keys_of(reply)) == (["photos/2024/"], ["photos/readme"])
    assert reply["StartAfter"] == "photos/2023/"


async def test_the_first_version_pages_with_markers(s3: Caller) -> None:
    await fill(s3, "a", "b/1", "b/2", "c")
    first = await s3("ListObjects", Bucket="bucket", Delimiter="/", MaxKeys=2)
    assert (keys_of(first), prefixes_of(first), first["NextMarker"]) == (["a"], ["b/"], "b/")
    second = await s3("ListObjects", Bucket="bucket", Delimiter="/", MaxKeys=2, Marker=first["NextMarker"])
    assert (keys_of(second), prefixes_of(second), second["IsTruncated"]) == (["c"], [], False)
    assert "NextMarker" not in await s3("ListObjects", Bucket="bucket", MaxKeys=1)
    assert "Owner" in first["Contents"][0]


async def test_keys_are_percent_encoded_on_request(s3: Caller) -> None:
    await fill(s3, "a b/c+d%é\n", "x\x01/y")
    reply = await s3("ListObjectsV2", Bucket="bucket", EncodingType="url")
    assert keys_of(reply) == ["a+b/c%2Bd%25%C3%A9%0A", "x%01/y"]
    folded = await s3("ListObjectsV2", Bucket="bucket", EncodingType="url", Delimiter="/", Prefix="x")
    assert (prefixes_of(folded), folded["EncodingType"]) == (["x%01/"], "url")


@pytest.mark.parametrize(
    "wrong",
    [
        {"ContinuationToken": "Mf8="},
        {"MaxKeys": -1},
        {"EncodingType": "base64"},
        {"ContinuationToken": "?"},
        {"ContinuationToken": ""},
    ],
)
async def test_a_bad_parameter_is_an_invalid_argument(s3: Caller, wrong: dict[str, Any]) -> None:
    assert (await failure(s3("ListObjectsV2", Bucket="bucket", **wrong))).code == "InvalidArgument"


async def test_more_than_a_thousand_keys_take_more_than_a_page(s3: Caller) -> None:
    columns = "bucket, key, version, size, etag, modified_at, digest, part_count"
    rest = "checksum_algorithm, checksum_type, checksum_value, headers, metadata, tags"
    values = "'bucket', :key, :key, 1, 'e', 1, 'd', 0, '', '', '', '{}', '{}', '[]'"
    rows = [{"key": f"{number:05d}"} for number in range(2500)]
    sql = f"INSERT INTO objects_objects ({columns}, {rest}) VALUES ({values})"
    await s3.store.write(lambda tx: tx.many(sql, rows))
    found: list[str] = []
    more: dict[str, Any] = {}
    pages = 0
    while True:
        reply = await s3("ListObjectsV2", Bucket="bucket", MaxKeys=5000, **more)
        found += keys_of(reply)
        pages += 1
        if not reply["IsTruncated"]:
            break
        more = {"ContinuationToken": reply["NextContinuationToken"]}
    assert (found, pages) == ([row["key"] for row in rows], 3)
    assert (await s3("ListObjectsV2", Bucket="bucket", MaxKeys=0))["IsTruncated"] is False
