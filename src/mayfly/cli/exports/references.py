"""References among exported things: of names, ARNs, ids and addresses are made `Ref`, `Fn::GetAtt` and `Fn::Sub`.

A reference says what has to be there first, so it is made only where that leads to no circle. What can be foreseen is
written down then, as a name or as an ARN of whatever account and region the template is deployed to; what cannot is
asked for as a parameter.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mayfly.cli.exports.things import Given, Name, Thing
from mayfly.cli.exports.yaml import GetAtt, Ref, Sub

_NAME = r"A-Za-z0-9_\-"  # what a name may go on with, so that a shorter one is not found in it
_BUCKET, _PERMISSION = "AWS::S3::Bucket", "AWS::Lambda::Permission"
# What is refused unless it may call, or send to, what it names; and as whom it does.
_ASKING = {
    _BUCKET: "s3.",
    "AWS::Logs::SubscriptionFilter": "logs.",
    "AWS::SecretsManager::RotationSchedule": "secretsmanager.",
}
# Members in which nobody looks whether what is named is there.
_UNCHECKED = ("Environment", "PolicyDocument", "AssumeRolePolicyDocument", "Policies", "Policy", "SourceArn", "Body")
_POLICIES = ("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")


class Token(NamedTuple):
    """A text by which a thing is known."""

    text: str
    id: str  # logical
    attribute: str  # "" for what `Ref` gives
    foreseen: bool


@dataclass(slots=True)
class Template:
    """What comes of things: resources by their logical ids, and the parameters that they need."""

    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class References:
    """Of all things of one template."""

    def __init__(
        self, things: Mapping[str, Thing], account: str, region: str, hosts: Iterable[str], template: Template
    ) -> None:
        """`things` by logical id; `hosts`: how the platform itself is called, as in "127.0.0.1:4566"."""
        self._things = things
        self._template = template
        self._hosts = tuple(hosts)
        self._account = account
        self._place = re.compile(rf"arn:aws:([a-z0-9-]+):({region})?:({account})?(?![0-9])")
        self._named = {(thing.type, text): id_ for id_, thing in things.items() for text in _refs(thing)}
        found = [token for id_, thing in things.items() for token in _tokens(id_, thing)]
        self._tokens = {token.text: token for token in found if token.text}
        self._known = {
            text: id_ for id_, thing in things.items() for text in (*_refs(thing), *thing.attributes.values())
        }
        self._pattern = _pattern(self._tokens)
        self._edges: dict[str, set[str]] = {id_: set() for id_ in things}
        self._here = ""  # whose properties are looked at

    def resolve(self) -> None:
        """Fill the template."""
        for id_, thing in self._things.items():
            self._edges[id_] |= {self._known[text] for text in thing.after if text in self._known}
            if thing.type in _ASKING:
                self._edges[id_] |= set(self._allowing(thing))
        after = {id_: sorted(found) for id_, found in self._edges.items()}
        self._tie()
        # Roles come last: that a function needs its role says more than that the role names the function.
        order = sorted(self._things, key=lambda id_: self._things[id_].type.startswith("AWS::IAM::"))
        made = {id_: self._resource(id_, after[id_]) for id_ in order}
        self._template.resources = {id_: made[id_] for id_ in self._things}

    def _allowing(self, asking: Thing) -> Iterator[str]:
        """What lets a thing call the functions and send to the queues and topics that it names."""
        named = {text for text in texts(asking.properties) if text.startswith("arn:")}
        for id_, thing in self._things.items():
            if thing.type == _PERMISSION and thing.properties["Principal"].startswith(_ASKING[asking.type]):
                (function,) = names(thing.properties.get("FunctionName"))
                if named & set(self._texts_of(function)):
                    yield id_
            elif (
                thing.type in _POLICIES
                and asking.type == _BUCKET
                and any(text in named for holder in names(thing.properties) for text in self._texts_of(holder))
            ):
                yield id_

    def _texts_of(self, name: Name) -> Iterator[str]:
        target = self._named.get((name.type, name.name))
        if target is not None:
            yield from (self._things[target].ref, *self._things[target].attributes.values())

    def _tie(self) -> None:
        """Note who refers to whom, what needs it most first: what is part of something; what cannot be said otherwise;
        what is checked when the resource is made. Whatever else says a name or an ARN goes without."""
        for id_, thing in self._things.items():
            for name in names(thing.properties):
                target = self._named.get((name.type, name.name))
                if target is not None:
                    self._refers(id_, target)
        for also_foreseen in (False, True):
            for id_, thing in self._things.items():
                for text in texts(thing.properties, () if not also_foreseen else _UNCHECKED):
                    for match in self._pattern.finditer(text):
                        token = self._tokens[match[0]]
                        if also_foreseen or not token.foreseen:
                            self._refers(id_, token.id)

    def _resource(self, id_: str, after: list[str]) -> dict[str, Any]:
        thing = self._things[id_]
        self._here = id_
        properties = {name: self._value(value, (name,)) for name, value in thing.properties.items()}
        body = {"Type": thing.type, **({"DependsOn": after} if after else {}), "Properties": properties}
        if thing.type == _BUCKET:  # names of buckets are taken all over the world
            name = f"{id_}Name"
            self._template.parameters[name] = {
                "Type": "String",
                "Default": thing.properties["BucketName"],
                "Description": "Nobody else may have a bucket of that name",
            }
            body["Properties"] = {**properties, "BucketName": Ref(name)}
        return body

    def _refers(self, id_: str, target: str) -> bool:
        """Whether one may refer to the other; noted where it may."""
        if id_ == target or (target not in self._edges[id_] and self._reaches(target, id_)):
            return False
        self._edges[id_].add(target)
        return True

    def _reaches(self, start: str, end: str) -> bool:
        seen, left = set(), [start]
        while left:
            one = left.pop()
            if one == end:
                return True
            if one not in seen:
                seen.add(one)
                left += self._edges[one]
        return False

    def _value(self, value: Any, place: tuple[str, ...]) -> Any:
        if isinstance(value, Name):
            return self._name(value)
        if isinstance(value, Given):
            return self._given(value, place)
        if isinstance(value, Mapping):
            return {key: self._value(item, (*place, str(key))) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(item, (*place, str(number))) for number, item in enumerate(value)]
        return self._text(value, place) if isinstance(value, str) else value

    def _name(self, name: Name) -> Any:
        target = self._named.get((name.type, name.name))
        if target is None:
            return name.name
        if self._things[target].foreseen and not self._refers(self._here, target):
            return name.name
        return GetAtt(f"{target}.{name.attribute}") if name.attribute else Ref(target)

    def _given(self, value: Given, place: tuple[str, ...]) -> Ref:
        words = [word for word in place if not word.isdecimal()]
        name = (self._here + "".join(re.sub(r"[^A-Za-z0-9]", "", word) for word in words[-2:]))[:200]
        hidden = {"NoEcho": True} if value.secret else {}
        default = {} if value.default is None else {"Default": value.default}
        self._template.parameters[name] = {"Type": value.kind, **hidden, **default, "Description": value.what}
        return Ref(name)

    def _text(self, text: str, place: tuple[str, ...]) -> Any:
        if text == self._account:
            return Ref("AWS::AccountId")
        whole = self._tokens.get(text)
        if whole is not None and self._may(whole):
            return self._reference(whole)
        if whole is not None and whole.id != self._here and not self._may(whole) and not whole.foreseen:
            return self._circular(whole, place)
        bucket = self._bucket(text)
        if bucket is not None:
            return bucket
        parts, at, changed = "", 0, False
        for match in self._pattern.finditer(text):
            token = self._tokens[match[0]]
            said = self._inside(token)
            if said is None:
                continue
            parts += self._anywhere(text[at : match.start()]) + said
            at, changed = match.end(), True
        parts += self._anywhere(text[at:])
        if any(host in parts for host in self._hosts):
            self._template.notes.append(f"{self._here}: {'.'.join(place)} named an address of this platform")
            what = "An address, which was one of the platform that this was exported from"
            return self._given(Given(what, secret=False), place)
        if not changed and parts == text.replace("${", "${!"):
            return text
        return Sub(parts)

    def _bucket(self, text: str) -> Any:
        """A text that is the name of an exported bucket, which may be called otherwise elsewhere."""
        target = self._named.get((_BUCKET, text))
        if target is None or target == self._here:
            return None
        return Ref(target) if self._refers(self._here, target) else Ref(f"{target}Name")

    def _may(self, token: Token) -> bool:
        return token.id != self._here and self._refers(self._here, token.id)

    def _reference(self, token: Token) -> Any:
        return GetAtt(f"{token.id}.{token.attribute}") if token.attribute else Ref(token.id)

    def _inside(self, token: Token) -> str | None:
        """What stands for a token in the middle of a text; None: it stays."""
        thing = self._things[token.id]
        if self._may(token):
            return f"${{{token.id}.{token.attribute}}}" if token.attribute else f"${{{token.id}}}"
        if thing.type == _BUCKET:
            return f"arn:${{AWS::Partition}}:s3:::${{{token.id}Name}}"
        return None

    def _anywhere(self, text: str) -> str:
        """A part of a text with no account, region or partition of its own in its ARNs."""

        def general(match: re.Match[str]) -> str:
            service, region, account = match.groups()
            if not region and not account:
                return match[0]
            region, account = region and "${AWS::Region}", account and "${AWS::AccountId}"
            return f"arn:${{AWS::Partition}}:{service}:{region or ''}:{account or ''}"

        return self._place.sub(general, text.replace("${", "${!"))

    def _circular(self, token: Token, place: tuple[str, ...]) -> Ref:
        self._template.notes.append(
            f"{self._here}: {'.'.join(place)} is what {token.id} gets where it is deployed, and {token.id} needs "
            f"{self._here} first: give it in a second deployment"
        )
        return self._given(Given(f"What {token.id} is called, once it is there", secret=False), place)


def _tokens(id_: str, thing: Thing) -> Iterator[Token]:
    for attribute, text in thing.attributes.items():
        yield Token(text, id_, attribute, thing.foreseen and attribute not in thing.unforeseen)
    for text in _refs(thing):
        # What `Ref` gives is looked for in texts only where it is a name that nothing else can have.
        if text.startswith(("arn:", "http")) or not thing.foreseen:
            yield Token(text, id_, "", thing.foreseen)


def _refs(thing: Thing) -> tuple[str, ...]:
    """The texts that mean what `Ref` gives."""
    return (thing.ref, *thing.also) if thing.ref else ()


def _pattern(tokens: Mapping[str, Token]) -> re.Pattern[str]:
    """Any of the texts, where it is whole: `queue` is not found in `queue-2`, nor, in an ARN, in `queue.fifo`."""
    ids: list[str] = []
    long: list[str] = []
    for text in sorted(tokens, key=len, reverse=True):
        (long if text.startswith(("arn:", "http")) else ids).append(re.escape(text))
    ends = (("|".join(long), rf"(?![{_NAME}]|\.[{_NAME}])"), ("|".join(ids), rf"(?![{_NAME}])"))
    return re.compile("|".join(rf"(?<![{_NAME}])(?:{group}){end}" for group, end in ends if group) or "(?!)")


def texts(value: Any, without: tuple[str, ...] = ()) -> Iterator[str]:
    """All texts in properties, but for those below members called as in `without`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if name not in without:
                yield from texts(item, without)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item, without)


def names(value: Any) -> Iterator[Name]:
    """All names in properties."""
    if isinstance(value, Name):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from names(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from names(item)
