"""Punctuality: a controller that is delayed takes its own delay for another host's silence."""

import contextlib
import gc
import logging
import os
import sys

LOG = logging.getLogger("switchover")

PRIORITY = 1
"""The lowest real-time priority: ahead of all ordinary processes, behind all other real-time ones."""


SWITCH_S = 0.0005
"""How long a thread that reads files may keep the event loop waiting for the interpreter, in seconds."""


def be_punctual() -> None:
    """Ask the kernel to run this process ahead of ordinary ones, and keep the garbage collector out of the way.

    It applies to the present threads, and later ones inherit it; child processes do not (see
    `drivers.control.scheduling`). Without the privilege (CAP_SYS_NICE) the process stays an ordinary one; on a busy
    machine a detection time below 300 ms is then unwise.
    """
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH_S)
    try:
        for thread in os.listdir("/proc/self/task"):
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setscheduler(int(thread), os.SCHED_RR, os.sched_param(PRIORITY))
    except OSError as error:
        LOG.warning("no real-time priority (%s): do not set detection_ms below 300 on a busy machine", error.strerror)
