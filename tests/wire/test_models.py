"""Models of botocore, read for little memory: what they say stays the same."""

import gc
import json
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.loaders import Loader
from botocore.model import OperationModel

from mayfly.wire.models import MAX_MODELS, Models, _without_documentation
from mayfly.wire.operations import Catalogue

DATA = Path(botocore.__file__).parent / "data"


def without_documentation(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: without_documentation(item)
            for key, item in value.items()
            if key != "documentation" or not isinstance(item, str)
        }
    return [without_documentation(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["s3", "apigateway", "sns", "sqs"])
def test_a_model_says_what_botocore_reads_in_the_same_order_but_for_documentation(name: str) -> None:
    expected = without_documentation(Loader().load_service_model(name, "service-2"))
    models = Models()
    models.service(name)
    assert json.dumps(models._descriptions[name]) == json.dumps(expected)


def test_a_member_called_documentation_is_one() -> None:
    pairs: list[tuple[str, Any]] = [("documentation", {"shape": "Text"}), ("type", "structure")]
    assert _without_documentation(pairs) == dict(pairs)
    assert _without_documentation([("documentation", "<p>Words.</p>"), ("type", "string")]) == {"type": "string"}


def test_what_one_user_of_a_model_looked_at_is_not_kept_for_the_next() -> None:
    models = Models()
    first, second = models.service("sns"), models.service("sns")
    assert first.operation_model("Publish") is not second.operation_model("Publish")
    assert first.operation_names == second.operation_names


def test_only_so_many_models_are_remembered() -> None:
    models = Models()
    names = Loader().list_available_services("service-2")
    small = sorted(names, key=lambda name: sum(file.stat().st_size for file in (DATA / name).rglob("service-2*")))
    for name in small[: MAX_MODELS + 2]:
        models.service(name)
    assert len(models._descriptions) == MAX_MODELS
    with pytest.raises(KeyError):
        models.service("no-such-service")


def operation_models(name: str) -> list[OperationModel]:
    """Every operation's model of a service that anything in this process still holds."""
    gc.collect()
    found = [each for each in gc.get_objects() if type(each) is OperationModel]
    return [each for each in found if each.service_model.service_name == name]


@pytest.mark.parametrize("name", ["sns", "sqs", "scheduler", "route53"])
def test_compiled_operations_hold_on_to_no_operation_of_the_model(name: str) -> None:
    before = operation_models(name)  # which clients of other tests may hold
    service = Catalogue(Models()).service(name)
    operations = [service.operation(each, service.protocol) for each in sorted(service._names)]
    kept = [each for each in operation_models(name) if not any(each is other for other in before)]
    assert (len(operations) > 5, kept) == (True, [])


def test_functions_of_compiled_operations_have_no_annotations_of_their_own_making() -> None:
    service = Catalogue(Models()).service("lambda")
    operation = service.operation("CreateFunction", service.protocol)
    for function in (operation.parse, operation.validate, operation.serialise):
        assert {type(each) for each in function.__annotations__.values()} == {str}
