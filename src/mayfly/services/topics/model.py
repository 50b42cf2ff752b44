"""The nouns of topics, the limits that Amazon SNS documents, and the names of the platform's own work."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

PRINCIPAL = "sns.amazonaws.com"
MAX_MESSAGE_BYTES = 256 * 1024  # unless the topic says otherwise
MOST_MESSAGE_BYTES = (1024, 1024 * 1024)  # what it may say
MAX_BATCH = 10
MAX_SUBJECT = 100
MAX_TAGS = 50
PAGE = 100
DEDUPLICATION_S = 300.0
CONFIRM_S = 2 * 24 * 3600.0
MOST_FIFO_SUBSCRIPTIONS = 100

LOCAL = ("sqs", "lambda")
URLS = ("http", "https")
SERVED = (*LOCAL, *URLS)
KNOWN = (*SERVED, "email", "email-json", "sms", "application", "firehose")

FANOUT = "topics.fanout"
REPLAYS = "topics.replays"


def lane_queue(subscription_id: int) -> str:
    """The ready queue of deliveries to one URL: one each, so that none waits behind another's."""
    return f"topics.http.{subscription_id}"


class Topic(Struct, frozen=True, omit_defaults=True):
    """A topic. `attributes` are as they were given, by SNS's names, and were valid then."""

    id: int
    account: str
    region: str
    name: str
    created_at: float
    fifo: bool = False
    attributes: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}
    archived_since: float | None = None  # while there is an ArchivePolicy
    deleted: int = 0  # subscriptions

    @property
    def arn(self) -> str:
        return f"arn:aws:sns:{self.region}:{self.account}:{self.name}"

    @property
    def max_bytes(self) -> int:
        """Bytes of a message, attributes included."""
        return int(self.attributes.get("MaximumMessageSize", MAX_MESSAGE_BYTES))

    @property
    def signature_version(self) -> str:
        return self.attributes.get("SignatureVersion", "1")


class Replay(Struct, frozen=True, omit_defaults=True):
    """A replay that was asked for."""

    id: str
    status: Literal["Pending", "In progress", "Completed", "Failed"]
    until: float | None = None  # None: to the end of the archive, and then what is published

    @property
    def holds(self) -> bool:
        """Whether what is published meanwhile comes by the replay, in its turn."""
        return self.until is None and self.status in ("Pending", "In progress")


class Subscription(Struct, frozen=True, omit_defaults=True):
    """A subscription, confirmed or not. `attributes` as in `Topic`."""

    id: int
    topic_id: int
    topic_arn: str
    uuid: str
    protocol: str
    endpoint: str  # as it is kept, see `endpoints.py`
    owner: str  # an account
    base_url: str  # how whoever subscribed reached the platform; links in messages begin with it
    created_at: float
    attributes: Mapping[str, str] = {}
    principal: str = ""  # the ARN of who subscribed
    token: str = ""  # that confirms it
    confirmed: bool = False
    authenticated: bool = False  # the confirmation was signed
    authenticate_on_unsubscribe: bool = False
    replay: Replay | None = None
    sealed_url: bytes | None = None  # where the endpoint is a URL with a password

    @property
    def arn(self) -> str:
        return f"{self.topic_arn}:{self.uuid}"

    @property
    def raw(self) -> bool:
        return self.attributes.get("RawMessageDelivery") == "true"


class Attribute(Struct, frozen=True, array_like=True):
    """One attribute of a message; binary values are base64, as they came."""

    name: str
    type: str
    value: str

    @property
    def binary(self) -> bool:
        return self.type.startswith("Binary")


class Message(Struct, frozen=True, omit_defaults=True):
    """What was published, checked."""

    id: str
    text: str  # for every protocol that has no text of its own
    published_at: float
    subject: str | None = None
    texts: Mapping[str, str] = {}  # by protocol
    attributes: tuple[Attribute, ...] = ()
    group_id: str | None = None
    deduplication_id: str | None = None
    sequence: int | None = None  # of FIFO topics
    sender: str = ""
    replayed: bool = False
    trace: str | None = None  # that the publish is part of

    def text_for(self, protocol: str) -> str:
        return self.texts.get(protocol, self.text)

    @property
    def sequence_number(self) -> str | None:
        """As SNS writes it: twenty digits, which sort like the numbers."""
        return None if self.sequence is None else f"1{self.sequence:019d}"


class FanOut(Struct, frozen=True, omit_defaults=True):
    """A message on its way to the subscriptions after one of them."""

    topic_id: int
    message: Message
    after: int = 0


class ReplayWork(Struct, frozen=True, omit_defaults=True):
    """Where a replay stands."""

    subscription_id: int
    replay_id: str
    after: int  # sequence


class Delivery(Struct, frozen=True, omit_defaults=True):
    """One delivery to a URL as it waits in the ready queue."""

    subscription_id: int
    accepted_at: float
    message: Message | None = None  # a notification
    handshake: Literal["SubscriptionConfirmation", "UnsubscribeConfirmation"] | None = None
    body: str = ""  # of a handshake
    message_id: str = ""  # of a handshake
    url: str = ""  # of an UnsubscribeConfirmation, whose subscription is gone
    topic_arn: str = ""  # likewise
    retries: int = 0  # so far
