"""Images from a real registry, through skopeo."""

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mayfly.images.errors import (
    BrokenImageError,
    ImageDeniedError,
    ImageNotFoundError,
    ImagesUnavailableError,
    UnsupportedImageError,
    WrongArchitectureError,
)
from tests.images import registry as registries
from tests.images.builder import ELSEWHERE, HERE, LayoutBuilder, by_zstd, layer
from tests.images.conftest import OpenImages
from tests.images.registry import RunningRegistry

HELLO = layer(("hello", b"hello"))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with registries.running(tmp_path_factory.mktemp("registry")) as running:
        yield running


def blobs_of(registry_data: Path) -> list[Path]:
    return list(registry_data.rglob("data"))


async def test_an_image_is_pinned_to_the_digest_that_its_tag_has_now(
    open_images: OpenImages, layout: LayoutBuilder, registry: RunningRegistry
) -> None:
    images = await open_images(insecure_registries=(registry.host,))
    digest = layout.tag("v1", layout.image([HELLO], {"Cmd": ["/hello"]}))
    uri = registry.push(layout.root, "v1", "app:moves")
    resolved = await images.resolve(uri)
    assert resolved.pinned == f"{registry.host}/app@{digest}"
    layout.tag("v2", layout.image([layer(("hello", b"other"))]))
    registry.push(layout.root, "v2", "app:moves")
    image = await images.prepare(resolved)
    assert image.process.cmd == ("/hello",)
    assert (images.root(resolved.digest) / "hello").read_bytes() == b"hello"
    assert (await images.resolve(uri)).digest != resolved.digest
    assert (await images.resolve(resolved.pinned)).digest == resolved.digest


async def test_dockers_format_keeps_the_digest_that_the_registry_knows(
    open_images: OpenImages, layout: LayoutBuilder, registry: RunningRegistry
) -> None:
    images = await open_images(insecure_registries=(registry.host,))
    layout.tag("v1", layout.image([HELLO], {"Entrypoint": ["/hello"]}))
    uri = registry.push(layout.root, "v1", "docker:v1", "--format", "v2s2")
    resolved = await images.resolve(uri)
    assert f"sha256:{resolved.digest}" == registry.digest(uri)
    assert (await images.prepare(resolved)).process.entrypoint == ("/hello",)


async def test_layers_that_are_kept_are_not_fetched_again(
    open_images: OpenImages, layout: LayoutBuilder, registry: RunningRegistry, tmp_path: Path
) -> None:
    images = await open_images(insecure_registries=(registry.host,))
    layout.tag("v1", layout.image([HELLO]))
    layout.tag("v2", layout.image([HELLO, layer(("more", b"more"))]))
    await images.prepare(await images.resolve(registry.push(layout.root, "v1", "shares:v1")))
    second = await images.resolve(registry.push(layout.root, "v2", "shares:v2"))
    image = await images.prepare(second)
    assert image.layers[0].size == len(HELLO.stored)
    assert {path.name for path in images.root(second.digest).iterdir()} >= {"hello", "more"}


async def test_a_layer_that_is_not_compressed_is_taken_as_it_is(
    open_images: OpenImages, layout: LayoutBuilder, registry: RunningRegistry
) -> None:
    images = await open_images(insecure_registries=(registry.host,))
    layout.tag("v1", layout.image([layer(("hello", b"plain"), compressed=False)]))
    uri = registry.push(layout.root, "v1", "plain:v1", "--preserve-digests")
    resolved = await images.resolve(uri)
    await images.prepare(resolved)
    assert (images.root(resolved.digest) / "hello").read_bytes() == b"plain"


async def test_a_list_of_manifests_is_resolved_to_the_one_for_this_machine(
    open_images: OpenImages, layout: LayoutBuilder, registry: RunningRegistry
) -> None:
    images = await open_images(insecure_registries=(registry.host,))
    here, there = layout.image([HELLO]), layout.image([HELLO], architecture=ELSEWHERE)
    layout.tag("both", layout.index((there, ELSEWHERE), (here, HERE)))
    layout.tag("other", layout.index((there, ELSEWHERE)))
    resolved = await images.resolve(registry.push(layout.root, "both", "list:both", "--all"))
    assert f"sha256:{resolved.digest}" == here["digest"]
    await images.prepare(resolved)
    uri = registry.push(layout.root, "other", "list:other", "--all")
    with pytest.raises(WrongArchitectureError, match=f"linux/{ELSEWHERE}"):
        await images.resolve(uri)


async def test_an_image_for_another_machine_is_found_out_when_it_is_prepared(
    open_images: OpenImages, layout: LayoutBuilder, registry: RunningRegistry
) -> None:
    images = await open_images(insecure_registries=(registry.host,))
    layout.tag("v1", layout.image([HELLO], architecture=ELSEWHERE))
    resolved = await images.resolve(registry.push(layout.root, "v1", "other:v1"))
    with pytest.raises(WrongArchitectureError):
        await images.prepare(resolved)


async def test_a_layer_of_a_kind_that_cannot_be_unpacked_is_refused_before_it_is_fetched(
    open_images: OpenImages, layout: LayoutBuilder, registry: RunningRegistry
) -> None:
    images = await open_images(insecure_registries=(registry.host,))
    squeezed = layer(("hello", b"hello"))
    squeezed.media_type = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"
    layout.tag("v1", layout.image([squeezed]))
    uri = registry.push(layout.root, "v1", "sealed:v1", "--preserve-digests")
    with pytest.raises(UnsupportedImageError, match="encrypted"):
        await images.resolve(uri)


async def test_layers_that_are_compressed_by_zstd_are_fetched_and_unpacked(
    open_images: OpenImages, layout: LayoutBuilder, registry: RunningRegistry
) -> None:
    images = await open_images(insecure_registries=(registry.host,))
    layout.tag("v1", layout.image([by_zstd(layer(("hello", b"hello")))]))
    resolved = await images.resolve(registry.push(layout.root, "v1", "zstd:v1", "--preserve-digests"))
    await images.prepare(resolved)
    assert (images.root(resolved.digest) / "hello").read_bytes() == b"hello"


async def test_what_a_registry_does_not_have(open_images: OpenImages, registry: RunningRegistry) -> None:
    images = await open_images(insecure_registries=(registry.host,))
    for name in ("nothing:v1", f"nothing@sha256:{'0' * 64}"):
        with pytest.raises(ImageNotFoundError):
            await images.resolve(f"{registry.host}/{name}")


async def test_plain_http_needs_the_operators_word(open_images: OpenImages, registry: RunningRegistry) -> None:
    images = await open_images()
    with pytest.raises(ImagesUnavailableError, match=f"--insecure-registry {registry.host}"):
        await images.resolve(f"{registry.host}/app:v1")


async def test_the_operator_may_say_which_registries_are_asked(
    open_images: OpenImages, layout: LayoutBuilder, registry: RunningRegistry
) -> None:
    layout.tag("v1", layout.image([HELLO]))
    uri = registry.push(layout.root, "v1", "allowed:v1")
    images = await open_images(insecure_registries=(registry.host,), registries=("registry.example.org",))
    with pytest.raises(ImageDeniedError, match="the operator allows images from"):
        await images.resolve(uri)
    images = await open_images(insecure_registries=(registry.host,), registries=(registry.host,))
    await images.resolve(uri)


async def test_a_registry_that_does_not_answer_is_the_platforms_trouble(open_images: OpenImages) -> None:
    images = await open_images(insecure_registries=("127.0.0.1:9",))
    with pytest.raises(ImagesUnavailableError, match="cannot be reached"):
        await images.resolve("127.0.0.1:9/app:v1")


async def test_an_image_deleted_before_it_was_fetched_is_gone(
    open_images: OpenImages, layout: LayoutBuilder, registry: RunningRegistry
) -> None:
    images = await open_images(insecure_registries=(registry.host,))
    layout.tag("v1", layout.image([layer(("only", b"here"))]))
    resolved = await images.resolve(registry.push(layout.root, "v1", "deleted:v1"))
    registry.delete(resolved.pinned)
    with pytest.raises(ImageNotFoundError):
        await images.prepare(resolved)


async def test_a_blob_that_was_altered_in_the_registry_is_noticed(
    open_images: OpenImages, layout: LayoutBuilder, tmp_path: Path
) -> None:
    broken = layer(("only", b"in this one"))
    with registries.running(tmp_path / "registry") as registry:
        images = await open_images(insecure_registries=(registry.host,))
        image = layout.image([broken])
        layout.tag("v1", image)
        uri = registry.push(layout.root, "v1", "altered:v1")
        resolved = await images.resolve(uri)
        altered = 0
        for path in blobs_of(tmp_path / "registry" / "data"):
            if await asyncio.to_thread(path.read_bytes) == broken.stored:
                path.write_bytes(layer(("only", b"in that one")).stored)
                altered += 1
        assert altered == 1
        with pytest.raises(BrokenImageError):
            await images.prepare(resolved)


async def test_credentials_are_the_operators(open_images: OpenImages, layout: LayoutBuilder, tmp_path: Path) -> None:
    layout.tag("v1", layout.image([HELLO]))
    password = tmp_path / "htpasswd"
    # bcrypt of "secret", as htpasswd writes it
    password.write_text("me:$2b$05$8A26vk9NOs3SNN3J5JXBjOfXz2JiCsl0GvyZs4GoFt7DGZQ8cS8Qm\n")
    more = f"auth: {{htpasswd: {{realm: test, path: {password}}}}}\n"
    with registries.running(tmp_path / "registry", more) as registry:
        auth = tmp_path / "auth.json"
        auth.write_text(json.dumps({"auths": {registry.host: {"auth": base64.b64encode(b"me:secret").decode()}}}))
        auth.chmod(0o600)
        uri = registry.push(layout.root, "v1", "app:v1", "--authfile", str(auth))
        strangers = await open_images(insecure_registries=(registry.host,))
        with pytest.raises(ImageDeniedError):
            await strangers.resolve(uri)
        images = await open_images(insecure_registries=(registry.host,), auth_file=auth)
        await images.prepare(await images.resolve(uri))
