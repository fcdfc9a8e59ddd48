"""What every request passes: the rules of `access`, a limit on how many are answered, and the headers of answers."""

import time
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .access import Access

OPEN = frozenset(("/login", "/page.css", "/page.js"))
"""What is answered without a login: the form, and the files that it needs."""

PER_S, AT_ONCE = 40.0, 80.0
"""How many requests are answered a second, and how many at once after a rest: this machine has other work to do."""

HEADERS: Mapping[str, str] = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """The application, behind its rules."""

    def __init__(self, application: ASGIApp, access: Access) -> None:
        self._application = application
        self._access = access
        self._left, self._since = AT_ONCE, time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification; there are HTTP requests here, and the server's begin and end (lifespan)."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(HTTPConnection(scope))
        await (refusal or self._application)(scope, receive, send_with_headers)

    def _refusal(self, request: HTTPConnection) -> Response | None:
        """Why it is not answered; None if it is."""
        if not self._access.is_for_us(request.headers):
            return PlainTextResponse("this is another host's page: see `names` of [page]\n", 421)
        if self._is_too_much():
            return PlainTextResponse("too many requests; try again\n", 429, {"retry-after": "1"})
        if request.scope["path"] not in OPEN and not self._access.is_known(request):
            if request.scope["path"] == "/":
                return RedirectResponse("/login", 303)
            return PlainTextResponse("log in first, or send the token\n", 401, {"www-authenticate": "Bearer"})
        if not self._access.is_own(request):
            return PlainTextResponse("this must come from the page itself, or with the token\n", 403)
        return None

    def _is_too_much(self) -> bool:
        now = time.monotonic()
        self._left = min(AT_ONCE, self._left + (now - self._since) * PER_S)
        self._since = now
        if self._left < 1:
            return True
        self._left -= 1
        return False
