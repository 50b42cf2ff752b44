"""What an ImageUri may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.images.errors import BadReferenceError
from mayfly.images.reference import Reference, own, parse

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("registry.example.org/app:v1", Reference("registry", "registry.example.org/app", "v1")),
        ("127.0.0.1:5000/team/app:v1", Reference("registry", "127.0.0.1:5000/team/app", "v1")),
        ("localhost/app:v1", Reference("registry", "localhost/app", "v1")),
        (f"registry.example.org/app@{DIGEST}", Reference("registry", "registry.example.org/app", None, DIGEST)),
        (f"r.example.org/app:v1@{DIGEST}", Reference("registry", "r.example.org/app", "v1", DIGEST)),
        ("mayfly.local/team/app:v1", Reference("own", "team/app", "v1")),
        ("oci:/srv/images/app:v1", Reference("oci", "/srv/images/app", "v1")),
        ("oci:/srv/images/app", Reference("oci", "/srv/images/app")),
        ("oci-archive:/srv/app.tar:v1", Reference("oci-archive", "/srv/app.tar", "v1")),
        ("docker-archive:/srv/app.tar", Reference("docker-archive", "/srv/app.tar")),
    ],
)
def test_names_an_image(uri: str, expected: Reference) -> None:
    assert parse(uri) == expected
    assert parse(str(expected)) == parse(str(parse(str(expected))))


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "app",
        "app:v1",
        "library/app:v1",
        "registry.example.org/app",
        "registry.example.org/App:v1",
        "registry.example.org/app:v 1",
        "registry.example.org/app@sha256:abc",
        f"registry.example.org/app@sha512:{'a' * 128}",
        "registry.example.org/../app:v1",
        "registry.example.org//app:v1",
        "registry.example.org/app:v1:v2",
        "https://registry.example.org/app:v1",
        "docker://registry.example.org/app:v1",
        "--authfile=/etc/shadow/app:v1",
        "oci:relative/path:v1",
        "oci:/srv/images/app:v/1",
        "oci:/srv/images/a,b:v1",
        "oci:/srv/images/app\0:v1",
        "docker-archive:/srv/app.tar:v1",
        "dir:/srv/app",
        "docker-daemon:app:v1",
    ],
)
def test_names_no_image(uri: str) -> None:
    with pytest.raises(BadReferenceError):
        parse(uri)


@given(st.text(max_size=80))
def test_anything_is_an_image_or_refused(uri: str) -> None:
    try:
        found = parse(uri)
    except BadReferenceError:
        return
    assert not found.place.startswith("-")
    assert parse(str(found)) == found


def test_an_image_is_pinned_by_its_digest_without_its_tag() -> None:
    assert str(parse("r.example.org/app:v1").pinned(DIGEST)) == f"r.example.org/app@{DIGEST}"
    assert str(parse("mayfly.local/app:v1").pinned(DIGEST)) == f"mayfly.local/app@{DIGEST}"


@pytest.mark.parametrize(
    ("name", "place", "tag"),
    [("app", "app", "latest"), ("team/app:v1", "team/app", "v1"), ("mayfly.local/app:v2", "app", "v2")],
)
def test_own_names_may_leave_out_host_and_tag(name: str, place: str, tag: str) -> None:
    assert own(name) == Reference("own", place, tag)


@pytest.mark.parametrize("name", ["", "App", "a:b:c", f"app@{DIGEST}", "../app", "app:", "app:-"])
def test_own_names_have_the_form_of_names(name: str) -> None:
    with pytest.raises(BadReferenceError):
        own(name)
