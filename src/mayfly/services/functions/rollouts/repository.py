"""Between rows and the types of `model`, inside the caller's transaction or snapshot."""

from typing import Final

import msgspec

from mayfly.services.functions.rollouts import statements as sql
from mayfly.services.functions.rollouts.model import Application, Config, Group, Rollout
from mayfly.store.api import Params, Reader, Tx

KEPT: Final = 10_000  # rollouts, those under way aside
MOST: Final = 1_000_000_000_000

_encode = msgspec.json.Encoder().encode
_application = msgspec.json.Decoder(Application).decode
_group = msgspec.json.Decoder(Group).decode
_config = msgspec.json.Decoder(Config).decode
_rollout = msgspec.json.Decoder(Rollout).decode


def find_application(reader: Reader, name: str) -> Application | None:
    row = reader.one(sql.FIND_APPLICATION, {"name": name})
    return _application(row[0]) if row else None


def applications(reader: Reader, after: str, limit: int) -> list[str]:
    return [row[0] for row in reader.all(sql.APPLICATIONS, {"after": after, "limit": limit})]


def insert_application(tx: Tx, application: Application) -> bool:
    """Add one; False when its name is taken."""
    row = {"name": application.name, "document": _encode(application).decode()}
    return tx.run(sql.INSERT_APPLICATION, row) == 1


def update_application(tx: Tx, application: Application) -> None:
    tx.run(sql.UPDATE_APPLICATION, {"name": application.name, "document": _encode(application).decode()})


def delete_application(tx: Tx, name: str) -> None:
    """With its groups; what was deployed stays on record."""
    tx.run(sql.DELETE_GROUPS, {"application": name})
    tx.run(sql.DELETE_APPLICATION, {"name": name})


def find_group(reader: Reader, application: str, name: str) -> Group | None:
    row = reader.one(sql.FIND_GROUP, {"application": application, "name": name})
    return _group(row[0]) if row else None


def groups(reader: Reader, application: str, after: str, limit: int) -> list[str]:
    place = {"application": application, "after": after, "limit": limit}
    return [row[0] for row in reader.all(sql.GROUPS, place)]


def _group_row(group: Group) -> Params:
    return {
        "application": group.application,
        "name": group.name,
        "config": group.config,
        "document": _encode(group).decode(),
    }


def insert_group(tx: Tx, group: Group) -> bool:
    """Add one; False when its name is taken."""
    return tx.run(sql.INSERT_GROUP, _group_row(group)) == 1


def update_group(tx: Tx, group: Group, before: str) -> None:
    """Replace the group that was called `before`."""
    tx.run(sql.UPDATE_GROUP, {**_group_row(group), "before": before})


def delete_group(tx: Tx, application: str, name: str) -> None:
    tx.run(sql.DELETE_GROUP, {"application": application, "name": name})


def find_config(reader: Reader, name: str) -> Config | None:
    row = reader.one(sql.FIND_CONFIG, {"name": name})
    return _config(row[0]) if row else None


def configs(reader: Reader, limit: int) -> list[str]:
    return [row[0] for row in reader.all(sql.CONFIGS, {"limit": limit})]


def insert_config(tx: Tx, config: Config) -> bool:
    """Add one; False when its name is taken."""
    return tx.run(sql.INSERT_CONFIG, {"name": config.name, "document": _encode(config).decode()}) == 1


def delete_config(tx: Tx, name: str) -> None:
    tx.run(sql.DELETE_CONFIG, {"name": name})


def config_in_use(reader: Reader, name: str) -> bool:
    return reader.one(sql.CONFIG_IN_USE, {"config": name}) is not None


def find(reader: Reader, rollout_id: str) -> Rollout | None:
    row = reader.one(sql.FIND, {"id": rollout_id})
    return _rollout(row[0]) if row else None


def insert(tx: Tx, rollout: Rollout) -> None:
    number = tx.one(sql.NEXT_NUMBER)
    assert number is not None, "an aggregate has a row"
    tx.run(
        sql.INSERT,
        {
            "id": rollout.id,
            "number": number[0],
            "application": rollout.application,
            "group_name": rollout.group,
            "alias": rollout.qualified,
            "status": rollout.status,
            "created_at": rollout.created_at,
            "document": _encode(rollout).decode(),
        },
    )
    tx.run(sql.DROP_OLD, {"kept": KEPT})


def update(tx: Tx, rollout: Rollout) -> None:
    row = {"id": rollout.id, "status": rollout.status, "document": _encode(rollout).decode()}
    tx.run(sql.UPDATE, row)


def under_way(reader: Reader, rollout: Rollout) -> str | None:
    """The id of another rollout under way on the alias, or in the group, of `rollout`."""
    row = reader.one(sql.OF_ALIAS, {"alias": rollout.qualified}) or reader.one(
        sql.OF_GROUP, {"application": rollout.application, "group_name": rollout.group}
    )
    return row[0] if row else None


def page(reader: Reader, application: str, group: str, before: int, limit: int) -> list[tuple[int, Rollout]]:
    """Rollouts with their numbers, the newest first."""
    place = {"application": application, "group_name": group, "before": before, "limit": limit}
    return [(row[0], _rollout(row[1])) for row in reader.all(sql.PAGE, place)]
