"""Types of resources that Mayfly has not: why each is refused, and which may stand in a template without effect. Pure.

A type is *refused* with its reason, all of a template's at once, unless whoever brings the template says that it is
*inert*: then the stack has a resource of it that nothing is made for, and that answers Ref and Fn::GetAtt
(`resources/inert`). That is said by the stack's tag `mayfly:inert`, which any tool for CloudFormation can set, or by a
setting of the server; in either, words apart by blanks or commas: a type (`AWS::EC2::VPC`), a service (`AWS::EC2`), or
`all`, which means everything in `_INSIDE` and nothing else.

The lists are of services, not of types: a service whose parts make sense only inside AWS does not get a part tomorrow
that makes sense elsewhere. Where Mayfly has the service, the types that it lacks are named one by one.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from mayfly.services.stacks.faults import validation

TAG = "mayfly:inert"
ALL = "all"
CDK_METADATA = "AWS::CDK::Metadata"  # what the CDK tells AWS of itself: accepted always, and not spoken of

_NETWORKS = "networks and machines of AWS; functions run here in networks of their own"
_BALANCERS = "load balancers of AWS's networks; functions and APIs have addresses of their own"
_EDGE = "AWS's content network; put a proxy in front of Mayfly instead"
_NAMES = "names in AWS's DNS; Mayfly answers under any name that leads to it"
_CERTIFICATES = "certificates that AWS keeps; TLS ends at the proxy in front of Mayfly"
_GUARDS = "guards that stand in front of AWS's own addresses"
_AUDITS = "watches over, or bills for, an account of AWS"
_BACKUPS = "backups by AWS; back up the data directory instead"
_CONSOLE = "is looked at in AWS's console alone"
_DELIVERIES = "deliveries into stores of AWS; a function or a pipe can do that here"
_REGISTRIES = "registries of AWS; Mayfly takes images from any registry"
_DATABASES = "databases that AWS runs; functions reach the one that you run"
_BROKERS = "brokers that AWS runs; event source mappings read the one that you run"
_SEARCH = "search engines that AWS runs; functions reach the one that you run"
_CLUSTERS = "machines and clusters of AWS"
_BUILDS = "builds and releases by AWS; use mayfly build and mayfly deploy"
_DATA = "data works of AWS"
_MODELS = "models and agents that AWS runs"
_PEOPLE = "AWS's services for mail, messages and calls to people"
_THINGS = "AWS's gateways for devices"
_DISKS = "file systems in AWS's networks"
_TRANSFERS = "moves data between AWS and elsewhere"
_LEDGERS = "databases that AWS runs, or has ended"
_SETTINGS = "AWS's service for the settings of applications"
_TRACES = "where AWS samples and groups traces; Mayfly's are in its console"

# Services whose parts only mean something inside AWS, each with what they are there.
_INSIDE: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("EC2", "VpcLattice", "NetworkManager", "NetworkFirewall", "DirectConnect"), _NETWORKS),
        **dict.fromkeys(("ElasticLoadBalancing", "ElasticLoadBalancingV2", "GlobalAccelerator"), _BALANCERS),
        "CloudFront": _EDGE,
        **dict.fromkeys(("Route53", "Route53Resolver", "Route53Profiles", "ServiceDiscovery"), _NAMES),
        **dict.fromkeys(("Route53RecoveryControl", "Route53RecoveryReadiness", "ARCRegionSwitch"), _NAMES),
        **dict.fromkeys(("CertificateManager", "ACMPCA"), _CERTIFICATES),
        **dict.fromkeys(("WAF", "WAFRegional", "WAFv2", "Shield", "FMS"), _GUARDS),
        **dict.fromkeys(("GuardDuty", "SecurityHub", "Inspector", "InspectorV2", "Macie", "Detective"), _AUDITS),
        **dict.fromkeys(("AccessAnalyzer", "Config", "CloudTrail", "RAM", "Organizations", "SSO"), _AUDITS),
        **dict.fromkeys(("ControlTower", "ServiceCatalog", "LicenseManager", "Budgets", "CE", "CUR"), _AUDITS),
        **dict.fromkeys(("ResourceGroups", "ResourceExplorer2", "FIS", "DevOpsGuru", "AuditManager"), _AUDITS),
        **dict.fromkeys(("Backup", "BackupGateway", "DLM"), _BACKUPS),
        **dict.fromkeys(("ApplicationInsights", "Grafana", "APS", "ApplicationSignals", "Oam"), _CONSOLE),
        **dict.fromkeys(("Synthetics", "RUM", "InternetMonitor", "ServiceCatalogAppRegistry"), _CONSOLE),
        **dict.fromkeys(("KinesisFirehose", "OSIS"), _DELIVERIES),
        "ECR": _REGISTRIES,
        **dict.fromkeys(("RDS", "DocDB", "DocDBElastic", "Neptune", "NeptuneGraph", "Redshift"), _DATABASES),
        **dict.fromkeys(("RedshiftServerless", "ElastiCache", "MemoryDB", "DAX", "Cassandra", "DSQL"), _DATABASES),
        **dict.fromkeys(("MSK", "KafkaConnect", "AmazonMQ"), _BROKERS),
        **dict.fromkeys(("OpenSearchService", "OpenSearchServerless", "Elasticsearch", "Kendra"), _SEARCH),
        **dict.fromkeys(("KendraRanking", "S3Vectors", "CloudSearch"), _SEARCH),
        **dict.fromkeys(("ECS", "EKS", "Batch", "AppRunner", "ElasticBeanstalk", "OpsWorks", "AutoScaling"), _CLUSTERS),
        **dict.fromkeys(("AutoScalingPlans", "ImageBuilder", "Lightsail", "GameLift", "PCS", "Cloud9"), _CLUSTERS),
        **dict.fromkeys(("CodeBuild", "CodePipeline", "CodeCommit", "CodeArtifact", "CodeConnections"), _BUILDS),
        **dict.fromkeys(("CodeStar", "CodeStarConnections", "CodeStarNotifications", "Amplify", "Proton"), _BUILDS),
        **dict.fromkeys(("AmplifyUIBuilder", "Signer"), _BUILDS),
        **dict.fromkeys(("Glue", "Athena", "LakeFormation", "EMR", "EMRServerless", "EMRContainers"), _DATA),
        **dict.fromkeys(("KinesisAnalytics", "KinesisAnalyticsV2", "DataBrew", "DataZone", "QuickSight"), _DATA),
        **dict.fromkeys(("CleanRooms", "FinSpace", "EntityResolution", "B2BI", "MWAA", "DataPipeline"), _DATA),
        **dict.fromkeys(("SageMaker", "Bedrock", "BedrockAgentCore", "QBusiness", "Lex", "Rekognition"), _MODELS),
        **dict.fromkeys(("Comprehend", "Personalize", "Forecast", "FraudDetector", "LookoutMetrics"), _MODELS),
        **dict.fromkeys(("Wisdom", "HealthLake", "Omics", "HealthImaging", "S3ObjectLambda"), _MODELS),
        **dict.fromkeys(("SES", "Pinpoint", "PinpointEmail", "Connect", "ConnectCampaigns", "Chatbot"), _PEOPLE),
        **dict.fromkeys(("CustomerProfiles", "SMSVOICE", "SSMContacts", "SSMIncidents", "IVS", "Chime"), _PEOPLE),
        **dict.fromkeys(("IoT", "IoTEvents", "IoTAnalytics", "IoTSiteWise", "IoTWireless", "IoTFleetHub"), _THINGS),
        **dict.fromkeys(
            ("IoTCoreDeviceAdvisor", "IoTTwinMaker", "IoTFleetWise", "GreengrassV2", "Greengrass"), _THINGS
        ),
        **dict.fromkeys(("EFS", "FSx", "S3Files", "S3Outposts", "S3Express"), _DISKS),
        **dict.fromkeys(("Transfer", "DataSync", "DMS", "AppFlow", "AppIntegrations", "StorageGateway"), _TRANSFERS),
        **dict.fromkeys(("MediaConvert", "MediaLive", "MediaPackage", "MediaStore", "MediaConnect"), _TRANSFERS),
        **dict.fromkeys(("QLDB", "Timestream", "ManagedBlockchain", "SDB"), _LEDGERS),
        "AppConfig": _SETTINGS,
        **dict.fromkeys(("WorkSpaces", "WorkSpacesWeb", "AppStream", "DirectoryService", "Location"), _CLUSTERS),
        "XRay": _TRACES,
    }
)

# Types of services that Mayfly has, or will have, which only mean something inside AWS all the same.
_TYPES_INSIDE: Mapping[str, str] = MappingProxyType(
    {
        "AWS::ApiGateway::DomainNameAccessAssociation": _NETWORKS,
        "AWS::ApiGateway::VpcLink": _NETWORKS,
        "AWS::ApiGatewayV2::VpcLink": _NETWORKS,
        "AWS::CloudWatch::AnomalyDetector": "bands that AWS learns",
        "AWS::CloudWatch::Dashboard": _CONSOLE,
        "AWS::CloudWatch::InsightRule": _CONSOLE,
        "AWS::Events::Endpoint": "a bus in two regions of AWS; a server of Mayfly is one region",
        "AWS::KMS::Alias": "names of keys that AWS keeps; Mayfly seals what is secret with a key of its own",
        "AWS::KMS::Key": "keys that AWS keeps; Mayfly seals what is secret with a key of its own",
        "AWS::KMS::ReplicaKey": "keys that AWS keeps; Mayfly seals what is secret with a key of its own",
        "AWS::Lambda::NetworkConnector": _NETWORKS,
        "AWS::Logs::AccountPolicy": _AUDITS,
        "AWS::Logs::QueryDefinition": _CONSOLE,
        "AWS::S3::AccessGrantsInstance": _AUDITS,
        "AWS::S3::MultiRegionAccessPoint": _NETWORKS,
        "AWS::S3::StorageLens": _CONSOLE,
        "AWS::SSM::Association": _CLUSTERS,
        "AWS::SSM::Document": _CLUSTERS,
        "AWS::SSM::MaintenanceWindow": _CLUSTERS,
        "AWS::SSM::PatchBaseline": _CLUSTERS,
        "AWS::SSM::ResourceDataSync": _CLUSTERS,
        "AWS::SecretsManager::SecretTargetAttachment": _DATABASES,
    }
)

# What Mayfly is to have and has not yet: of whole services, then of types.
_PLANNED: Mapping[str, str] = MappingProxyType(
    {
        "AppSync": "GraphQL APIs",
        "ApiGateway": "REST APIs of that kind",
        "ApiGatewayV2": "HTTP and WebSocket APIs of that kind",
        "Cognito": "user pools",
        "Events": "parts of buses of that kind",
        "Kinesis": "data streams",
        "Pipes": "pipes of that kind",
        "SNS": "parts of topics of that kind",
        "SSM": "parameters of that kind",
        "Scheduler": "schedules of that kind",
        "SecretsManager": "secrets of that kind",
        "StepFunctions": "state machines",
    }
)
_HAS = (
    "ApplicationAutoScaling", "CloudFormation", "CloudWatch", "CodeDeploy", "DynamoDB", "IAM", "KMS", "Lambda", "Logs",
    "S3", "SQS",
)  # fmt: skip  # the other services that Mayfly has in part

# Where the transform ran, none of these is left. They are named, so that a misspelt type is not taken for a lack of it.
_EXPANDED_BY_SAM = frozenset(
    f"AWS::Serverless::{name}"
    for name in (
        "Api", "Application", "CapacityProvider", "Connector", "Function", "GraphQLApi", "HttpApi", "LayerVersion",
        "SimpleTable", "StateMachine", "WebSocketApi",
    )
)  # fmt: skip
_WORDS = re.compile(r"[\s,]+")


def inside(name: str) -> str | None:
    """What the type is in AWS, if it only means something there."""
    return _TYPES_INSIDE.get(name) or _INSIDE.get(_service(name))


def reason(name: str) -> str | None:
    """Why a type that Mayfly has not is refused; None if nobody knows the type."""
    if (what := inside(name)) is not None:
        return what
    if (planned := _PLANNED.get(_service(name))) is not None:
        return f"Mayfly has no {planned} yet"
    if _service(name) in _HAS:
        return "Mayfly does not have this part of the service"
    return None


def words(text: str) -> frozenset[str]:
    """What a tag or a setting accepts."""
    return frozenset(word.removesuffix("::*") for word in _WORDS.split(text) if word)


def check_words(accepted: Collection[str], used: Collection[str], known: Collection[str]) -> None:
    """`ServiceError` ValidationError for words that name nothing: no type that is `used` in the template or `known` to
    Mayfly, and no service of AWS; with the nearest that there are."""
    if wrong := [told for word in sorted(accepted) if (told := _named_nothing(word, used, known))]:
        raise validation(f"What is accepted as inert ({TAG}) names nothing: {'; '.join(wrong)}.")


def unknown_words(accepted: Collection[str], known: Collection[str]) -> list[str]:
    """Words that name nothing whatever the template, each with the nearest that there are: for settings."""
    return [told for word in sorted(accepted) if (told := _named_nothing(word, (), known))]


def _named_nothing(word: str, used: Collection[str], known: Collection[str]) -> str:
    services = {f"AWS::{_service(name)}" for name in known if _service(name)}
    services |= {f"AWS::{name}" for name in (*_INSIDE, *_PLANNED, *_HAS)}
    parts = word.split("::")
    full = len(parts) >= 3 and all(parts)
    fits = any(name == word or name.rpartition("::")[0] == word for name in used)
    if word == ALL or fits or word in services or (full and (parts[0] != "AWS" or "::".join(parts[:2]) in services)):
        return ""
    names = {*known, *_TYPES_INSIDE} if full else {ALL, *services}
    near = get_close_matches(word, sorted(names), 3, 0.7) or get_close_matches(word, sorted(services), 3, 0.6)
    return f"{word} (near: {', '.join(near)})" if near else word


def accepts(accepted: Collection[str], name: str) -> bool:
    """Whether a type that Mayfly has not may stand in a template, as far as `accepted` goes."""
    named = name in accepted or name.rpartition("::")[0] in accepted
    return name == CDK_METADATA or named or (ALL in accepted and inside(name) is not None)


def refuse(missing: Iterable[str], accepted: Collection[str], *, lenient: bool = False) -> None:
    """`ServiceError` ValidationError for types that Mayfly has not and that nobody `accepted`, with all the reasons.

    `lenient`: what could be accepted passes, for requests that cannot say so.
    """
    left = sorted(name for name in missing if not accepts(accepted, name))
    if lenient:
        left = [name for name in left if inside(name) is None]
    if not left:
        return
    raise validation(f"Template format error: Unrecognized resource types: [{', '.join(left)}]. {_told(left)}")


def _told(left: list[str]) -> str:
    by_reason: dict[str, list[str]] = {}
    for name in left:
        if (why := reason(name)) is not None:
            by_reason.setdefault(why, []).append(name)
    told = [f"{', '.join(names)}: {why}." for why, names in by_reason.items()]
    if able := [name for name in left if inside(name) is not None]:
        told.append(
            f"What only means something inside AWS is accepted without effect where the stack's tag {TAG} names it, "
            f"as in '{able[0]}' or '{ALL}' (mayfly deploy --accept-inert)."
        )
    if not _EXPANDED_BY_SAM.isdisjoint(left):
        told.append("Types of SAM want the line 'Transform: AWS::Serverless-2016-10-31' in the template.")
    elif any(reason(name) is None for name in left):
        told.append("The page reference/resource-types of Mayfly's documentation lists those that it has.")
    return " ".join(told)


def _service(name: str) -> str:
    parts = name.split("::")
    return parts[1] if len(parts) == 3 and parts[0] == "AWS" else ""


def classified() -> Iterable[tuple[str, str]]:
    """What is refused with a reason, and the reason: services as `AWS::EC2`, then types; for the documentation."""
    yield from sorted((f"AWS::{service}", why) for service, why in _INSIDE.items())
    yield from sorted(_TYPES_INSIDE.items())
