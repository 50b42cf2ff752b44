"""Resources that are inert: nothing is made for them. They have values for Ref and Fn::GetAtt, made up and stable.

The values have the form of the real ones, so that what checks forms takes them, and lead nowhere: names end in
`.invalid`, addresses are of the blocks that are set aside for documentation.
"""

import hashlib
import re
import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mayfly.ids import PARTITION
from mayfly.services.stacks.inert import CDK_METADATA, inside, reason
from mayfly.services.stacks.resources.base import Anything, Caller, Made, Target
from mayfly.services.stacks.resources.schema import Fields
from mayfly.services.stacks.template.parameters import text_of

INERT = "$inert"  # stands among the attributes of a resource that is

# The prefixes of ids of Amazon EC2: after them come 17 hexadecimal digits.
_PREFIXES: Mapping[str, str] = MappingProxyType(
    {
        "CustomerGateway": "cgw", "DHCPOptions": "dopt", "EgressOnlyInternetGateway": "eigw", "FlowLog": "fl",
        "Host": "h", "Instance": "i", "InstanceConnectEndpoint": "eice", "InternetGateway": "igw",
        "LaunchTemplate": "lt", "NatGateway": "nat", "NetworkAcl": "acl", "NetworkInterface": "eni",
        "PrefixList": "pl", "RouteTable": "rtb", "SecurityGroup": "sg", "SecurityGroupEgress": "sgr",
        "SecurityGroupIngress": "sgr", "Subnet": "subnet", "SubnetNetworkAclAssociation": "aclassoc",
        "SubnetRouteTableAssociation": "rtbassoc", "TransitGateway": "tgw", "TransitGatewayAttachment": "tgw-attach",
        "TransitGatewayRouteTable": "tgw-rtb", "VPC": "vpc", "VPCCidrBlock": "vpc-cidr-assoc", "VPCEndpoint": "vpce",
        "VPCEndpointService": "vpce-svc", "VPCPeeringConnection": "pcx", "VPNConnection": "vpn", "VPNGateway": "vgw",
        "Volume": "vol",
    }
)  # fmt: skip
# Types whose Ref is an ARN, by the part of it before the id.
_ARNS: Mapping[str, str] = MappingProxyType(
    {
        "AWS::AppSync::GraphQLApi": "apis",
        "AWS::ACMPCA::CertificateAuthority": "certificate-authority",
        "AWS::Batch::ComputeEnvironment": "compute-environment",
        "AWS::Batch::JobDefinition": "job-definition",
        "AWS::Batch::JobQueue": "job-queue",
        "AWS::CertificateManager::Certificate": "certificate",
        "AWS::ECS::Service": "service",
        "AWS::ECS::TaskDefinition": "task-definition",
        "AWS::ElasticLoadBalancingV2::Listener": "listener/app",
        "AWS::ElasticLoadBalancingV2::ListenerRule": "listener-rule/app",
        "AWS::ElasticLoadBalancingV2::LoadBalancer": "loadbalancer/app",
        "AWS::ElasticLoadBalancingV2::TargetGroup": "targetgroup",
        "AWS::KMS::ReplicaKey": "key",
        "AWS::MSK::Cluster": "cluster",
        "AWS::MSK::ServerlessCluster": "cluster",
        "AWS::StepFunctions::Activity": "activity",
        "AWS::StepFunctions::StateMachine": "stateMachine",
    }
)
_LISTS = frozenset(
    ("CidrBlockAssociations", "DnsEntries", "Ipv6CidrBlocks", "NameServers", "NetworkInterfaceIds", "SecurityGroups")
)
# Attributes that are ids of other things than the resource itself.
_IDS_OF: Mapping[str, str] = MappingProxyType(
    {
        "AllocationId": "eipalloc", "DefaultNetworkAcl": "acl", "DefaultSecurityGroup": "sg", "GroupId": "sg",
        "NetworkInterfaceId": "eni", "SecurityGroup": "sg", "SubnetId": "subnet", "VpcId": "vpc",
    }
)  # fmt: skip
# In ARNs: services that are called otherwise there than in types, and kinds.
_SERVICES: Mapping[str, str] = MappingProxyType(
    {
        "acmpca": "acm-pca", "amazonmq": "mq", "certificatemanager": "acm", "cognito": "cognito-idp", "docdb": "rds",
        "efs": "elasticfilesystem", "elasticloadbalancingv2": "elasticloadbalancing", "kinesisfirehose": "firehose",
        "msk": "kafka", "neptune": "rds", "opensearchserverless": "aoss", "opensearchservice": "es",
        "stepfunctions": "states",
    }
)  # fmt: skip
_KINDS: Mapping[str, str] = MappingProxyType({"delivery-stream": "deliverystream", "user-pool": "userpool"})
_NAMED = ("Name", "AliasName", "DomainName", "RepositoryName", "Identifier")


class Inert:
    """One type that Mayfly has not."""

    schema = Fields({}, open=True)
    replaced_by: frozenset[str] = frozenset()
    attributes: frozenset[str] = Anything()

    def __init__(self, name: str) -> None:
        self.name = name

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return _ref(self.name, target, properties)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return False

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        seen = {name: text_of(value) for name, value in properties.items() if isinstance(value, str | int | float)}
        place = {"type": self.name, "region": target.region, "account": target.account, "seed": target.suffix(26)}
        return Made(_ref(self.name, target, properties), {**seen, INERT: place}, self._note())

    def _note(self) -> str:
        if self.name == CDK_METADATA:
            return ""
        what = inside(self.name) or reason(self.name) or "Mayfly does not have it"
        return f"Inert, as the stack accepts it: nothing was made ({what})."

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        again = await self.create(call, target, new)
        return again._replace(physical_id=made.physical_id)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        pass

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        return properties


def attribute(physical_id: str, place: Mapping[str, str], name: str) -> Any:
    """What Fn::GetAtt of an inert resource answers, beside properties of that name."""
    if name in _LISTS:
        return [_text(physical_id, place, name.removesuffix("s"))]
    return _text(physical_id, place, name)


def _text(physical_id: str, place: Mapping[str, str], name: str) -> str:
    last = name.rpartition(".")[2]
    own = re.sub(r"[^a-z0-9]+", "-", physical_id.rpartition("/")[2].rpartition(":")[2].lower()).strip("-")
    service = place["type"].split("::")[1].lower()
    host = f"{own}.{service}.{place['region']}.invalid"
    if last.endswith("Arn") or last == "ARN":
        if physical_id.startswith("arn:"):
            return physical_id
        return _arn(place["type"], place["region"], place["account"], physical_id)
    if last.lower().endswith(("url", "uri")):
        return f"https://{host}"
    if last.endswith("Port"):
        return "0"
    if last.endswith("Ip") or last in ("PublicIp", "PrivateIpAddress"):
        return f"192.0.2.{1 + _number(place['seed']) % 254}"
    if "Ipv6Cidr" in last:
        return "2001:db8::/56"
    if "CidrBlock" in last:
        return "192.0.2.0/24"
    if last == "AvailabilityZone":
        return f"{place['region']}a"
    if last in ("Name", "Id") or (last.endswith("Name") and "DNS" not in last and "Domain" not in last):
        return physical_id
    if last.endswith(("Endpoint", "Address", "Hostname", "DNSName", "DnsName", "DomainName", "DnsEntry", "NameServer")):
        return host
    prefix = _IDS_OF.get(last)
    if prefix is not None:
        return physical_id if physical_id.startswith(f"{prefix}-") else f"{prefix}-{_hex(place['seed'])[:17]}"
    return physical_id if last.endswith("Id") else f"{own}-{last.lower()}"


def _ref(kind: str, target: Target, properties: Mapping[str, Any]) -> str:
    service, own = kind.split("::")[1:] if kind.count("::") == 2 else ("", kind)
    seed = target.suffix(26)
    if service == "StepFunctions":
        name = properties.get(f"{own}Name") or properties.get("Name") or target.name(80)
        return _arn(kind, target.region, target.account, f"{_ARNS.get(kind, own)}/{name}")
    if kind in _ARNS:
        name = properties.get("Name") or target.name(32)
        return _arn(kind, target.region, target.account, f"{_ARNS[kind]}/{name}/{_hex(seed)[:16]}")
    if service == "EC2" and own == "EIP":
        return f"192.0.2.{1 + _number(seed) % 254}"
    if service == "EC2" and own in _PREFIXES:
        return f"{_PREFIXES[own]}-{_hex(seed)[:17]}"
    if kind == "AWS::KMS::Key":
        return str(uuid.UUID(_hex(seed)[:32]))
    if kind == "AWS::CloudFront::Distribution":
        return f"E{seed[:13]}"
    if kind == "AWS::Route53::HostedZone":
        return f"Z{seed[:20]}"
    if kind == "AWS::Cognito::UserPool":
        return f"{target.region}_{seed[:9]}"
    if kind == "AWS::Cognito::UserPoolClient":
        return seed[:26].lower()
    names = (properties.get(name) for name in (f"{own}Name", f"{own}Identifier", *_NAMED))
    return next((name for name in names if isinstance(name, str) and name), target.name(64))


def _arn(kind: str, region: str, account: str, name: str) -> str:
    service = kind.split("::")[1].lower()
    service = _SERVICES.get(service, service)
    if service == "states":
        return f"arn:{PARTITION}:{service}:{region}:{account}:{name.replace('/', ':')}"
    own = re.sub(r"(?<!^)(?=[A-Z][a-z])", "-", kind.rpartition("::")[2]).lower()
    held = name if "/" in name else f"{_KINDS.get(own, own)}/{name}"
    separator = ":" if service in ("rds", "logs") else "/"
    return f"arn:{PARTITION}:{service}:{region}:{account}:{held.replace('/', separator)}"


def _hex(seed: str) -> str:
    return hashlib.sha256(seed.encode()).hexdigest()


def _number(seed: str) -> int:
    return int(_hex(seed)[:8], 16)
