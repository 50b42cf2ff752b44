"""REST APIs, deployments and stages as rows. All of this runs inside the caller's transaction or snapshot."""

from typing import Any

import msgspec

from mayfly.services.apis.rest import statements as sql
from mayfly.services.apis.rest.model import Account, Api, ClientCertificate, Deployment, Head, Parts, Stage
from mayfly.store.api import Reader, Tx

_encode = msgspec.json.Encoder().encode
_head = msgspec.json.Decoder(Head).decode
_parts = msgspec.json.Decoder(Parts).decode
_api = msgspec.json.Decoder(Api).decode
_deployment = msgspec.json.Decoder(Deployment).decode
_stage = msgspec.json.Decoder(Stage).decode
_certificate = msgspec.json.Decoder(ClientCertificate).decode
_account = msgspec.json.Decoder(Account).decode


def text(value: Any) -> str:
    """A document as it is stored."""
    return _encode(value).decode()


def api(reader: Reader, api_id: str) -> Api | None:
    """The whole API, for the caller to change."""
    row = reader.one(sql.FIND_API, {"id": api_id})
    return Api(head=_head(row[0]), parts=_parts(row[1])) if row else None


def head(reader: Reader, api_id: str) -> Head | None:
    row = reader.one(sql.FIND_HEAD, {"id": api_id})
    return _head(row[0]) if row else None


def heads(reader: Reader, after: str, limit: int) -> list[Head]:
    """By id, after one."""
    return [_head(row[0]) for row in reader.all(sql.HEADS, {"after": after, "limit": limit})]


def put_api(tx: Tx, value: Api) -> None:
    tx.run(sql.PUT_API, {"id": value.head.id, "head": text(value.head), "parts": text(value.parts)})


def put_head(tx: Tx, value: Head) -> None:
    """Of an API that is there."""
    tx.run(sql.PUT_HEAD, {"id": value.id, "head": text(value)})


def delete_api(tx: Tx, api_id: str) -> None:
    """With its deployments and stages."""
    for statement in (sql.DELETE_STAGES, sql.DELETE_DEPLOYMENTS):
        tx.run(statement, {"api_id": api_id})
    tx.run(sql.DELETE_API, {"id": api_id})


def deployment(reader: Reader, api_id: str, deployment_id: str) -> Deployment | None:
    row = reader.one(sql.FIND_DEPLOYMENT, {"api_id": api_id, "id": deployment_id})
    return _deployment(row[0]) if row else None


def deployed(reader: Reader, api_id: str, deployment_id: str) -> Api | None:
    """The API as it was when it was deployed."""
    row = reader.one(sql.FIND_DEPLOYED, {"api_id": api_id, "id": deployment_id})
    return _api(row[0]) if row else None


def deployments(reader: Reader, api_id: str, after: str, limit: int) -> list[Deployment]:
    """By id, after one."""
    rows = reader.all(sql.DEPLOYMENTS, {"api_id": api_id, "after": after, "limit": limit})
    return [_deployment(row[0]) for row in rows]


def put_deployment(tx: Tx, value: Api, made: Deployment) -> None:
    """A new one, of the API as it is."""
    row = {"api_id": value.head.id, "id": made.id, "created_at": made.created_at}
    tx.run(sql.PUT_DEPLOYMENT, {**row, "definition": text(made), "api": text(value)})


def change_deployment(tx: Tx, api_id: str, changed: Deployment) -> None:
    tx.run(sql.CHANGE_DEPLOYMENT, {"api_id": api_id, "id": changed.id, "definition": text(changed)})


def delete_deployment(tx: Tx, api_id: str, deployment_id: str) -> None:
    tx.run(sql.DELETE_DEPLOYMENT, {"api_id": api_id, "id": deployment_id})


def stage(reader: Reader, api_id: str, name: str) -> Stage | None:
    row = reader.one(sql.FIND_STAGE, {"api_id": api_id, "name": name})
    return _stage(row[0]) if row else None


def stages(reader: Reader, api_id: str) -> list[Stage]:
    """By name; an API has ten of them, or some more."""
    return [_stage(row[0]) for row in reader.all(sql.STAGES, {"api_id": api_id})]


def put_stage(tx: Tx, api_id: str, value: Stage) -> None:
    tx.run(sql.PUT_STAGE, {"api_id": api_id, "name": value.stage_name, "definition": text(value)})


def delete_stage(tx: Tx, api_id: str, name: str) -> None:
    tx.run(sql.DELETE_STAGE, {"api_id": api_id, "name": name})


def certificate(reader: Reader, certificate_id: str) -> ClientCertificate | None:
    row = reader.one(sql.FIND_CERTIFICATE, {"id": certificate_id})
    return _certificate(row[0]) if row else None


def certificates(reader: Reader, after: str, limit: int) -> list[ClientCertificate]:
    """By id, after one."""
    return [_certificate(row[0]) for row in reader.all(sql.CERTIFICATES, {"after": after, "limit": limit})]


def put_certificate(tx: Tx, value: ClientCertificate) -> None:
    tx.run(sql.PUT_CERTIFICATE, {"id": value.client_certificate_id, "definition": text(value)})


def stage_with_certificate(reader: Reader, certificate_id: str) -> tuple[str, str] | None:
    """The id of an API and the name of a stage of it that shows a certificate."""
    row = reader.one(sql.FIND_CERTIFICATE_USE, {"id": certificate_id})
    return (row[0], row[1]) if row else None


def delete_certificate(tx: Tx, certificate_id: str) -> None:
    tx.run(sql.DELETE_CERTIFICATE, {"id": certificate_id})


def account(reader: Reader, number: str) -> Account:
    """Settings of an account; the usual ones where none were changed."""
    row = reader.one(sql.FIND_ACCOUNT, {"account": number})
    return _account(row[0]) if row else Account()


def put_account(tx: Tx, number: str, value: Account) -> None:
    tx.run(sql.PUT_ACCOUNT, {"account": number, "definition": text(value)})
