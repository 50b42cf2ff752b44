"""What functions may reach: asked for by tags, refused where it cannot be."""

from tests.services.functions.stage import ARN, Stage


async def reached(stage: Stage) -> str:
    await stage.call("Invoke", FunctionName="f")
    return str(stage.engine.calls[-1][0].sandbox.egress)


async def test_of_which_nothing_is_said_reaches_nothing_and_has_no_proxy(stage: Stage) -> None:
    await stage.create()
    assert await reached(stage) == "none"
    assert "HTTP_PROXY" not in await stage.engine.calls[-1][0].environment("instance")


async def test_tags_say_what_a_function_reaches_and_its_own_variables_come_over_those_of_the_proxy(
    stage: Stage,
) -> None:
    await stage.create(
        Tags={"mayfly:egress": "db.example.com:5432", "mayfly:egress:web": ".example.org:443"},
        Environment={"Variables": {"HTTPS_PROXY": "http://mine"}},
    )
    assert await reached(stage) == "db.example.com:5432 *.example.org:443"
    variables = await stage.engine.calls[-1][0].environment("instance")
    assert variables["http_proxy"] == variables["HTTP_PROXY"] == "http://127.0.0.1:3128"
    assert variables["HTTPS_PROXY"] == "http://mine"
    assert "127.0.0.1" in variables["NO_PROXY"].split(",")


async def test_tagging_gives_up_instances_that_reach_something_else(stage: Stage) -> None:
    await stage.create()
    assert await reached(stage) == "none"
    await stage.call("TagResource", Resource=f"{ARN}f", Tags={"mayfly:egress": "host"})
    assert await reached(stage) == "host"
    assert len(stage.engine.retired) == 1
    await stage.call("UntagResource", Resource=f"{ARN}f", TagKeys=["mayfly:egress"])
    assert await reached(stage) == "none"
    assert len(stage.engine.retired) == 2


async def test_what_is_no_list_is_refused_and_changes_nothing(stage: Stage) -> None:
    await stage.create()
    error = await stage.refusal("TagResource", Resource=f"{ARN}f", Tags={"mayfly:egress": "http://db.example.com"})
    assert error.code == "InvalidParameterValueException"
    assert "'http://db.example.com' is no destination" in error.message
    assert (await stage.call("ListTags", Resource=f"{ARN}f"))["Tags"] == {}
    error = await stage.refusal(
        "TagResource", Resource=f"{ARN}f", Tags={"mayfly:egress": "none", "mayfly:egress:2": "a:1"}
    )
    assert "none alone" in error.message
