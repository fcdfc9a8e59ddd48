"""The signals that a daemon takes: SIGTERM and SIGINT end it in order, and SIGHUP is logged and ignored.

systemd counts an end by SIGHUP as a clean one (systemd.service(5), `Restart=`), so a daemon that ended by it would stay
down. A handler is used, never SIG_IGN, which every child process would inherit.
"""

import asyncio
import logging
import signal

LOG = logging.getLogger("switchover")

HANGUP = "SIGHUP is ignored: a daemon does not read its configuration again; restart it to use a changed one"


def outlive_hangup() -> None:
    """From now on SIGHUP does not end this process; it is logged once the event loop takes signals."""
    signal.signal(signal.SIGHUP, _nothing)


def log_hangups() -> None:
    """Log each SIGHUP from now on. Call it in the running event loop."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, LOG.warning, HANGUP)


def stop_requests() -> asyncio.Event:
    """Take signals in the running event loop from now on; the event is set by SIGTERM and SIGINT."""
    log_hangups()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _nothing(*_: object) -> None:
    pass
