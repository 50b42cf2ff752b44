"""Between rows and `model.Version`, `model.Alias`, inside the caller's transaction or snapshot."""

from typing import NamedTuple

import msgspec

from mayfly.services.functions import repository, version_statements
from mayfly.services.functions.model import LATEST, Alias, Function, Subject, Version
from mayfly.store.api import Params, Reader, Tx

# More aliases than anybody has; statements that read all of them are bounded by it.
ALL = 10_000

_encode = msgspec.json.Encoder().encode
_function = msgspec.json.Decoder(Function).decode
_version = msgspec.json.Decoder(Version).decode
_alias = msgspec.json.Decoder(Alias).decode


class Found(NamedTuple):
    """What a qualifier leads to."""

    function: Function
    version: Version | None = None  # that would run, be it named or behind an alias; None: $LATEST
    alias: Alias | None = None

    @property
    def subject(self) -> Subject:
        """What was named."""
        return self.alias or self.version or self.function

    @property
    def runs(self) -> Function | Version:
        """Whose code and configuration would run."""
        return self.version or self.function


def resolve(reader: Reader, name: str, qualifier: str | None) -> Found | None:
    """What `qualifier` leads to; None when there is no such function, version or alias."""
    function = repository.find(reader, name)
    if function is None or qualifier in (None, LATEST):
        return Found(function) if function is not None else None
    assert qualifier is not None
    if qualifier.isdecimal():
        version = find_version(reader, name, qualifier)
        return Found(function, version) if version else None
    alias = find_alias(reader, name, qualifier)
    if alias is None:
        return None
    if alias.version == LATEST:
        return Found(function, None, alias)
    version = find_version(reader, name, alias.version)
    return Found(function, version, alias) if version else None


def find_version(reader: Reader, name: str, label: str) -> Version | None:
    if not label.isdecimal() or label[0] == "0" or len(label) > 18:  # 18 digits always fit into the database
        return None
    row = reader.one(version_statements.FIND_VERSION, {"name": name, "number": int(label)})
    return _version(row[0]) if row else None


def versions(reader: Reader, name: str, after: int, limit: int) -> list[Version]:
    """Up to `limit` versions with a number above `after`, rising."""
    rows = reader.all(version_statements.VERSIONS, {"name": name, "after": after, "limit": limit})
    return [_version(row[0]) for row in rows]


def everything(reader: Reader, name: str, number: int, limit: int) -> list[Function | Version]:
    """Functions (as number 0) and versions, up to `limit` after a given one, by name and number."""
    rows = reader.all(version_statements.EVERYTHING, {"name": name, "number": number, "limit": limit})
    return [_version(row[2]) if row[1] else _function(row[2]) for row in rows]


def last_number(reader: Reader, name: str) -> int:
    """The highest number that was ever given to a version of this name; 0 when none was."""
    row = reader.one(version_statements.LAST_NUMBER, {"name": name})
    return int(row[0]) if row else 0


def insert_version(tx: Tx, version: Version) -> None:
    tx.run(version_statements.INSERT_VERSION, _version_row(version))
    tx.run(version_statements.SET_LAST_NUMBER, {"name": version.function_name, "number": version.number})


def update_version(tx: Tx, version: Version) -> None:
    row = dict(_version_row(version))
    del row["code_sha256"], row["code_size"]
    tx.run(version_statements.UPDATE_VERSION, row)


def delete_version(tx: Tx, version: Version) -> None:
    tx.run(version_statements.DELETE_VERSION, {"name": version.function_name, "number": version.number})


def packages(reader: Reader, name: str) -> dict[str, str]:
    """The package of every version of a function, by label."""
    return {str(row[0]): row[1] for row in reader.all(version_statements.VERSION_PACKAGES, {"name": name})}


def pending(reader: Reader) -> list[tuple[str, str]]:
    """Function and label of all versions that are not active yet."""
    return [(row[0], str(row[1])) for row in reader.all(version_statements.PENDING_VERSIONS)]


def find_alias(reader: Reader, name: str, alias: str) -> Alias | None:
    row = reader.one(version_statements.FIND_ALIAS, {"name": name, "alias": alias})
    return _alias(row[0]) if row else None


def aliases(reader: Reader, name: str, after: str = "", limit: int = ALL, version: str = "") -> list[Alias]:
    """Up to `limit` aliases that sort after `after`, in order of name; only those that send calls to `version`."""
    params = {"name": name, "after": after, "limit": limit, "version": version}
    return [_alias(row[0]) for row in reader.all(version_statements.ALIASES, params)]


def insert_alias(tx: Tx, alias: Alias) -> bool:
    """Add an alias; False when its name is taken."""
    return tx.run(version_statements.INSERT_ALIAS, _alias_row(alias)) == 1


def update_alias(tx: Tx, alias: Alias) -> None:
    tx.run(version_statements.UPDATE_ALIAS, _alias_row(alias))


def delete_alias(tx: Tx, alias: Alias) -> None:
    repository.unlink_url(tx, alias.function_name, alias.name)
    tx.run(version_statements.DELETE_ALIAS, {"name": alias.function_name, "alias": alias.name})


def delete_all(tx: Tx, name: str) -> None:
    """All versions and aliases of a function."""
    tx.run(version_statements.DELETE_VERSIONS, {"name": name})
    tx.run(version_statements.DELETE_ALIASES, {"name": name})


def with_settings(reader: Reader, name: str) -> list[Version | Alias]:
    """Those that have settings of asynchronous invocation."""
    return [
        *(_version(row[0]) for row in reader.all(version_statements.VERSIONS_WITH_SETTINGS, {"name": name})),
        *(_alias(row[0]) for row in reader.all(version_statements.ALIASES_WITH_SETTINGS, {"name": name})),
    ]


def provisioned(reader: Reader, name: str) -> list[Version | Alias]:
    """Those that instances are provisioned for."""
    return [
        *(_version(row[0]) for row in reader.all(version_statements.PROVISIONED_VERSIONS, {"name": name})),
        *(_alias(row[0]) for row in reader.all(version_statements.PROVISIONED_ALIASES, {"name": name})),
    ]


def scaled(reader: Reader, name: str) -> list[Version]:
    """Those of which instances are kept by their scaling configuration."""
    return [_version(row[0]) for row in reader.all(version_statements.SCALED_VERSIONS, {"name": name})]


def functions_with_kept(reader: Reader) -> list[str]:
    """All of which instances are kept, for whatever reason."""
    return [row[0] for row in reader.all(version_statements.FUNCTIONS_WITH_KEPT)]


def kept(reader: Reader, name: str) -> int:
    """How many instances of a function are to be kept: what is provisioned, and what scaling configurations ask for."""
    row = reader.one(version_statements.KEPT, {"name": name})
    return int(row[0]) if row else 0


def kept_by_others(reader: Reader, name: str) -> int:
    """What other functions take from the account's concurrency by keeping instances without a reservation."""
    row = reader.one(version_statements.KEPT_BY_OTHERS, {"name": name})
    return int(row[0]) if row else 0


def _version_row(version: Version) -> Params:
    return {
        "name": version.function_name,
        "number": version.number,
        "code_sha256": version.code.sha256,
        "code_size": version.code.size,
        "state": version.state,
        "provisioned": version.provisioned.instances if version.provisioned else None,
        "least": (version.scaling.least or None) if version.scaling else None,
        "has_settings": int(version.asynchronous is not None),
        "document": _encode(version).decode(),
    }


def _alias_row(alias: Alias) -> Params:
    return {
        "name": alias.function_name,
        "alias": alias.name,
        "version": alias.version,
        "second": alias.second,
        "provisioned": alias.provisioned.instances if alias.provisioned else None,
        "has_settings": int(alias.asynchronous is not None),
        "document": _encode(alias).decode(),
    }
