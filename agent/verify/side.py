"""The hosts of one side as numbers, in the order in which they are met, and what each of them can do next."""

from collections.abc import Callable

import numpy as np

from ...fsm import HostCommand
from .arrays import Column, Numbers, TooLargeError
from .host import Host, HostModel
from .watched import Occurrence

HOST_BITS = 15


class Side:
    """The numbered hosts of one side, and the steps that each of them can take."""

    def __init__(self, model: HostModel, number_event: Callable[[Occurrence], int]) -> None:
        self.model = model
        self._number_event = number_event
        self.values: list[Host] = []
        self._numbers: dict[Host, int] = {}
        self.texts: list[str] = []
        self.first, self.count = Column(np.int64), Column(np.int64)
        self.after, self.event = Column(np.int64), Column(np.int64)
        self.announces, self.fault = Column(np.bool_), Column(np.bool_)
        self.forgotten, self.parted = Column(np.int64), Column(np.int64)
        self.is_quiet, self.holds_in_sight = Column(np.bool_), Column(np.bool_)
        self.is_expanded = Column(np.bool_)
        self._received = np.full((64, 64), -1, np.int64)

    def number(self, host: Host) -> int:
        """The number of a host."""
        number = self._numbers.get(host)
        if number is None:
            number = self._numbers[host] = len(self.values)
            if number >> HOST_BITS:
                raise TooLargeError(f"more than {1 << HOST_BITS} conditions of one host")
            self.values.append(host)
            for column in (self.first, self.count, self.forgotten, self.parted, self.is_expanded):
                column.append(0)
            self.is_quiet.append(host.is_quiet)
            self.holds_in_sight.append(host.holds_vip and (host.net, host.link) == ("fine", "up"))
        return number

    def expand(self, hosts: Numbers) -> None:
        """See to it that the steps of these hosts are known."""
        new: list[int] = np.unique(hosts[~self.is_expanded.all[hosts]]).tolist()
        for number in new:
            host = self.values[number]
            moves = tuple(self.model.moves(host))
            self.first.all[number], self.count.all[number] = len(self.after), len(moves)
            self.is_expanded.all[number] = True
            for move in moves:
                self.texts.append(move.text)
                self.after.append(self.number(move.host))
                self.event.append(self._number_event(move.told) if move.told else -1)
                self.announces.append(move.announces)
                self.fault.append(move.fault)
            self.forgotten.all[number] = self.number(self.model.forgotten(host))
            parted = self.model.parted(host)
            self.parted.all[number] = -1 if parted is None else self.number(parted)

    def receive(self, hosts: Numbers, batches: Numbers, commands: list[tuple[HostCommand, ...]]) -> Numbers:
        """The hosts when the agent has sent them these batches of commands; batch 0 is empty."""
        if not batches.any():
            return hosts
        rows, columns = self._received.shape
        if len(self.values) > rows or len(commands) > columns:
            grown = np.full((max(rows, 2 * len(self.values)), max(columns, 2 * len(commands))), -1, np.int64)
            grown[:rows, :columns] = self._received
            self._received = grown
        after = self._received[hosts, batches]
        unknown = after < 0
        if unknown.any():
            pairs: list[tuple[int, int]] = np.unique(np.stack((hosts[unknown], batches[unknown]), 1), axis=0).tolist()
            for host, batch in pairs:
                received = self.model.receive(self.values[host], commands[batch])
                self._received[host, batch] = self.number(received)
            after = self._received[hosts, batches]
        return after
