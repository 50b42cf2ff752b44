"""What belongs to no API: settings of the account, client certificates, and what Mayfly does not have, with reasons."""

import asyncio
import importlib
from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly.clock import utc
from mayfly.services.apis.rest import catalog, faults, naming, paging, patching
from mayfly.services.apis.rest.editing import Editing
from mayfly.services.apis.rest.model import Account, ClientCertificate, key_use, shown
from mayfly.services.apis.rest.patching import scalar
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.ports import Vault
from mayfly.store.api import Reader, Tx

_DAYS = 365
_CERTIFICATES = "mayfly.services.apis.rest.certificates"
_NO_LINKS = "Mayfly has no VPC links: they lead into networks that only exist inside AWS."
_NO_SDKS = (
    "Mayfly does not generate SDKs. GetExport gives the API as an OpenAPI document, of which generators for any "
    "language make a client."
)


class AccountOperations:
    """Handlers; see the module."""

    def __init__(self, editing: Editing, vault: Vault) -> None:
        self._editing = editing
        self._vault = vault

    @operation("GetAccount")
    async def account(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        found = await self._editing.store.read(lambda reader: catalog.account(reader, self._editing.account))
        return _account_shown(found)

    @operation("UpdateAccount")
    async def update_account(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        asked = [patch for patch in patching.patches(params) if not _is_feature(patch)]

        def body(tx: Tx) -> Account:
            members = msgspec.to_builtins(catalog.account(tx, self._editing.account))
            patching.apply_chatty(members, (scalar("cloudwatchRoleArn", ops="add remove replace"),), asked)
            role = members.get("cloudwatchRoleArn")
            if role and not role.startswith("arn:aws:iam::"):
                raise faults.bad_request("The role ARN does not have required permissions configured")
            changed = Account(cloudwatch_role_arn=role or None)
            catalog.put_account(tx, self._editing.account, changed)
            return changed

        return _account_shown(await self._editing.store.write(body))

    @operation("GenerateClientCertificate")
    async def generate(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        """A certificate by which an endpoint may know the API. The key is sealed."""
        id_ = naming.made_id(context, 6, "certificate")
        now = self._editing.clock.now()
        pem, key = await asyncio.to_thread(_generated, id_, now)
        made = ClientCertificate(
            client_certificate_id=id_,
            pem_encoded_certificate=pem,
            created_at=now,
            expires_at=now + _DAYS * 86_400,
            description=params.get("description"),
            sealed_key=self._vault.seal(key, key_use(id_)),
            tags=params.get("tags"),
        )

        def body(tx: Tx) -> ClientCertificate:
            if (before := catalog.certificate(tx, id_)) is not None:
                return before
            catalog.put_certificate(tx, made)
            return made

        return _certificate_shown(await self._editing.store.write(body))

    @operation("GetClientCertificate")
    async def certificate(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        return _certificate_shown(await self._editing.store.read(lambda reader: find_certificate(reader, params)))

    @operation("GetClientCertificates")
    async def certificates(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        begin, most = paging.after(params), paging.size(params)
        found = await self._editing.store.read(lambda reader: catalog.certificates(reader, begin, most + 1))
        shown_here, more = paging.page([(one.client_certificate_id, one) for one in found], params)
        return {"items": [_certificate_shown(one) for one in shown_here], **more}

    @operation("UpdateClientCertificate")
    async def update_certificate(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        asked = patching.patches(params)

        def body(tx: Tx) -> ClientCertificate:
            found = find_certificate(tx, params)
            members: dict[str, Any] = {"description": found.description}
            patching.apply_chatty(members, (scalar("description"),), asked)
            changed = msgspec.structs.replace(found, description=members["description"])
            catalog.put_certificate(tx, changed)
            return changed

        return _certificate_shown(await self._editing.store.write(body))

    @operation("DeleteClientCertificate")
    async def delete_certificate(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(tx: Tx) -> None:
            found = find_certificate(tx, params)
            used = catalog.stage_with_certificate(tx, found.client_certificate_id)
            if used is not None:
                raise faults.bad_request(f"The client certificate is used by the stage {used[1]} of the API {used[0]}")
            catalog.delete_certificate(tx, found.client_certificate_id)

        await self._editing.store.write(body)
        return {}

    @operation("CreateVpcLink")
    async def create_link(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        raise faults.refused(_NO_LINKS)

    @operation("GetVpcLink")
    async def link(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        raise _no_such_link()

    @operation("UpdateVpcLink")
    async def update_link(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        raise _no_such_link()

    @operation("DeleteVpcLink")
    async def delete_link(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        raise _no_such_link()

    @operation("GetVpcLinks")
    async def links(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"items": []}

    @operation("GetSdk")
    async def sdk(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        raise faults.refused(_NO_SDKS)

    @operation("GetSdkType")
    async def sdk_type(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        raise faults.not_found(_NO_SDKS)

    @operation("GetSdkTypes")
    async def sdk_types(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"items": []}


def _is_feature(patch: patching.Patch) -> bool:
    """Whether a patch is about usage plans, which everybody has."""
    if patch.path != "/features" or patch.value != "UsagePlans":
        return False
    if patch.op == "remove":
        raise faults.bad_request("Usage Plans cannot be disabled once enabled")
    return True


def _no_such_link() -> ServiceError:
    return faults.not_found("Invalid Vpc Link identifier specified")


def _account_shown(account: Account) -> dict[str, Any]:
    limits = {"throttleSettings": {"burstLimit": 5000, "rateLimit": 10000.0}}
    return {**shown(account), **limits, "features": ["UsagePlans"], "apiKeyVersion": "4"}


def find_certificate(reader: Reader, params: Mapping[str, Any]) -> ClientCertificate:
    """The one of `clientCertificateId`; `ServiceError`."""
    found = catalog.certificate(reader, params["clientCertificateId"])
    if found is None:
        raise faults.not_found("Invalid Client Certificate identifier specified")
    return found


def _certificate_shown(certificate: ClientCertificate) -> dict[str, Any]:
    members = shown(certificate, "createdAt", "expiresAt", "sealedKey")
    return {**members, "createdDate": utc(certificate.created_at), "expirationDate": utc(certificate.expires_at)}


def _generated(name: str, now: float) -> tuple[str, bytes]:
    """A certificate of its own making, and its key. The library of cryptography is imported with the first."""
    certificates: Any = importlib.import_module(_CERTIFICATES)
    made: tuple[str, bytes] = certificates.generated(name, utc(now), _DAYS)
    return made
