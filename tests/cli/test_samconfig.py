"""What samconfig.toml says of a deployment."""

from pathlib import Path

import pytest

from mayfly.cli.samconfig import SamConfigError, Told, pairs, read

FILE = """
version = 0.1
[default.global.parameters]
stack_name = "shop"
[default.deploy.parameters]
parameter_overrides = "Stage=\\"a test\\" Size=\\"512\\""
tags = ["team=web", "cost=7"]
capabilities = "CAPABILITY_IAM"
[prod.deploy.parameters]
stack_name = "shop-prod"
parameter_overrides = ["ParameterKey=Stage,ParameterValue=prod=1"]
"""


def test_the_environment_that_is_asked_for_counts(tmp_path: Path) -> None:
    (tmp_path / "samconfig.toml").write_text(FILE)
    template = tmp_path / "template.yaml"
    usual = Told("shop", {"Stage": "a test", "Size": "512"}, {"team": "web", "cost": "7"})
    assert read(template, None) == usual
    assert read(tmp_path / ".mayfly/build/template.yaml", None) == usual
    assert read(template, "prod") == Told("shop-prod", {"Stage": "prod=1"}, {})
    with pytest.raises(SamConfigError, match="no environment beta"):
        read(template, "beta")


def test_there_may_be_no_file_unless_an_environment_is_asked_for(tmp_path: Path) -> None:
    assert read(tmp_path / "template.yaml", None) == Told()
    with pytest.raises(SamConfigError, match=r"no samconfig.toml"):
        read(tmp_path / "template.yaml", "prod")


@pytest.mark.parametrize("text", ["x = ", "[default.deploy.parameters]\nparameter_overrides = 'Stage'"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "samconfig.toml").write_text(text)
    with pytest.raises(SamConfigError, match=r"samconfig.toml"):
        read(tmp_path / "template.yaml", None)


def test_pairs_are_read_as_sam_writes_them() -> None:
    assert pairs(["A=1 B='two words'", "ParameterKey=C,ParameterValue=x,y"]) == {"A": "1", "B": "two words", "C": "x,y"}
    with pytest.raises(SamConfigError, match="'A' is not KEY=VALUE"):
        pairs(["A"])
