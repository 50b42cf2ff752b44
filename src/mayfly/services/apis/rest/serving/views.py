"""Stages as requests see them: what a deployment was, compiled once, and kept until something of the API changes.

Nothing on the path of a request asks the store where a view is known already.
"""

from dataclasses import dataclass, field

from mayfly.services.apis.rest import catalog
from mayfly.services.apis.rest.json_schema import Validator
from mayfly.services.apis.rest.model import Api, ClientCertificate, MethodSetting, Stage
from mayfly.services.apis.rest.serving.tree import Node, build
from mayfly.store.api import Reader, Store
from mayfly.vtl.template import Template


@dataclass(frozen=True)
class View:
    """A deployment behind a stage, or behind its canary."""

    api: Api  # as it was deployed
    stage: Stage
    deployment_id: str
    tree: Node
    variables: dict[str, str]
    certificate: ClientCertificate | None = None  # which the API shows to the web
    is_canary: bool = False
    templates: dict[str, Template] = field(default_factory=dict)  # those that were used, by their text
    validators: dict[str, Validator] = field(default_factory=dict)  # likewise, by the name of a model

    def setting(self, path: str, verb: str) -> MethodSetting | None:
        """The settings of a method: its own, or those of all; None where the stage has neither."""
        key = (path.strip("/"), verb)
        for name, setting in self.stage.method_settings.items():
            place, _, method = name.rpartition("/")
            if (place.replace("~1", "/").strip("/"), method) == key:
                return setting
        return self.stage.method_settings.get("*/*")


@dataclass(frozen=True)
class Stand:
    """A stage: what most requests meet, and what some of them meet instead."""

    usual: View
    canary: View | None = None
    percent: float = 0.0


class Views:
    """All of them. `forget` what changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, str], Stand] = {}
        self._turns: dict[str, int] = {}  # of APIs that changed: what was read before is not kept

    def forget(self, api_id: str) -> None:
        self._turns[api_id] = self._turns.get(api_id, 0) + 1
        for key in [key for key in self._known if key[0] == api_id]:
            del self._known[key]

    async def find(self, api_id: str, stage: str) -> Stand | None:
        """The stage; None: there is none of that name."""
        known = self._known.get((api_id, stage))
        if known is not None:
            return known
        turn = self._turns.get(api_id)
        found = await self._store.read(lambda reader: _read(reader, api_id, stage))
        if found is not None and self._turns.get(api_id) == turn:
            self._known[api_id, stage] = found
        return found


def _read(reader: Reader, api_id: str, name: str) -> Stand | None:
    stage = catalog.stage(reader, api_id, name)
    if stage is None:
        return None
    api = catalog.deployed(reader, api_id, stage.deployment_id)
    if api is None:
        return None
    variables = stage.variables or {}
    shown = catalog.certificate(reader, stage.client_certificate_id) if stage.client_certificate_id else None
    usual = View(api, stage, stage.deployment_id, build(api.parts.resources.values()), variables, shown)
    settings = stage.canary_settings
    if settings is None:
        return Stand(usual)
    other = catalog.deployed(reader, api_id, settings.deployment_id)
    if other is None:
        return Stand(usual)
    overridden = {**variables, **(settings.stage_variable_overrides or {})}
    tree = build(other.parts.resources.values())
    canary = View(other, stage, settings.deployment_id, tree, overridden, shown, is_canary=True)
    return Stand(usual, canary, settings.percent_traffic)
