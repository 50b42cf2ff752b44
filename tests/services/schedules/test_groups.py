"""Schedule groups and their tags."""

from tests.services.schedules.conftest import Stage

ARN = "arn:aws:scheduler:us-east-1:000000000000:schedule-group/g"


async def test_there_is_a_default_group_that_stays(stage: Stage) -> None:
    await stage.service.start()
    assert [group["Name"] for group in (await stage.call("ListScheduleGroups"))["ScheduleGroups"]] == ["default"]
    assert (await stage.call("GetScheduleGroup", Name="default"))["State"] == "ACTIVE"
    assert (await stage.refused("DeleteScheduleGroup", Name="default"))[0] == "ValidationException"


async def test_a_group_takes_its_schedules_with_it(stage: Stage) -> None:
    assert (await stage.call("CreateScheduleGroup", Name="g"))["ScheduleGroupArn"] == ARN
    for number in range(450):
        await stage.create("rate(1 hour)", Name=f"s{number}", GroupName="g")
    await stage.create("rate(1 hour)", Name="other")
    await stage.call("DeleteScheduleGroup", Name="g")
    assert (await stage.call("GetScheduleGroup", Name="g"))["State"] == "DELETING"
    assert (await stage.refused("CreateSchedule", **stage.request(GroupName="g")))[0] == "ConflictException"
    assert (await stage.refused("CreateScheduleGroup", Name="g"))[0] == "ConflictException"
    await stage.service.removal.settle()
    assert (await stage.refused("GetScheduleGroup", Name="g"))[0] == "ResourceNotFoundException"
    assert [each["Name"] for each in (await stage.call("ListSchedules"))["Schedules"]] == ["other"]
    await stage.pass_time(3600)
    assert len(await stage.got()) == 1


async def test_groups_are_listed_in_pages_by_prefix(stage: Stage) -> None:
    for name in ("b", "a", "ab"):
        await stage.call("CreateScheduleGroup", Name=name)
    page = await stage.call("ListScheduleGroups", MaxResults=3)
    assert [group["Name"] for group in page["ScheduleGroups"]] == ["a", "ab", "b"]
    rest = await stage.call("ListScheduleGroups", MaxResults=3, NextToken=page["NextToken"])
    assert [group["Name"] for group in rest["ScheduleGroups"]] == ["default"]
    found = await stage.call("ListScheduleGroups", NamePrefix="a")
    assert [group["Name"] for group in found["ScheduleGroups"]] == ["a", "ab"]


async def test_a_group_is_made_once(stage: Stage) -> None:
    await stage.call("CreateScheduleGroup", Name="g")
    assert await stage.refused("CreateScheduleGroup", Name="g") == (
        "ConflictException",
        "Schedule group g already exists.",
    )


async def test_groups_have_tags(stage: Stage) -> None:
    await stage.call("CreateScheduleGroup", Name="g", Tags=[{"Key": "a", "Value": "1"}])
    await stage.call("TagResource", ResourceArn=ARN, Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}])
    await stage.call("UntagResource", ResourceArn=ARN, TagKeys=["b"])
    assert (await stage.call("ListTagsForResource", ResourceArn=ARN))["Tags"] == [{"Key": "a", "Value": "3"}]
    many = [{"Key": f"k{n}", "Value": "v"} for n in range(50)]
    assert (await stage.refused("TagResource", ResourceArn=ARN, Tags=many))[0] == "ValidationException"
    elsewhere = ARN.replace("us-east-1", "eu-west-1")
    assert (await stage.refused("ListTagsForResource", ResourceArn=elsewhere))[0] == "ResourceNotFoundException"
