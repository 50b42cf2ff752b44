"""What a template names by its place on this machine."""

from pathlib import Path
from typing import Any

import pytest

from mayfly.cli.beside import NotThereError, Place, mapped, places


def named(place: Place) -> object:
    return f"<{place.kind} {place.path.name}>"


def test_documents_and_templates_are_replaced_and_what_is_elsewhere_stays(tmp_path: Path) -> None:
    for name in ("api.yaml", "flow.json", "inner.yaml"):
        (tmp_path / name).write_text("{}")
    elsewhere = {"DefinitionUri": "s3://bucket/key"}
    body: dict[str, Any] = {
        "Resources": {
            "Api": {"Type": "AWS::Serverless::Api", "Properties": {"StageName": "x", "DefinitionUri": "api.yaml"}},
            "Flow": {"Type": "AWS::Serverless::StateMachine", "Properties": {"DefinitionUri": "./flow.json"}},
            "App": {"Type": "AWS::Serverless::Application", "Properties": {"Location": "inner.yaml"}},
            "Far": {"Type": "AWS::Serverless::HttpApi", "Properties": elsewhere},
            "Expressed": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": {"Ref": "Where"}}},
        }
    }
    found = mapped(body, tmp_path, named)["Resources"]
    assert found["Api"]["Properties"] == {"StageName": "x", "DefinitionUri": "<document api.yaml>"}
    assert found["Flow"]["Properties"]["DefinitionUri"] == "<document flow.json>"
    assert found["App"]["Properties"]["Location"] == "<template inner.yaml>"
    assert found["Far"]["Properties"] == elsewhere
    assert found["Expressed"] == body["Resources"]["Expressed"]
    assert {place.logical_id: place.form for place in places(body, tmp_path)} == dict.fromkeys(
        ("Api", "Flow", "App"), "word"
    )


def test_what_is_included_is_replaced_wherever_it_stands(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text("{}")
    include = {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "part.yaml"}}}
    body = {
        "Mappings": include,
        "Resources": {"Api": {"Type": "AWS::Serverless::Api", "Properties": {"DefinitionBody": include}}},
    }
    whole = mapped(body, tmp_path, named)
    for found in (whole["Mappings"], whole["Resources"]["Api"]["Properties"]["DefinitionBody"]):
        assert found["Fn::Transform"]["Parameters"]["Location"] == "<document part.yaml>"


def test_a_file_that_is_not_there_is_named_with_its_resource(tmp_path: Path) -> None:
    body = {"Resources": {"Api": {"Type": "AWS::Serverless::Api", "Properties": {"DefinitionUri": "api.yaml"}}}}
    with pytest.raises(NotThereError, match=r"Api: the DefinitionUri api.yaml is not a file beside the template"):
        mapped(body, tmp_path, named)
