"""The host states of one side as numbers, in the order in which they are met, and the moves of each."""

from collections.abc import Callable

import numpy as np

from ....fsm import HostCommand
from ..arrays.sets import Column, Numbers, TooLargeError
from ..arrays.stepping import HOST_BITS, UNKNOWN, HostTables, Ints
from .host import Host, HostModel
from .watched import Occurrence


class Side:
    """The numbered host states of one side, and the moves of each."""

    def __init__(self, model: HostModel, number_event: Callable[[Occurrence], int]) -> None:
        self.model = model
        self._number_event = number_event
        self.values: list[Host] = []
        self._numbers: dict[Host, int] = {}
        self.texts: list[str] = []
        self.first, self.count = Column(np.int32), Column(np.int32)
        self.after, self.event = Column(np.int32), Column(np.int32)
        self.announces, self.fault = Column(np.bool_), Column(np.bool_)
        self.forgotten, self.parted = Column(np.int32), Column(np.int32)
        self.is_quiet, self.holds_in_sight = Column(np.bool_), Column(np.bool_)
        self._received: Ints = np.full((64, 64), -1, np.int32)

    def number(self, host: Host) -> int:
        """The number of a host state. Raises `TooLargeError` if there are more than a key has room for."""
        number = self._numbers.get(host)
        if number is None:
            number = self._numbers[host] = len(self.values)
            if number >> HOST_BITS:
                raise TooLargeError(f"more than {1 << HOST_BITS} states of one host")
            self.values.append(host)
            for column in (self.first, self.forgotten, self.parted):
                column.append(0)
            self.count.append(UNKNOWN)
            self.is_quiet.append(host.is_quiet)
            self.holds_in_sight.append(host.holds_vip and (host.net, host.link) == ("fine", "up"))
        return number

    def expand(self, hosts: Numbers) -> None:
        """Compute the moves of these host states, where that has not been done yet."""
        new: list[int] = np.unique(hosts[self.count.all[hosts] == UNKNOWN]).tolist()
        for number in new:
            host = self.values[number]
            moves = tuple(self.model.moves(host))
            self.first.all[number], self.count.all[number] = len(self.after), len(moves)
            for move in moves:
                self.texts.append(move.text)
                self.after.append(self.number(move.host))
                self.event.append(self._number_event(move.occurrence) if move.occurrence else -1)
                self.announces.append(move.announces)
                self.fault.append(move.fault)
            self.forgotten.all[number] = self.number(self.model.forgotten(host))
            parted = self.model.parted(host)
            self.parted.all[number] = -1 if parted is None else self.number(parted)

    def receive(self, host: int, batch: int, commands: tuple[HostCommand, ...]) -> None:
        """Compute which host state follows when the agent sends a host this batch of commands."""
        self._received[host, batch] = self.number(self.model.receive(self.values[host], commands))

    def tables(self, batches: int) -> HostTables:
        """The tables so far, with room for `batches` batches of commands; later growth does not change the arrays."""
        rows, columns = self._received.shape
        if len(self.values) > rows or batches > columns:
            grown = np.full((max(rows, 2 * len(self.values)), max(columns, 2 * batches)), -1, np.int32)
            grown[:rows, :columns] = self._received
            self._received = grown
        return HostTables(
            first=self.first.all,
            amount=self.count.all,
            after=self.after.all,
            event=self.event.all,
            announces=self.announces.all,
            fault=self.fault.all,
            forgotten=self.forgotten.all,
            parted=self.parted.all,
            is_quiet=self.is_quiet.all,
            received=self._received,
        )
