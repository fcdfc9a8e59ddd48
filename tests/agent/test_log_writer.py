"""A log that nobody reads stops no daemon, and what was dropped is counted."""

import logging
import os
import signal
import threading

import pytest
from support.daemon_site import A1, PATIENCE_S, ended, until
from switchover.agent.controller.operator_client import ask
from switchover.agent.daemons import log_writer
from switchover.agent.daemons.log_writer import LogWriter

FILLS_THE_PIPE = 1500
"""Events, each of which is logged with its decision in some hundred bytes; a pipe holds 64 KiB."""


@pytest.fixture
def logger(monkeypatch):
    """A logger of its own, with the writer's descriptor given to `use`."""
    log = logging.Logger("switchover.test")

    def use(descriptor: int) -> logging.Logger:
        log.addHandler(LogWriter(descriptor))
        return log

    return use


def test_an_agent_goes_on_while_nobody_reads_its_log(site):
    site.configure()
    site.run_application()
    site.start("lca", "host1")
    agent = site.start("agent")
    until(lambda: site.states()[0] == "connected")
    for _ in range(FILLS_THE_PIPE):
        ask(site.socket, {"do": "event", "id": "00-5150", "application": A1})
    assert site.states()[0] == "connected"
    status, unexpected = ended(agent, signal.SIGTERM)
    assert (status, unexpected) == (0, [])


def test_dropped_records_are_counted_once_there_is_room(logger, monkeypatch):
    monkeypatch.setattr(log_writer, "WAITING", 10)
    reading, writing = os.pipe()
    log = logger(writing)
    long = "x" * 1000
    for number in range(1000):
        log.warning("%d %s", number, long)
    said = bytearray()

    def read() -> None:
        while b"the end" not in said:
            said.extend(os.read(reading, 65536))

    reader = threading.Thread(target=read)
    reader.start()
    log.handlers[0].flush()
    log.warning("the end")
    reader.join(PATIENCE_S)
    lines = said.decode().splitlines()
    written = sum(line.endswith(long) for line in lines)
    dropped = sum(int(line.split()[0]) for line in lines if line.endswith("dropped here: nobody read the log"))
    assert (written + dropped, dropped > 0, lines[-1]) == (1000, True, "the end")
    os.close(reading)
    os.close(writing)


def test_a_flush_does_not_wait_for_a_reader_for_ever(logger, monkeypatch):
    monkeypatch.setattr(log_writer, "FLUSH_S", 0.05)
    reading, writing = os.pipe()
    log = logger(writing)
    for _ in range(200):
        log.warning("x" * 1000)
    log.handlers[0].flush()
    os.close(reading)
    log.handlers[0].flush()
    log.warning("nobody can read this, and nothing happens")
    os.close(writing)
