"""Children of a real-time process get ordinary scheduling.

The daemons run at a real-time priority, which every child process would inherit and keep: a component that a command
starts would stay ahead of everything else on its host. No command gets the priority, not even one that a takeover waits
for: its own children, which do most of the work, would either not have it, or pass it on without end. With three busy
processes per core a command takes some 10 to 30 ms longer for that, and its deadline limits it.
"""

import contextlib
import os
from collections.abc import Generator

_REAL_TIME = (os.SCHED_RR, os.SCHED_FIFO)


@contextlib.contextmanager
def ordinary_children() -> Generator[None]:
    """While this lasts, processes that this thread starts have ordinary scheduling (SCHED_RESET_ON_FORK, sched(7)).

    It must not last longer than starting one, because it applies to threads too. Those have to stay real-time: the
    event loop waits for a thread that holds the interpreter's lock, and on a busy machine an ordinary thread holds it
    for as long as it is not run.
    """
    policy = os.sched_getscheduler(0)
    if policy not in _REAL_TIME:
        yield
        return
    parameters = os.sched_getparam(0)
    os.sched_setscheduler(0, policy | os.SCHED_RESET_ON_FORK, parameters)
    try:
        yield
    finally:
        with contextlib.suppress(PermissionError):  # with RLIMIT_RTPRIO and no CAP_SYS_NICE: the flag stays for good
            os.sched_setscheduler(0, policy, parameters)
