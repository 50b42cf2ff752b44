"""The AWS CLI's high-level commands, which lean on listings, multipart uploads and copies."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .door import ACCESS_KEY, SECRET, Door, open_door

Run = Callable[..., str]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with open_door(tmp_path_factory.mktemp("door")) as opened:
        yield opened


@pytest.fixture
def aws(door: Door, tmp_path: Path) -> Run:
    """`aws("s3", "ls")`: what the command prints; it must succeed."""

    def run(*arguments: str) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": door.url,
        }
        command = [str(Path(sys.executable).with_name("aws")), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_a_folder_is_synchronised_up_and_down_and_its_bucket_removed(aws: Run, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "deep").mkdir(parents=True)
    (here / "a b.txt").write_text("one")
    (here / "deep" / "é.txt").write_text("two")
    (here / "big").write_bytes(os.urandom(9 * 1024**2))  # above the CLI's threshold for multipart uploads
    for name in ("a b.txt", "deep/é.txt", "big"):
        # S3 keeps whole seconds, so that a file uploaded within the second of its last change looks changed to the CLI.
        os.utime(here / name, (1_700_000_000, 1_700_000_000))
    aws("s3", "mb", "s3://folder")
    aws("s3", "sync", str(here), "s3://folder/copy")
    assert aws("s3", "sync", str(here), "s3://folder/copy") == ""
    assert "PRE deep/" in aws("s3", "ls", "s3://folder/copy/")
    aws("s3", "sync", "s3://folder/copy", str(there))
    for name in ("a b.txt", "deep/é.txt", "big"):
        assert (there / name).read_bytes() == (here / name).read_bytes()
    aws("s3", "mv", "s3://folder/copy/big", "s3://folder/moved")
    assert "moved" in aws("s3", "ls", "s3://folder")
    aws("s3", "rb", "--force", "s3://folder")
    assert "folder" not in aws("s3", "ls")
