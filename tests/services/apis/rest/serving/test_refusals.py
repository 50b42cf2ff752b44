"""Gateway responses."""

import json

from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.apis.rest.model import GatewayResponse
from mayfly.services.apis.rest.serving.refusals import TYPES, RefusedError, render, substitute


def rendered(refusal: RefusedError, **customised: GatewayResponse) -> tuple[int, dict[str, str], str]:
    reply = render(refusal, customised, {"stage": "dev"}, {"v": "1"}, lambda place: None, "")
    assert isinstance(reply.body, bytes)
    return reply.status, dict(reply.headers), reply.body.decode()


@given(st.sampled_from(sorted(TYPES)), st.text(max_size=20) | st.none())
def test_every_type_says_its_message_as_json(kind: str, message: str | None) -> None:
    status, headers, body = rendered(RefusedError(kind, message, 500 if TYPES[kind].status is None else None))
    assert json.loads(body) == {"message": message}
    assert headers["content-type"] == "application/json"
    assert headers["x-amzn-errortype"] == TYPES[kind].error
    assert status == (TYPES[kind].status or 500)


def test_a_family_counts_where_the_type_itself_was_not_put() -> None:
    family = GatewayResponse(response_type="DEFAULT_4XX", status_code="418", response_templates={"text/plain": "no"})
    status, headers, body = rendered(RefusedError("UNAUTHORIZED", "Unauthorized"), DEFAULT_4XX=family)
    assert (status, headers["content-type"], body) == (418, "text/plain", "no")
    own = GatewayResponse(response_type="UNAUTHORIZED", response_parameters={"gatewayresponse.header.x": "'y'"})
    status, headers, body = rendered(RefusedError("UNAUTHORIZED", "u"), DEFAULT_4XX=family, UNAUTHORIZED=own)
    assert (headers["x"], json.loads(body)) == ("y", {"message": "u"})


def test_variables_stand_for_what_they_name_and_for_nothing_where_there_is_none() -> None:
    context = {"identity": {"sourceIp": "1.2.3.4"}, "n": 3}
    text = "$context.identity.sourceIp $context.n $stageVariables.v ${context.n} $context.nope $other"
    assert substitute(text, context, {"v": "x"}) == "1.2.3.4 3 x 3  $other"
    assert substitute("$context.nope", context, {}, "-") == "-"
