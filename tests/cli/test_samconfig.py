"""What a configuration file of SAM's says, as it is read."""

from pathlib import Path

import pytest

from mayfly.cli.sam_pairs import SamConfigError, pairs
from mayfly.cli.samconfig import USUAL, Choice, application, read

FILE = """
version = 0.1
[default.global.parameters]
stack_name = "shop"
[default.build.parameters]
cached = true
parallel = "false"
[default.deploy.parameters]
parameter_overrides = "Stage=\\"a test\\" Size=\\"512\\""
tags = ["team=web", "cost=7"]
capabilities = "CAPABILITY_IAM"
[default.sync.parameters]
stack_name = "shop-dev"
[prod.deploy.parameters]
stack_name = "shop-prod"
parameter_overrides = ["ParameterKey=Stage,ParameterValue=prod=1"]
"""


def test_the_environment_that_is_asked_for_counts(tmp_path: Path) -> None:
    (tmp_path / "samconfig.toml").write_text(FILE)
    usual = read(tmp_path, USUAL, "deploy")
    assert usual.text("stack_name") == "shop"
    assert usual.pairs("parameter_overrides") == {"Stage": "a test", "Size": "512"}
    assert usual.pairs("tags") == {"team": "web", "cost": "7"}
    prod = read(tmp_path, Choice(environment="prod"), "deploy")
    assert (prod.text("stack_name"), prod.pairs("parameter_overrides")) == ("shop-prod", {"Stage": "prod=1"})
    with pytest.raises(SamConfigError, match="no environment beta; it has default, prod"):
        read(tmp_path, Choice(environment="beta"), "deploy")


def test_what_is_said_of_a_command_counts_before_what_is_said_of_all(tmp_path: Path) -> None:
    (tmp_path / "samconfig.toml").write_text(FILE)
    assert read(tmp_path, USUAL, "build").text("stack_name") == "shop"
    assert read(tmp_path, USUAL, "deploy", "sync").text("stack_name") == "shop-dev"
    build = read(tmp_path, USUAL, "build")
    assert (build.flag("cached"), build.flag("parallel"), build.flag("debug")) == (True, False, None)


def test_what_was_built_has_the_file_of_its_application(tmp_path: Path) -> None:
    assert application(tmp_path / "template.yaml") == tmp_path
    assert application(tmp_path / ".mayfly/build/template.yaml") == tmp_path
    assert application(tmp_path / ".aws-sam/build/template.yaml") == tmp_path


def test_there_may_be_no_file_unless_something_of_it_is_asked_for(tmp_path: Path) -> None:
    assert read(tmp_path, USUAL, "deploy").values == {}
    with pytest.raises(SamConfigError, match=r"no samconfig.toml"):
        read(tmp_path, Choice(environment="prod"), "deploy")
    with pytest.raises(SamConfigError, match=r"there is no .*other.toml"):
        read(tmp_path, Choice(Path("other.toml")), "deploy")
    with pytest.raises(SamConfigError, match=r"ends in \.toml, \.yaml or \.yml"):
        read(tmp_path, Choice(Path("other.json")), "deploy")


def test_a_file_may_be_yaml_and_toml_counts_before_it(tmp_path: Path) -> None:
    (tmp_path / "samconfig.yml").write_text(
        "version: 0.1\ndefault:\n  deploy:\n    parameters:\n      stack_name: shop-yml\n      parameter_overrides:\n"
        "        - Size: 512\n          Names: [a, b]\n          Nothing:\n        - Stage=test\n"
    )
    section = read(tmp_path, USUAL, "deploy")
    assert section.text("stack_name") == "shop-yml"
    told = {"Size": "512", "Names": "a,b", "Nothing": "", "Stage": "test"}
    assert section.pairs("parameter_overrides") == told
    (tmp_path / "samconfig.toml").write_text(FILE)
    assert read(tmp_path, USUAL, "deploy").text("stack_name") == "shop"
    assert read(tmp_path, Choice(Path("samconfig.yml")), "deploy").text("stack_name") == "shop-yml"


@pytest.mark.parametrize(
    ("name", "text"),
    [("samconfig.toml", "x = "), ("samconfig.yaml", "a: ["), ("samconfig.yaml", "- a"), ("samconfig.toml", "\xff")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(SamConfigError, match=name):
        read(tmp_path, USUAL, "deploy")


@pytest.mark.parametrize(
    ("told", "ask"),
    [
        ("stack_name = 7", lambda section: section.text("stack_name")),
        ("cached = 'perhaps'", lambda section: section.flag("cached")),
        ("exclude = [1]", lambda section: section.texts("exclude")),
        ("tags = 'team'", lambda section: section.pairs("tags")),
    ],
)
def test_a_value_of_another_kind_is_named_with_its_file(tmp_path: Path, told: str, ask: object) -> None:
    (tmp_path / "samconfig.toml").write_text(f"[default.deploy.parameters]\n{told}\n")
    assert callable(ask)
    with pytest.raises(SamConfigError, match=rf"{told.split(maxsplit=1)[0]} of .*samconfig.toml"):
        ask(read(tmp_path, USUAL, "deploy"))


def test_pairs_are_read_as_sam_writes_them() -> None:
    assert pairs(["A=1 B='two words'", "ParameterKey=C,ParameterValue=x,y"]) == {"A": "1", "B": "two words", "C": "x,y"}
    assert pairs({"A": "two words", "B": [1, "2 "]}) == {"A": "two words", "B": "1,2"}
    with pytest.raises(SamConfigError, match="'A' is not KEY=VALUE"):
        pairs(["A"])


def test_pairs_may_stand_in_files_that_include_others(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "all.yaml").write_text("- A: 1\n- $include: file://more/some.toml\n")
    (tmp_path / "more" / "some.toml").write_text('A = "2"\n"$include" = ["file://last.yaml", "C=3"]\n')
    (tmp_path / "more" / "last.yaml").write_text("B: x y\n")
    assert pairs(f"file://{tmp_path}/all.yaml") == {"A": "2", "B": "x y", "C": "3"}
    (tmp_path / "more" / "last.yaml").write_text("$include: file://some.toml\n")
    with pytest.raises(SamConfigError, match=r"some.toml includes itself"):
        pairs(f"file://{tmp_path}/all.yaml")
    with pytest.raises(SamConfigError, match="cannot read"):
        pairs(f"file://{tmp_path}/none.yaml")
