"""Items that expire."""

from mayfly.clock import ManualClock

from .conftest import Tables


async def keys(tables: Tables) -> set[str]:
    return {item["id"]["S"] for item in (await tables.call("Scan", TableName="things"))["Items"]}


async def test_items_expire_when_their_second_has_come(tables: Tables, clock: ManualClock) -> None:
    await tables.make()
    now = int(clock.now())

    async def put(key: str, kind: str, until: str) -> None:
        await tables.call("PutItem", TableName="things", Item={"id": {"S": key}, "until": {kind: until}})

    await put("before", "N", str(now + 5))
    setting = {"Enabled": True, "AttributeName": "until"}
    await tables.call("UpdateTimeToLive", TableName="things", TimeToLiveSpecification=setting)
    await put("after", "N", str(now + 5))
    await put("later", "N", str(now + 100))
    await put("text", "S", str(now + 5))
    await put("ancient", "N", str(now - 6 * 365 * 86400))
    await tables.service.maintenance.settle()
    described = await tables.call("DescribeTimeToLive", TableName="things")
    assert described["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "until"}
    assert await keys(tables) == {"before", "after", "later", "text", "ancient"}
    clock.advance(6)
    await tables.service.maintenance.settle()
    assert await keys(tables) == {"later", "text", "ancient"}
    assert (await tables.call("DescribeTable", TableName="things"))["Table"]["ItemCount"] == 3


async def test_nothing_expires_once_it_is_disabled(tables: Tables, clock: ManualClock) -> None:
    await tables.make()
    setting = {"Enabled": True, "AttributeName": "until"}
    await tables.call("UpdateTimeToLive", TableName="things", TimeToLiveSpecification=setting)
    item = {"id": {"S": "a"}, "until": {"N": str(int(clock.now()))}}
    await tables.call("PutItem", TableName="things", Item=item)
    await tables.call("UpdateTimeToLive", TableName="things", TimeToLiveSpecification={**setting, "Enabled": False})
    await tables.service.maintenance.settle()
    assert await keys(tables) == {"a"}
    described = await tables.call("DescribeTimeToLive", TableName="things")
    assert described["TimeToLiveDescription"] == {"TimeToLiveStatus": "DISABLED"}


async def test_enabling_twice_is_refused(tables: Tables) -> None:
    await tables.make()
    setting = {"Enabled": True, "AttributeName": "until"}
    await tables.call("UpdateTimeToLive", TableName="things", TimeToLiveSpecification=setting)
    error = await tables.refused("UpdateTimeToLive", TableName="things", TimeToLiveSpecification=setting)
    assert error.message == "TimeToLive is already enabled"
