"""The transport of the ends of links in the simulated network."""

from collections.abc import Callable

from ....drivers.errors import DriverError
from ....drivers.link.keys import Identity
from ....drivers.link.session import RefusalLog
from ....drivers.link.silence import LinkTiming
from ....drivers.link.transport import Take
from .network import Dialler, Listener, Network
from .processes import Process


class SimulatedTransport:
    """The transport of one process (a `Transport`)."""

    def __init__(self, network: Network, process: Process) -> None:
        self._network, self._process = network, process

    def dial(
        self,
        endpoint: str,
        identity: Identity,
        host_key: bytes,
        timing: LinkTiming,
        take: Take,
        signalled: Callable[[], None],
        log: RefusalLog,
    ) -> Dialler:
        """See `Transport`."""
        address = endpoint.removeprefix("tcp://").rpartition(":")[0].strip("[]")
        host = self._network.names[address]
        return Dialler(self._network, self._process, host, identity.public.decode(), timing, take, signalled)

    def listen(self, endpoint: str, identity: Identity, agent_key: bytes, take: Take, log: RefusalLog) -> Listener:
        """See `Transport`."""
        if self._process.machine in self._network.listeners:
            raise DriverError(
                f"cannot listen at {endpoint}: Address already in use; does another LCA run here already?"
            )
        return Listener(self._network, self._process, take)

    def clock_ms(self) -> int:
        """See `Transport`."""
        return round(self._process.to_local(self._network.loop.now_s) * 1000)

    def random_name(self, size: int) -> str:
        """See `Transport`."""
        return self._network.chance.randbytes(size).hex()

    async def close(self) -> None:
        """See `Transport`."""
