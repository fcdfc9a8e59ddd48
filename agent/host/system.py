"""The operating system of a host, as its LCA uses it."""

from attrs import frozen

from ...drivers.control import programs
from ...drivers.control.processes import LINUX as PROCESSES
from ...drivers.control.processes import Processes
from ...drivers.vip.kernel import LINUX, Kernel


@frozen
class System:
    """Its network, its processes, and what runs a control command (by default the real ones)."""

    kernel: Kernel = LINUX
    processes: Processes = PROCESSES
    run: programs.Run = programs.run
