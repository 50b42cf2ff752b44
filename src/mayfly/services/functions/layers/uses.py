"""Which contents functions and versions use: they keep their blobs and their trees, whatever becomes of the layers.

Functions of a transaction, called where functions and versions are written: `editing`, `publishing`.
"""

from collections.abc import Sequence
from hashlib import sha256

from mayfly.services.functions.layers import statements
from mayfly.services.functions.model import Layer
from mayfly.store.api import Blobs, Reader, Tx


def tree_of(layers: Sequence[Layer]) -> str:
    """The name of what layers become together, in their order; that of the content where it is one."""
    contents = [layer.sha256 for layer in layers]
    return contents[0] if len(contents) == 1 else sha256("\n".join(contents).encode()).hexdigest()


def held(layers: Sequence[Layer]) -> list[Layer]:
    """Those that hold something: the platform stands in for others."""
    return [layer for layer in layers if layer.sha256]


def put(tx: Tx, blobs: Blobs, name: str, layers: Sequence[Layer], version: str = "") -> None:
    """From now on a function, or a version of it, uses these."""
    layers = held(layers)
    before = {row[0] for row in tx.all(statements.USED_BY_VERSION, {"name": name, "version": version})}
    wanted = {layer.sha256 for layer in layers}
    owner = _owner(name, version)
    for content in wanted - before:
        blobs.link(tx, content, owner)
    for content in before - wanted:
        blobs.unlink(tx, content, owner)
    if before:
        tx.run(statements.DELETE_USES, {"name": name, "version": version})
    if wanted:
        row = {"name": name, "version": version, "tree": tree_of(layers)}
        tx.many(statements.INSERT_USE, [{**row, "content": content} for content in sorted(wanted)])


def forget(tx: Tx, blobs: Blobs, name: str) -> None:
    """A function is gone, with all of its versions."""
    for version, content in tx.all(statements.USED_BY, {"name": name}):
        blobs.unlink(tx, content, _owner(name, version))
    tx.run(statements.DELETE_ALL_USES, {"name": name})


def trees(reader: Reader) -> frozenset[str]:
    """Names of all contents and trees in use."""
    return frozenset(row[0] for row in reader.all(statements.TREES_IN_USE))


def _owner(name: str, version: str) -> str:
    return f"layers-of:{name}:{version}"
