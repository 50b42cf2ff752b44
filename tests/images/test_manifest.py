"""Manifests, indexes and configurations, as anybody may have written them."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.images import manifest
from mayfly.images.errors import (
    BrokenImageError,
    ImageError,
    ImageNotFoundError,
    ImageTooLargeError,
    UnsupportedImageError,
    WrongArchitectureError,
)
from mayfly.images.manifest import Index, Manifest

OCI = "application/vnd.oci.image"
DOCKER = "application/vnd.docker"
HEX = "0" * 64
BLOB = {"mediaType": f"{OCI}.config.v1+json", "digest": f"sha256:{HEX}", "size": 10}
LAYER = {"mediaType": f"{OCI}.layer.v1.tar+gzip", "digest": f"sha256:{HEX}", "size": 10}


def image(**changes: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "config": BLOB, "layers": [LAYER], **changes}).encode()


def index(*platforms: tuple[str, str]) -> bytes:
    listed = [
        {"digest": f"sha256:{number:064x}", "size": 1, "platform": {"os": os, "architecture": architecture}}
        for number, (os, architecture) in enumerate(platforms)
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": listed}).encode()


def configuration(**changes: Any) -> bytes:
    usual = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [f"sha256:{HEX}"]}}
    return json.dumps({**usual, **changes}).encode()


def read(data: bytes) -> Manifest:
    found = manifest.read_manifest(data)
    assert isinstance(found, Manifest)
    return found


@pytest.mark.parametrize(
    ("media_type", "layer_type"),
    [
        (f"{OCI}.manifest.v1+json", f"{OCI}.layer.v1.tar"),
        (f"{DOCKER}.distribution.manifest.v2+json", f"{DOCKER}.image.rootfs.diff.tar.gzip"),
    ],
)
def test_images_of_both_formats_are_understood(media_type: str, layer_type: str) -> None:
    found = read(image(mediaType=media_type, layers=[{**LAYER, "mediaType": layer_type}]))
    assert [layer.hex for layer in found.layers] == [HEX]


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({"schemaVersion": 1}, UnsupportedImageError, "schema version 1"),
        ({"mediaType": f"{DOCKER}.distribution.manifest.v1+prettyjws"}, UnsupportedImageError, "prettyjws"),
        ({"config": {**BLOB, "mediaType": "application/vnd.cncf.helm.config.v1+json"}}, UnsupportedImageError, "helm"),
        ({"layers": [{**LAYER, "mediaType": f"{OCI}.layer.v1.tar+lz4"}]}, UnsupportedImageError, "lz4"),
        (
            {"layers": [{**LAYER, "mediaType": f"{DOCKER}.image.rootfs.foreign.diff.tar.gzip"}]},
            UnsupportedImageError,
            "foreign",
        ),
        ({"layers": [LAYER] * 128}, ImageTooLargeError, "128 layers"),
        ({"layers": [{**LAYER, "digest": "sha256:../../etc/passwd"}]}, BrokenImageError, "digest"),
        ({"layers": [{**LAYER, "digest": "md5:00"}]}, BrokenImageError, "digest"),
        ({"layers": [{**LAYER, "size": -1}]}, BrokenImageError, "negative"),
        ({"layers": "none"}, BrokenImageError, "manifest"),
        ({"config": {**BLOB, "size": 1 << 30}}, ImageTooLargeError, "configuration"),
    ],
)
def test_what_cannot_be_run_is_refused_by_name(changes: dict[str, Any], kind: type[ImageError], says: str) -> None:
    with pytest.raises(kind, match=says):
        manifest.read_manifest(image(**changes))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"schemaVersion": 2', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenImageError):
        manifest.read_manifest(data)


def test_a_manifest_that_is_too_large_is_not_read() -> None:
    with pytest.raises(ImageTooLargeError):
        manifest.read_manifest(b" " * (manifest.MAX_MANIFEST + 1))


def test_of_an_index_the_image_for_this_machine_is_taken() -> None:
    found = manifest.read_manifest(index(("windows", "amd64"), ("linux", "arm64"), ("linux", "amd64")))
    assert isinstance(found, Index)
    assert manifest.choose(found, "amd64").hex == f"{2:064x}"


def test_an_index_without_an_image_for_this_machine_says_what_there_is() -> None:
    found = manifest.read_manifest(index(("windows", "amd64"), ("linux", "arm64"), ("unknown", "unknown")))
    assert isinstance(found, Index)
    with pytest.raises(
        WrongArchitectureError, match="linux/arm64, unknown/unknown, windows/amd64, not for linux/amd64"
    ):
        manifest.choose(found, "amd64")


def test_a_layout_is_asked_by_tag_unless_it_has_one_image() -> None:
    found = manifest.read_manifest(index(("linux", "amd64"), ("linux", "arm64")))
    assert isinstance(found, Index)
    with pytest.raises(ImageNotFoundError, match="2 images"):
        manifest.tagged(found, None)
    with pytest.raises(ImageNotFoundError, match="no image v1"):
        manifest.tagged(found, "v1")


def test_a_configuration_says_what_to_execute() -> None:
    config = {"Entrypoint": ["/entry"], "Cmd": None, "Env": ["A=1", "B=x=y", "nothing", "=", "A=2"], "WorkingDir": "/w"}
    process = manifest.read_configuration(configuration(config=config), read(image()), "amd64").process
    assert (process.entrypoint, process.cmd, process.working_dir) == (("/entry",), None, "/w")
    assert process.variables() == {"A": "2", "B": "x=y"}


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({"architecture": "arm64"}, WrongArchitectureError, "linux/arm64, not for linux/amd64"),
        ({"os": "windows"}, WrongArchitectureError, "windows/amd64"),
        ({"rootfs": {"type": "layers", "diff_ids": []}}, BrokenImageError, "0 layers"),
        ({"rootfs": {"type": "layers", "diff_ids": ["sha256:../x"]}}, BrokenImageError, "digest"),
        ({"config": {"Env": ["A=\0"]}}, BrokenImageError, "null byte"),
        ({"config": {"Cmd": ["x" * 200_000]}}, ImageTooLargeError, "command"),
        ({"config": {"Cmd": "a string"}}, BrokenImageError, "configuration"),
    ],
)
def test_a_configuration_is_refused_that(changes: dict[str, Any], kind: type[ImageError], says: str) -> None:
    with pytest.raises(kind, match=says):
        manifest.read_configuration(configuration(**changes), read(image()), "amd64")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["schemaVersion", "mediaType", "config", "layers", "manifests", "digest", "size"])
                | st.text(),
                inner,
            )
        ),
    )
)
def test_any_json_is_understood_or_refused(value: Any) -> None:
    with contextlib.suppress(ImageError):
        manifest.read_manifest(json.dumps(value).encode())
