"""What is known of images that are kept, and the platform's own names for them; between rows and values."""

from typing import NamedTuple

import msgspec

from mayfly.images.manifest import Configuration, Process
from mayfly.store.api import Blobs, Reader, Tx

_FIND = "SELECT document FROM images_image WHERE digest = :digest"
_ALL = "SELECT document FROM images_image"
_INSERT = """
INSERT INTO images_image (digest, document) VALUES (:digest, :document) ON CONFLICT (digest) DO NOTHING
"""
_DELETE = "DELETE FROM images_image WHERE digest = :digest AND digest NOT IN (SELECT digest FROM images_tag)"
_TAGGED = "SELECT digest FROM images_tag WHERE name = :name AND tag = :tag"
_TAGS = """
SELECT t.name, t.tag, t.digest, t.changed_at, i.document
FROM images_tag AS t JOIN images_image AS i ON i.digest = t.digest
ORDER BY t.name, t.tag
LIMIT :limit
"""
_TAG = """
INSERT INTO images_tag (name, tag, digest, changed_at) VALUES (:name, :tag, :digest, :now)
ON CONFLICT (name, tag) DO UPDATE SET digest = excluded.digest, changed_at = excluded.changed_at
"""
_UNTAG = "DELETE FROM images_tag WHERE name = :name AND tag = :tag"
_NAMED = "SELECT DISTINCT digest FROM images_tag"


class Layer(msgspec.Struct, frozen=True):
    """One layer of an image, as it is kept."""

    digest: str  # of the blob, hexadecimal
    size: int  # bytes of the blob
    diff_id: str  # of what is in it, uncompressed; hexadecimal


class Image(msgspec.Struct, frozen=True, omit_defaults=True):
    """An image whose layers are kept."""

    digest: str  # of its manifest, where it came from; hexadecimal
    architecture: str
    process: Process
    layers: tuple[Layer, ...]

    @property
    def size(self) -> int:
        """Bytes of its layers as they are kept."""
        return sum(layer.size for layer in self.layers)


class Named(NamedTuple):
    """One of the platform's own names."""

    name: str
    tag: str
    changed_at: float
    image: Image


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Image).decode


def of(digest: str, configuration: Configuration, layers: tuple[Layer, ...]) -> Image:
    return Image(digest, configuration.architecture, configuration.process, layers)


def find(reader: Reader, digest: str) -> Image | None:
    row = reader.one(_FIND, {"digest": digest})
    return _decode(row[0]) if row else None


def everything(reader: Reader) -> list[Image]:
    return [_decode(row[0]) for row in reader.all(_ALL)]


def add(tx: Tx, blobs: Blobs, image: Image) -> None:
    """Keep an image whose layers are stored; `BlobNotFoundError` when one is not, or no longer."""
    for layer in image.layers:
        blobs.link(tx, layer.digest, _owner(image.digest))
    tx.run(_INSERT, {"digest": image.digest, "document": _encode(image).decode()})


def drop(tx: Tx, blobs: Blobs, image: Image) -> bool:
    """Keep it no longer; False where it has a name."""
    if tx.run(_DELETE, {"digest": image.digest}) == 0:
        return False
    for layer in image.layers:
        blobs.unlink(tx, layer.digest, _owner(image.digest))
    return True


def tagged(reader: Reader, name: str, tag: str) -> str | None:
    """The digest behind a name."""
    row = reader.one(_TAGGED, {"name": name, "tag": tag})
    return row[0] if row else None


def tag(tx: Tx, name: str, tag: str, digest: str, now: float) -> None:
    tx.run(_TAG, {"name": name, "tag": tag, "digest": digest, "now": now})


def untag(tx: Tx, name: str, tag: str) -> bool:
    return tx.run(_UNTAG, {"name": name, "tag": tag}) == 1


def tags(reader: Reader, limit: int) -> list[Named]:
    rows = reader.all(_TAGS, {"limit": limit})
    return [Named(row[0], row[1], row[3], _decode(row[4])) for row in rows]


def named(reader: Reader) -> frozenset[str]:
    """Digests of all images that have a name."""
    return frozenset(row[0] for row in reader.all(_NAMED))


def _owner(digest: str) -> str:
    return f"image:{digest}"
