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

While the agent does not answer, requests that need it are answered by 503 and the reason.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from ..configuration.settings import Configuration
from ..controller.feed import Feed
from ..controller.operator_client import OperatorError
from ..explain.why import account_as_text
from ..history.index import account
from ..history.journal import JournalError
from .access import SESSION_S, Access
from .connection import AgentConnection
from .drawn import Drawings, catalogue, drawn_views
from .guard import Guard
from .helpers import Helpers
from .live import health, live_text
from .metrics import metrics_text
from .plans import Planner

_PACKAGE = __name__.rpartition(".")[0]

LONGEST_BODY, BODY_S = 4096, 5.0
"""How many bytes are read of a request's body, and for how many seconds."""

WRONG_TOKEN_S = 1.0
"""After how many seconds a wrong token is answered."""

STREAMS = 16
"""How many may follow the page at the same time."""

TRIES = 3
"""How often a switchover is asked for again because something happened that makes no difference to its plan."""

LOOK_EVERY_S = 0.2
"""How often the page checks whether its server is ending, in seconds."""

_LOGIN_FAILED = '<p role="alert" class="trouble">That is not the token.</p>'


class Page:
    """The page of the agent that has this configuration; `is_ending` says whether the server is ending."""

    def __init__(self, configuration: Configuration, access: Access, is_ending: Callable[[], bool]) -> None:
        self._access = access
        self._is_ending = is_ending
        self._detection_ms = configuration.solution.detection_ms
        self.agent = AgentConnection(configuration.agent.socket)
        self.feed = Feed(lambda: live_text(self.agent, self._detection_ms), pause_s=0.0)
        self.agent.changed = self.feed.stir
        self._core = ThreadPoolExecutor(1, "core")  # plans and replays: one after the other
        self._journal = configuration.agent.journal
        self._helpers = Helpers()
        self._drawings, self._planner = Drawings(self._helpers), Planner(self.agent, self._core)
        self._streams = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Follow the agent, until the page ends."""
        work = [asyncio.create_task(each) for each in (self.agent.run(), self.feed.run(), self._end_in_time())]
        try:
            yield
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            self._helpers.close()
            self._core.shutdown(wait=False, cancel_futures=True)

    async def _end_in_time(self) -> None:
        """When the server ends, end what it would wait for: streams, and drawings that are being made."""
        while not self._is_ending():
            await asyncio.sleep(LOOK_EVERY_S)
        self._helpers.close()
        self.feed.stir()

    def application(self, lifespan: Callable[[Starlette], contextlib.AbstractAsyncContextManager[None]]) -> ASGIApp:
        """The whole, behind its guard; `lifespan` is entered when the server begins."""
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
        return Guard(Starlette(routes=routes, lifespan=lifespan), self._access)

    @staticmethod
    def _file(name: str, media_type: str):
        content = files(_PACKAGE).joinpath(name).read_bytes()

        async def serve(_: Request) -> Response:
            return Response(content, media_type=media_type)

        return serve

    async def _events(self, request: Request) -> Response:
        if self._streams >= STREAMS:
            return PlainTextResponse("too many follow the page already; try again\n", 503)
        may_switch = self._access.may_switch(request)
        return StreamingResponse(self._stream(may_switch), media_type="text/event-stream")

    async def _stream(self, may_switch: bool) -> AsyncGenerator[str]:
        self._streams += 1
        try:
            yield f"retry: 1000\nevent: hello\ndata: {json.dumps({'may_switch': may_switch})}\n\n"
            async with contextlib.aclosing(self.feed.texts()) as texts:
                async for text in texts:
                    if self._is_ending():
                        return
                    yield f"data: {text}\n\n"
        finally:
            self._streams -= 1

    async def _catalogue(self, _: Request) -> Response:
        return JSONResponse(catalogue())

    async def _diagram(self, request: Request) -> Response:
        machine, view = request.path_params["machine"], request.path_params["view"]
        if view not in {each.name for each in drawn_views(machine)}:
            return PlainTextResponse("no such diagram\n", 404)
        svg = await self._drawings.draw(machine, view)
        if svg is None:
            return PlainTextResponse("the diagram could not be drawn; the page's log says why\n", 503)
        return Response(svg, media_type="image/svg+xml")

    async def _incident(self, request: Request) -> Response:
        number, loop = request.path_params["number"], asyncio.get_running_loop()
        try:
            text = await loop.run_in_executor(self._core, _explained, self._journal, number)
        except JournalError as error:
            return PlainTextResponse(f"{error}\n", 503)
        if text is None:
            return PlainTextResponse("it is not among the latest incidents; try `switchover why`\n", 404)
        return PlainTextResponse(text)

    async def _plan(self, request: Request) -> Response:
        to = request.query_params.get("to", "")
        try:
            plan = await self._planner.plan(to)
        except (OperatorError, ValueError) as error:
            return JSONResponse({"text": str(error)}, 503)
        if plan is None:
            return JSONResponse({"text": f"there is no host or redundant application {to!r}"}, 404)
        shown = {"outcome": plan.outcome, "commands": plan.commands, "text": plan.text}
        return JSONResponse(shown | {"ticket": self._access.ticket(plan.essence)})

    async def _switch(self, request: Request) -> Response:
        if not self._access.may_switch(request):
            return JSONResponse({"text": "without a token only root and the agent's own user may do this"}, 403)
        try:
            asked = json.loads(await _body(request))
            to, ticket = str(asked["to"]), str(asked["ticket"])
        except (ValueError, TypeError, KeyError):
            return JSONResponse({"text": "a JSON object with `to` and `ticket` is expected"}, 400)
        try:
            return await self._switch_as_planned(to, ticket)
        except (OperatorError, ValueError) as error:
            return JSONResponse({"ok": False, "text": str(error)}, 503)

    async def _switch_as_planned(self, to: str, ticket: str) -> Response:
        """Ask for it if the present plan is the one of the ticket; the agent refuses if anything happened since."""
        for _ in range(TRIES):
            plan = await self._planner.plan(to)
            if plan is None or not self._access.is_ticket(ticket, plan.essence):
                break
            reply = await self.agent.ask({"do": "switch", "to": to, "as_of": plan.as_of})
            if not reply.get("changed"):
                return JSONResponse(reply, 200 if reply["ok"] else 409)
        return JSONResponse({"changed": True, "text": "the solution has changed: this is the plan as it is now"}, 409)

    async def _metrics_text(self, _: Request) -> Response:
        if self.agent.present is None:
            return PlainTextResponse(f"{self.agent.trouble}\n", 503)
        text = metrics_text(self.agent.present)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _health(self, _: Request) -> Response:
        result = health(self.agent, self._detection_ms)
        return JSONResponse(result, 200 if result["ok"] else 503)

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


def _explained(journal: Path, number: int) -> str | None:
    """An incident as `switchover why` has it; None if it is not known. Raises `JournalError`."""
    found = account(journal, number, in_index=True)
    return None if found is None else account_as_text(found)


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
