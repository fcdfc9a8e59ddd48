"""The page as a process beside the agent's: whatever happens to it, the agent decides, commands and answers."""

import http.client
import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from support.daemon_site import A1, Site, until
from support.ports import free_port
from switchover.agent.controller.operator_client import ask

ROUNDS = 3


class PageSite:
    """A site whose agent and LCA run, with a page beside them."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.port = free_port()
        self.held: list[socket.socket] = []
        site.configure_start_and_stop()
        with site.file.open("a") as file:
            file.write(f"[page]\nport = {self.port}\n")
        site.start("lca", "host1")
        site.start("agent")
        until(lambda: site.states()[0] == "connected")
        self.begin_page()

    def begin_page(self) -> None:
        """Start the page, and wait until it hears the agent."""
        self.page = self.site.start("page")
        until(self.hears)

    def hears(self) -> bool:
        """Whether the page answers and reports that the agent hears host1."""
        try:
            return self.site.namespace.call(self._health) == {"ok": True, "heard": ["host1"], "reason": ""}
        except OSError:
            return False

    def _health(self) -> object:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", "/health")
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def hold(self, sent: bytes, count: int) -> None:
        """Open connections, send this on each, and never read."""
        for _ in range(count):
            connection = self.site.namespace.call(socket.create_connection, ("127.0.0.1", self.port), 20)
            connection.sendall(sent)
            self.held.append(connection)

    def let_go(self) -> None:
        """Close these connections."""
        for connection in self.held:
            connection.close()
        self.held.clear()

    def works(self) -> None:
        """The agent has the application started and stopped: decided, journalled, done by the host, and answered."""
        for _ in range(ROUNDS):
            for what in ("start", "stop"):
                done = f"done {what} {A1}"
                before = self.site.events().count(done)
                assert ask(self.site.socket, {"do": what, "application": A1})["ok"] is True
                until(lambda done=done, before=before: self.site.events().count(done) == before + 1)
                assert ask(self.site.socket, {"do": "status"})["ok"] is True


@pytest.fixture
def page_site(site: Site) -> PageSite:
    return PageSite(site)


def state_of(process: subprocess.Popen[str]) -> str:
    """The state of a process in the kernel; T means stopped."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_stopped_page_delays_nothing_and_then_shows_the_present_state(page_site):
    page_site.hold(f"GET /events HTTP/1.1\r\nhost: 127.0.0.1:{page_site.port}\r\n\r\n".encode(), 4)
    os.kill(page_site.page.pid, signal.SIGSTOP)
    until(lambda: state_of(page_site.page) == "T")
    page_site.works()
    assert state_of(page_site.page) == "T"
    os.kill(page_site.page.pid, signal.SIGCONT)
    page_site.let_go()
    until(page_site.hears)


def test_a_killed_page_delays_nothing_and_a_new_one_takes_its_place(page_site):
    page_site.page.kill()
    page_site.page.wait()
    page_site.works()
    page_site.begin_page()


@pytest.mark.parametrize("sent", [b"", b"GET /health HTTP/1.1\r\nx: ", b"\xff" * 1000], ids=["nothing", "half", "junk"])
def test_a_flooded_page_delays_nothing(page_site, sent):
    page_site.hold(sent, 300)
    page_site.works()
    page_site.let_go()
    until(page_site.hears)


def test_a_restarted_agent_is_heard_again(page_site):
    agent = page_site.site.processes[1]
    agent.kill()
    agent.wait()
    until(lambda: "no agent answers" in page_site.site.namespace.call(page_site._health)["reason"])
    page_site.site.start("agent")
    until(page_site.hears)
    page_site.works()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_page_ends_in_order_even_without_an_agent(site, number):
    site.configure()
    with site.file.open("a") as file:
        file.write(f"[page]\nport = {free_port()}\n")
    page = site.start("page")
    page.send_signal(number)
    _, errors = page.communicate(timeout=60)
    assert page.returncode == {signal.SIGTERM: 0, signal.SIGINT: 130}[number]
    assert "Traceback" not in errors
    assert "ERROR" not in errors
