"""The domain type of capacity providers. Defaults are left out of what is stored."""

import msgspec

MACHINE = "mayfly"  # the provider that is always there: all of this machine, without a limit


class Provider(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of this machine. Its limit is in force; the rest is shown as it was asked for, and means nothing here."""

    name: str
    modified_at: float
    most_cpus: int | None = None  # that all instances of its functions may use together; None: as many as there are
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    operator_role: str = ""
    tags: dict[str, str] = {}
