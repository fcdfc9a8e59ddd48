"""What the page answers: the page itself, what is live, the plan and the switchover, metrics and health.

GET  /                   the page; /page.css and /page.js belong to it
GET  /events             what is live, as Server-Sent Events: see `live`
GET  /diagrams           which state diagrams there are; /diagrams/MACHINE/VIEW is one, as SVG
GET  /incidents/NUMBER   what was done in an incident, and why
GET  /plan?to=NAME       what a switchover to a host or an application would do now, and the ticket for it
POST /switch             {"to": NAME, "ticket": TICKET}: do it; 409 if the plan has changed since
GET  /metrics            for Prometheus: see `metrics`
GET  /health             200 if the agent serves its purpose, else 503; see `health`
*    /login              the form for the token, where there is one
"""

import asyncio
import json
from collections.abc import AsyncIterator
from importlib.resources import files
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from ..controller.agent import Agent
from ..controller.operator_socket import answer
from ..explain.why import as_text
from .access import SESSION_S, Access
from .drawn import Drawings, catalogue
from .guard import Guard
from .helpers import Helpers
from .live import Live
from .metrics import Metrics
from .planned import Planner

_PACKAGE = __name__.rpartition(".")[0]

LONGEST_BODY, BODY_S = 4096, 5.0
"""How many bytes are read of what is sent, and for how many seconds."""

WRONG_TOKEN_S = 1.0
"""How late a wrong token is answered, in seconds."""

STREAMS = 16
"""How many may look on at the same time."""

_LOGIN_FAILED = '<p role="alert" class="trouble">That is not the token.</p>'


class Page:
    """The page of an agent. Make it before the agent starts."""

    def __init__(self, agent: Agent, access: Access) -> None:
        self._agent = agent
        self._access = access
        self._live, self._metrics = Live(agent), Metrics(agent)
        self._helpers = Helpers()
        self._drawings, self._planner = Drawings(self._helpers), Planner(agent, self._helpers)
        self._streams = 0
        self.feed = self._live.feed

    def close(self) -> None:
        """Whatever takes long is given up."""
        self._helpers.close()

    def application(self) -> ASGIApp:
        """The whole, behind its guard."""
        routes = [
            Route("/", self._file("index.html", "text/html")),
            Route("/page.css", self._file("page.css", "text/css")),
            Route("/page.js", self._file("page.js", "text/javascript")),
            Route("/events", self._events),
            Route("/diagrams", self._catalogue),
            Route("/diagrams/{machine}/{view}", self._diagram),
            Route("/incidents/{number:int}", self._incident),
            Route("/plan", self._plan),
            Route("/switch", self._switch, methods=["POST"]),
            Route("/metrics", self._metrics_text),
            Route("/health", self._health),
            Route("/login", self._login, methods=["GET", "POST"]),
        ]
        return Guard(Starlette(routes=routes), self._access)

    @staticmethod
    def _file(name: str, media_type: str):
        content = files(_PACKAGE).joinpath(name).read_bytes()

        async def serve(_: Request) -> Response:
            return Response(content, media_type=media_type)

        return serve

    async def _events(self, request: Request) -> Response:
        if self._streams >= STREAMS:
            return PlainTextResponse("too many look on already\n", 503)
        may_switch = self._access.may_switch(request)
        return StreamingResponse(self._stream(may_switch), media_type="text/event-stream")

    async def _stream(self, may_switch: bool) -> AsyncIterator[str]:
        self._streams += 1
        try:
            yield f"retry: 1000\nevent: hello\ndata: {json.dumps({'may_switch': may_switch})}\n\n"
            async for text in self.feed.texts():
                yield f"data: {text}\n\n"
        finally:
            self._streams -= 1

    async def _catalogue(self, _: Request) -> Response:
        return JSONResponse(catalogue())

    async def _diagram(self, request: Request) -> Response:
        svg = await self._drawings.draw(request.path_params["machine"], request.path_params["view"])
        return Response(svg, media_type="image/svg+xml") if svg else PlainTextResponse("no such diagram\n", 404)

    async def _incident(self, request: Request) -> Response:
        incident = self._live.incident(request.path_params["number"])
        if incident is None:
            return PlainTextResponse("it is not at hand any more; `switchover why` finds it in the journal\n", 404)
        return PlainTextResponse(as_text(incident))

    async def _plan(self, request: Request) -> Response:
        to = request.query_params.get("to", "")
        if to not in self._switchable():
            return JSONResponse({"text": f"nothing is named {to!r} that could be switched to"}, 404)
        plan = await self._planner.plan(to)
        if plan is None:
            return JSONResponse({"text": "the plan could not be made; the agent's log says why"}, 503)
        told = {"outcome": plan.outcome, "commands": plan.commands, "text": plan.text}
        return JSONResponse(told | {"ticket": self._access.ticket(plan.essence)})

    async def _switch(self, request: Request) -> Response:
        if not self._access.may_switch(request):
            return JSONResponse({"text": "without a token only root and the agent's own user may do this"}, 403)
        try:
            wish = json.loads(await _body(request))
            to, ticket = str(wish["to"]), str(wish["ticket"])
        except (ValueError, TypeError, KeyError):
            return JSONResponse({"text": "a JSON object with `to` and `ticket` is expected"}, 400)
        plan = await self._planner.plan(to) if to in self._switchable() else None
        if plan is None:
            return JSONResponse({"text": "it cannot be told what that would do; look at the plan again"}, 409)
        if not self._access.is_ticket(ticket, plan.essence):
            return JSONResponse(
                {"changed": True, "text": "the solution has changed: this is the plan as it is now"}, 409
            )
        reply = answer(self._agent, {"do": "switch", "to": to})
        return JSONResponse(reply, 200 if reply["ok"] else 409)

    async def _metrics_text(self, _: Request) -> Response:
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _health(self, _: Request) -> Response:
        told = health(self._agent)
        return JSONResponse(told, 200 if told["ok"] else 503)

    async def _login(self, request: Request) -> Response:
        if not self._access.has_token:
            return RedirectResponse("/", 303)
        failed = ""
        if request.method == "POST":
            try:
                token = parse_qs((await _body(request)).decode()).get("token", [""])[0]
            except ValueError:
                token = ""
            if self._access.is_token(token):
                return self._logged_in()
            await asyncio.sleep(WRONG_TOKEN_S)
            failed = _LOGIN_FAILED
        form = files(_PACKAGE).joinpath("login.html").read_text(encoding="utf-8")
        return Response(form.replace("<!-- failed -->", failed), 401 if failed else 200, media_type="text/html")

    def _logged_in(self) -> Response:
        response = RedirectResponse("/", 303)
        response.set_cookie(
            self._access.cookie,
            self._access.session(),
            max_age=SESSION_S,
            secure=self._access.is_tls,
            httponly=True,
            samesite="strict",
        )
        return response

    def _switchable(self) -> list[str]:
        topology = self._agent.solution.topology
        return [*topology.hosts, *(name for pair in topology.pairs for name in pair.applications)]


def health(agent: Agent) -> dict[str, object]:
    """Whether the agent serves its purpose: its loop turns, or there would be no answer, and it hears a host.

    A host is heard if it is connected and nothing of it is older than the detection time. One that is not heard is a
    matter for the metrics: the agent copes with it.
    """
    limit_ms = agent.configuration.solution.detection_ms
    links = zip(agent.solution.topology.hosts, agent.solution.state.links, strict=True)
    ages = {host: agent.heard_ms_ago(host) for host, link in links if link in ("connected", "silent")}
    heard = [host for host, age_ms in ages.items() if age_ms is not None and age_ms <= limit_ms]
    reason = "" if heard else f"no host was heard for {limit_ms} ms"
    return {"ok": bool(heard), "heard": heard, "reason": reason}


async def _body(request: Request) -> bytes:
    """What was sent. `ValueError` if it is too long, or takes too long."""
    body = b""
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.stream():
                body += part
                if len(body) > LONGEST_BODY:
                    raise ValueError("too long")
    except TimeoutError:
        raise ValueError("too late") from None
    return body
