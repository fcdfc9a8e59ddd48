"""The handling of one event: from what happened to triggers, from triggers through the tables to commands.

In the order in which an event passes through: `translation` and `results` say which machines an event triggers, `moves`
lets the machines move and carries their outputs on; `hosts` does that for a host that connects or is lost, `reactions`
for log messages. `work` gives commands and keeps what has come of the event so far. `timing` is about timers.

What must be decided stands in the tables (`machines`). The rules that stand in this code instead are numbered through
the whole room, and on in `facts`. Each module opens with its own ones, and each has a test by its number.
"""

from .moves import handle_event
from .work import MACHINES, Machines, Step, Work

__all__ = ["MACHINES", "Machines", "Step", "Work", "handle_event"]
