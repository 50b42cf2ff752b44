"""Whether a request has what its method asks for: parameters, and a body that its model allows; `RefusedError`."""

from mayfly.services.apis.rest.schemas import compile_schema, fault_of
from mayfly.services.apis.rest.serving.arrival import Arrival
from mayfly.services.apis.rest.serving.mapping import content_type
from mayfly.services.apis.rest.serving.refusals import RefusedError


def validate(arrival: Arrival) -> None:
    method = arrival.method
    assert method is not None, "found before"
    validator = arrival.view.api.parts.validators.get(method.request_validator_id or "")
    if validator is None:
        return
    if validator.validate_request_parameters:
        _parameters(arrival, method.request_parameters or {})
    if validator.validate_request_body:
        _body(arrival, method.request_models or {})


def _parameters(arrival: Arrival, wanted: dict[str, bool]) -> None:
    missing = [
        name.split(".", 3)[3] for name, required in sorted(wanted.items()) if required and not arrival.parameter(name)
    ]
    if missing:
        said = f"Missing required request parameters: [{', '.join(missing)}]"
        raise RefusedError("BAD_REQUEST_PARAMETERS", said)


def _body(arrival: Arrival, models: dict[str, str]) -> None:
    name = models.get(content_type(arrival.header("content-type")), models.get("$default"))
    model = arrival.view.api.parts.models.get(name or "")
    if model is None or model.schema is None:
        return
    validator = arrival.view.validators.get(model.name)
    if validator is None:
        validator = compile_schema(model.schema, arrival.view.api.parts.models)
        arrival.view.validators[model.name] = validator
    wrong = fault_of(validator, arrival.body)
    if wrong is not None:
        raise RefusedError("BAD_REQUEST_BODY", "Invalid request body", why=wrong)
