"""REST APIs under names of their own."""

from uuid import uuid4

from tests.services.apis.rest.conftest import Rest, send


def test_a_base_path_leads_to_a_stage_and_functions_see_it(rest: Rest) -> None:
    api, gateway = rest.create(), rest.gateway
    rest.proxy(api, rest.resource(api, "pets"), "GET")
    rest.deploy(api)
    name = f"{uuid4().hex[:8]}.example.com"
    gateway.create_domain_name(domainName=name, endpointConfiguration={"types": ["REGIONAL"]})
    gateway.create_base_path_mapping(domainName=name, basePath="shop", restApiId=api, stage="dev")
    answer = send("GET", f"{rest.platform.url}/shop/pets", headers={"Host": name})
    assert answer.status == 200
    event = answer.json
    assert (event["resource"], event["path"]) == ("/pets", "/shop/pets")
    context = event["requestContext"]
    assert (context["path"], context["domainName"], context["stage"]) == ("/shop/pets", name, "dev")
    assert send("GET", f"{rest.platform.url}/pets", headers={"Host": name}).status == 403
    gateway.delete_base_path_mapping(domainName=name, basePath="shop")
    gateway.delete_domain_name(domainName=name)
