"""The components that request handlers share."""

from __future__ import annotations

import dataclasses
import datetime
import json
from typing import Any, Final

from aiohttp import web

from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.console.auth.console_sessions import Session, Sessions
from roadstead.console.console_settings import ConsoleSettings
from roadstead.console.data import questions
from roadstead.console.data.coverage import Coverage, coverage
from roadstead.console.data.ledger import Ledger
from roadstead.console.data.live import News
from roadstead.console.web.page_rendering import Pages, Statics

Row = questions.Row
SESSION: Final = web.RequestKey("session", Session)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Site:
    """The components of the process for handlers."""

    settings: ConsoleSettings
    ledger: Ledger
    sessions: Sessions
    news: News
    pages: Pages
    statics: Statics

    async def coverage(self, session: Session) -> tuple[Coverage, list[Row]]:
        """Return the coverage of a session, and the rows of its contracts."""
        rows = await questions.contracts(self.ledger)
        parsed: dict[str, ResourceContract] = {
            row["name"]: questions.parse_contract(row) for row in rows
        }
        everything = session.admin or not self.settings.contracts
        own = coverage(parsed.values(), session.caller, everything=everything)
        names = {each.meta.name for each in own.contracts}
        return own, [row for row in rows if row["name"] in names]

    def page(
        self, request: web.Request, template: str, *, status: int = 200, **values: Any
    ) -> web.Response:
        """Render a page, with or without a session."""
        session = request.get(SESSION)
        expires = session and datetime.datetime.fromtimestamp(
            session.claims.expires_at, datetime.UTC
        )
        shared = {
            "session": session,
            "expires": expires,
            "poll": self.settings.poll,
            "provider": self.settings.provider,
        }
        text = self.pages.render(template, {**shared, "path": request.path, **values})
        response = web.Response(text=text, status=status, content_type="text/html")
        response.enable_compression()
        return response


def json_answer(value: Any, *, status: int = 200) -> web.Response:
    """Return a JSON response, with times as RFC 3339."""
    response = web.json_response(value, status=status, dumps=_dumps)
    response.enable_compression()
    return response


def _dumps(value: Any) -> str:
    return json.dumps(value, default=_json_value)


def _json_value(value: object) -> str:
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} is not JSON serializable")
