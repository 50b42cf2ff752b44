"""Integrations of HTTP APIs with operations of services, by their subtypes."""

from collections.abc import Mapping

from mayfly.clock import Clock
from mayfly.services.apis.http import parameters, selections
from mayfly.services.apis.http.exchange import Exchange
from mayfly.services.apis.http.web import Answers
from mayfly.services.apis.integrations.actions import Actions
from mayfly.services.contract import HttpResponse


class ActionIntegration:
    """`Respond` by calling an operation in the name of a role."""

    def __init__(
        self,
        actions: Actions,
        clock: Clock,
        subtype: str,
        given: Mapping[str, str],
        credentials: str,
        timeout_s: float,
        answers: Answers,
    ) -> None:
        """`given`: the operation's parameters, with selections in them."""
        self._actions = actions
        self._clock = clock
        self._subtype = subtype
        self._given = given
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._answers = answers

    async def respond(self, exchange: Exchange) -> HttpResponse:
        """See `compiled.Respond`. Parameters that a request has no value for are not given."""
        found = {
            name: parameters.render(value, lambda selection: selections.request_value(exchange, selection))
            for name, value in self._given.items()
        }
        asked = {name: value for name, value in found.items() if value}
        return await self._answers.of(
            exchange,
            self._clock,
            lambda: self._actions.call(
                self._subtype, asked, self._credentials, exchange.request.request_id, self._timeout_s
            ),
        )
