"""Roles that are made for a service: their names and trust follow from the service, and nobody else deletes them.

A service of Mayfly needs none of them. They are there for templates that make one before they use the service.
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.identity import statements
from mayfly.services.identity.faults import invalid_input
from mayfly.services.identity.model import ROLE_ID_PREFIX, Role, folded, new_unique_id
from mayfly.services.identity.operations.roles import shown_role
from mayfly.services.identity.records import role_named
from mayfly.store.api import Store, Tx

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        CreateServiceLinkedRoleRequestTypeDef,
        DeleteServiceLinkedRoleRequestTypeDef,
        GetServiceLinkedRoleDeletionStatusRequestTypeDef,
    )

PATH = "/aws-service-role/"
_SESSION_S = 3600
_DOMAIN = ".amazonaws.com"
# What services call themselves in the names of their roles, where that is not their first word with a capital.
_NAMES = {
    "apigateway": "OpsAPIGateway",
    "autoscaling": "AutoScaling",
    "dynamodb.application-autoscaling": "ApplicationAutoScaling_DynamoDBTable",
    "ecs": "ECS",
    "ecs.application-autoscaling": "ApplicationAutoScaling_ECSService",
    "elasticloadbalancing": "ElasticLoadBalancing",
    "lambda": "Lambda",
    "lambda.application-autoscaling": "ApplicationAutoScaling_LambdaConcurrency",
    "ops.apigateway": "APIGateway",
    "opensearchservice": "AmazonOpenSearchService",
    "rds": "RDS",
    "replication.dynamodb": "DynamoDBReplication",
    "spot": "EC2Spot",
    "ssm": "AmazonSSM",
}


class ServiceRoleOperations:
    def __init__(self, store: Store, clock: Clock, role_deleted: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._role_deleted = role_deleted  # called once the deletion is durable

    @operation("CreateServiceLinkedRole")
    async def create(self, context: RequestContext, params: "CreateServiceLinkedRoleRequestTypeDef") -> dict[str, Any]:
        service = params["AWSServiceName"]
        if not service.endswith(_DOMAIN):
            raise invalid_input(f"{service} is not a valid service principal.")
        trusted = {"Effect": "Allow", "Principal": {"Service": [service]}, "Action": ["sts:AssumeRole"]}
        role = Role(
            context.account,
            _name(service.removesuffix(_DOMAIN), params.get("CustomSuffix", "")),
            f"{PATH}{service}/",
            new_unique_id(ROLE_ID_PREFIX),
            json.dumps({"Version": "2012-10-17", "Statement": [trusted]}),
            params.get("Description", ""),
            _SESSION_S,
            self._clock.now(),
        )

        def insert(tx: Tx) -> None:
            if not tx.run(statements.ROLE_INSERT, {"folded": folded(role.name), **msgspec.structs.asdict(role)}):
                raise invalid_input(
                    f"Service role name {role.name} has been taken in this account, please try a different suffix."
                )

        await self._store.write(insert)
        return {"Role": shown_role(role)}

    @operation("DeleteServiceLinkedRole")
    async def delete(self, context: RequestContext, params: "DeleteServiceLinkedRoleRequestTypeDef") -> dict[str, Any]:
        def remove(tx: Tx) -> Role:
            role = role_named(tx, context.account, params["RoleName"])
            if not role.path.startswith(PATH):
                raise invalid_input(f"The role {role.name} is not a service-linked role.")
            tx.run(statements.TAGS_DELETE, {"owner_id": role.id})
            tx.run(statements.ROLE_DELETE, {"id": role.id})
            tx.after_commit(self._role_deleted)
            return role

        role = await self._store.write(remove)
        return {"DeletionTaskId": f"task{role.path}{role.name}/{role.id}"}

    @operation("GetServiceLinkedRoleDeletionStatus")
    async def status(
        self, context: RequestContext, params: "GetServiceLinkedRoleDeletionStatusRequestTypeDef"
    ) -> dict[str, Any]:
        """A role is gone when DeleteServiceLinkedRole has answered."""
        if not params["DeletionTaskId"].startswith(f"task{PATH}"):
            raise ServiceError("NoSuchEntity", f"Task {params['DeletionTaskId']} cannot be found.", status=404)
        return {"Status": "SUCCEEDED"}


def _name(service: str, suffix: str) -> str:
    words = service.replace(".", "-").split("-")
    name = _NAMES.get(service, "".join(word[:1].upper() + word[1:] for word in words))
    return f"AWSServiceRoleFor{name}" + (f"_{suffix}" if suffix else "")
