"""Local code of templates: what is packaged, and how."""

import zipfile
from pathlib import Path
from typing import Any

import pytest

from mayfly.cli.dependencies import Installer
from mayfly.cli.keeping import Kept
from mayfly.cli.packaging import Packager, Wanted
from mayfly.cli.templates import LocalCode, TemplateFileError, local_code


def found(tmp_path: Path, kind: str, metadata: dict[str, Any] | None = None, **properties: Any) -> list[LocalCode]:
    resource = {"Type": kind, "Properties": properties, "Metadata": metadata or {}}
    return list(local_code({"Resources": {"L": resource}}, tmp_path))


def test_the_content_of_layers_is_local_code_with_its_requirements_below_python(tmp_path: Path) -> None:
    for kind, member in (("AWS::Serverless::LayerVersion", "ContentUri"), ("AWS::Lambda::LayerVersion", "Content")):
        content: dict[str, Any] = {member: "layer"}
        (one,) = found(tmp_path, kind, CompatibleRuntimes=["nodejs22.x", "python3.13"], **content)
        assert one == LocalCode("L", Wanted(tmp_path / "layer", "python3.13", dependencies_below="python"))
    assert found(tmp_path, "AWS::Serverless::LayerVersion", ContentUri="s3://bucket/key") == []
    assert found(tmp_path, "AWS::Lambda::LayerVersion", Content={"S3Bucket": "b", "S3Key": "k"}) == []


def test_a_build_method_of_python_moves_all_of_a_layer_unless_that_was_done(tmp_path: Path) -> None:
    metadata = {"BuildMethod": "python3.12"}
    (one,) = found(tmp_path, "AWS::Serverless::LayerVersion", metadata, ContentUri="layer")
    assert (one.wanted.runtime, one.wanted.below) == ("python3.12", "python")
    (tmp_path / "layer/python").mkdir(parents=True)
    (built,) = found(tmp_path, "AWS::Serverless::LayerVersion", metadata, ContentUri="layer")
    assert built.wanted.below == ""


def test_another_build_method_is_refused_unless_it_was_carried_out(tmp_path: Path) -> None:
    metadata = {"BuildMethod": "java21"}
    with pytest.raises(TemplateFileError, match=r"L has the BuildMethod java21"):
        found(tmp_path, "AWS::Serverless::LayerVersion", metadata, ContentUri="layer")
    (tmp_path / "layer/java").mkdir(parents=True)
    (built,) = found(tmp_path, "AWS::Serverless::LayerVersion", metadata, ContentUri="layer")
    assert built.wanted.below == ""


def test_a_package_can_be_put_into_a_folder_of_its_zip(tmp_path: Path) -> None:
    (tmp_path / "layer").mkdir()
    (tmp_path / "layer/mine.py").write_text("")
    kept = Kept(tmp_path / "cache")
    packager = Packager(kept, Installer(kept, tmp_path, lambda _: None), lambda _: None)
    plain = packager.package(Wanted(tmp_path / "layer")).path
    below = packager.package(Wanted(tmp_path / "layer", below="python")).path
    with zipfile.ZipFile(plain) as one, zipfile.ZipFile(below) as other:
        assert (one.namelist(), other.namelist()) == (["mine.py"], ["python/mine.py"])


def test_code_that_is_a_single_file_is_packaged_alone(tmp_path: Path) -> None:
    (tmp_path / "function.py").write_text("one = 1\n")
    (tmp_path / "beside.py").write_text("")
    kept = Kept(tmp_path / "cache")
    packager = Packager(kept, Installer(kept, tmp_path, lambda _: None), lambda _: None)
    (one,) = found(tmp_path, "AWS::Serverless::Function", CodeUri="function.py", Runtime="python3.12")
    made = packager.package(one.wanted).path
    with zipfile.ZipFile(made) as archive:
        assert (archive.namelist(), archive.read("function.py")) == (["function.py"], b"one = 1\n")
    assert packager.package(one.wanted).path == made
    (tmp_path / "function.py").write_text("one = 2\n")
    changed = packager.package(one.wanted).path
    assert changed != made
    assert packager.package(Wanted(changed)).path == changed
