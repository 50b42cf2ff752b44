"""What a FIFO queue promises, as a model that every delivery is held against.

Knows nothing of how queues are stored: it hears what was sent, delivered, deleted and held, and objects.
"""

from dataclasses import dataclass, field

WINDOW_S = 300.0


@dataclass
class Sent:
    """A message that was accepted and is not deleted."""

    body: str
    group: str
    visible_at: float
    delivered: bool = False


@dataclass
class Rules:
    """The model of one queue. Times are the test's."""

    messages: list[Sent] = field(default_factory=list)  # in the order in which they were sent
    window: dict[str, float] = field(default_factory=dict)  # when each deduplication id was taken

    def sent(self, body: str, group: str, deduplication_id: str, now: float) -> bool:
        """Whether a message that was sent now is one more, and no duplicate."""
        taken_at = self.window.get(deduplication_id)
        if taken_at is not None and now < taken_at + WINDOW_S:
            return False
        self.window[deduplication_id] = now
        self.messages.append(Sent(body, group, now))
        return True

    def delivered(self, bodies: list[str], most: int, now: float, until: float) -> None:
        """AssertionError unless one receive of `most` may have given these, and had no more to give."""
        if len(bodies) < most:
            assert set(self.ready(now)) <= set(bodies), "something was ready and did not come"
        assert len(set(bodies)) == len(bodies), "a message twice in one reply"
        for body in bodies:
            message = self.find(body)
            assert message is not None, f"{body} is a duplicate, or deleted"
            assert message.visible_at <= now, f"{body} is in flight"
            for earlier in self.messages:
                if earlier is message:
                    break
                assert earlier.group != message.group or (earlier.delivered and earlier.body in bodies), (
                    f"{body} overtook {earlier.body}"
                )
            message.delivered = True
            message.visible_at = max(now, until)

    def ready(self, now: float) -> list[str]:
        """What may be delivered: of each group as much as precedes what is in flight."""
        blocked: set[str] = set()
        found = []
        for message in self.messages:
            if message.visible_at > now:
                blocked.add(message.group)
            elif message.group not in blocked:
                found.append(message.body)
        return found

    def deleted(self, body: str) -> None:
        """A message is gone."""
        self.messages = [message for message in self.messages if message.body != body]

    def held(self, body: str, until: float) -> None:
        """A message's visibility was changed."""
        message = self.find(body)
        assert message is not None
        message.visible_at = until

    def find(self, body: str) -> Sent | None:
        """The message with that body, unless it is gone."""
        return next((message for message in self.messages if message.body == body), None)

    def counts(self, now: float) -> tuple[int, int, int]:
        """How many are visible, in flight and delayed."""
        hidden = sum(message.visible_at > now for message in self.messages)
        return len(self.messages) - hidden, hidden, 0
