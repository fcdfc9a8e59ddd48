"""Who may do what on the page, decided before anything else is done.

Against whom, and how:

- *Another web site, in an operator's browser.* It can send requests, and must not learn or move anything. What changes
  something must come from one of the page's own origins (`Origin`), as JSON or from the login form, and a switchover
  needs the ticket of its plan, which no other site can read. Cookies are `SameSite=Strict`; no other
  site may frame the page, and no script runs but the page's own (Content-Security-Policy without inline script).
- *A name that leads to this address by DNS rebinding.* Only the configured names and addresses are answered (`Host`).
- *Another user of this machine*, while the page is on loopback without a token. They can look. A switchover is for root
  and for the user of the agent and of this process alone, as on the agent's socket; the kernel says whose connection it
  is (`peer`).
- *Anybody in the network*, when it is not on loopback. TLS and the token are demanded by the configuration; without the
  token there is nothing but the login form. The token is compared in constant time, a wrong one is answered late, a
  login ends after `SESSION_S` or with this process, and no script can read its cookie.
- *A client that opens connections and never ends them.* See `server`.
- *One who has taken this process over.* They may do what an operator may, and read the agent's journal, but nothing
  more: the process has no privileges (its unit), and the agent waits for none of its clients.

Weaknesses, admitted. Cookies know no ports: with a token on loopback, a server of another user of this machine gets the
cookie of an operator who visits it, on another port of the same address. And as the page runs as the agent's user, one
who has taken it over can end the agent (kill(2)), which systemd starts again.
"""

import hashlib
import hmac
import os
import secrets
import time
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from ..configuration.settings import PageSettings
from .errors import PageError
from .peer import uid_of

SESSION_S = 12 * 3600
"""How long a login lasts, in seconds."""

SHORTEST_TOKEN = 16
"""How many characters a token has at least."""

_OTHERS = 0o077
_SAFE = ("GET", "HEAD")


class Access:
    """What the configuration allows. Raises `PageError` if the token cannot be read."""

    def __init__(self, settings: PageSettings) -> None:
        self.is_tls = settings.tls_certificate is not None
        self.cookie = "__Host-switchover" if self.is_tls else "switchover"
        self._key = secrets.token_bytes(32)
        self._token = _token_in(settings.token_file) if settings.token_file else None
        self._hosts = _hosts(settings)
        scheme = "https" if self.is_tls else "http"
        self._origins = {f"{scheme}://{host}" for host in self._hosts}

    @property
    def has_token(self) -> bool:
        """Whether one must log in."""
        return self._token is not None

    def is_for_us(self, headers: Headers) -> bool:
        """Whether the request names this page: its address, or one of its names."""
        return headers.get("host", "").lower() in self._hosts

    def is_known(self, request: HTTPConnection) -> bool:
        """Whether the client has logged in, or sends the token; without a token every client counts as known."""
        return self._token is None or self.has_bearer(request) or self._is_session(request.cookies.get(self.cookie, ""))

    def is_token(self, token: str) -> bool:
        """Whether this is the token."""
        return self._token is not None and hmac.compare_digest(_digest(token), _digest(self._token))

    def has_bearer(self, request: HTTPConnection) -> bool:
        """Whether the request has the token in its `Authorization`, which no other web site can make a browser send."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.is_token(token.strip())

    def is_own(self, request: HTTPConnection) -> bool:
        """Whether a request that changes something comes from the page itself, or from a program with the token."""
        if request.scope["method"] in _SAFE:
            return True
        origin = request.headers.get("origin")
        return origin in self._origins if origin else self.has_bearer(request)

    def may_switch(self, request: HTTPConnection) -> bool:
        """Whether the client may switch over: with the token, or without one root and the agent's user on loopback."""
        if self.has_token:
            return self.is_known(request)
        client, server = request.scope["client"], request.scope["server"]
        return uid_of(client, server) in (0, os.geteuid())

    def session(self) -> str:
        """The value of a cookie that is valid for `SESSION_S` from now on."""
        return self._signed("session", str(int(time.time()) + SESSION_S))

    def ticket(self, plan: str) -> str:
        """What a request for a switchover must contain to be granted on the strength of this plan."""
        return self._signed("plan", hashlib.sha256(plan.encode()).hexdigest())

    def is_ticket(self, ticket: str, plan: str) -> bool:
        """Whether the ticket belongs to this plan."""
        return hmac.compare_digest(_digest(ticket), _digest(self.ticket(plan)))

    def _is_session(self, cookie: str) -> bool:
        end = cookie.partition(".")[0]
        is_ours = hmac.compare_digest(_digest(cookie), _digest(self._signed("session", end)))
        return is_ours and int(end) > time.time()

    def _signed(self, purpose: str, text: str) -> str:
        return f"{text}.{hmac.digest(self._key, f'{purpose} {text}'.encode(), 'sha256').hex()}"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _hosts(settings: PageSettings) -> frozenset[str]:
    address = f"[{settings.address}]" if settings.address.version == 6 else str(settings.address)
    names = [address, *settings.names, *(["localhost"] if settings.address.is_loopback else [])]
    return frozenset(f"{name.lower()}:{settings.port}" for name in names)


def _token_in(path: Path) -> str:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & _OTHERS:
                raise PageError(f"{path} holds the page's token and is open to others; run: chmod 600 {path}")
            token = file.read().decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise PageError(f"cannot read the page's token from {path}: {error}") from error
    if len(token) < SHORTEST_TOKEN or not token.isprintable() or " " in token:
        raise PageError(f"{path} is to hold {SHORTEST_TOKEN} characters or more on one line, without blanks")
    return token
