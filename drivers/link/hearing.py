"""Whether a host's LCA hears its agent: changes are reported, and an agent that is not heard is solicited."""

from collections.abc import Callable

from .silence import LinkTiming, SilenceWatch
from .solicit import Solicitor


class AgentHearing:
    """Whether the agent of the present session was heard within the detection time; at first it is not.

    `on_change` is called with True when it is heard (again), and with False when it was not heard for the detection
    time. From then on until it is heard again, `solicit` is called with its last address (see `solicit`).
    """

    def __init__(self, solicit: Callable[[str], None] | None, on_change: Callable[[bool], None] | None) -> None:
        self.is_heard = False
        self._solicitor = Solicitor(solicit) if solicit is not None else None
        self._on_change = on_change
        self._address = ""
        self._watch: SilenceWatch | None = None

    def begin(self, agent_address: str, timing: LinkTiming, read: Callable[[], None]) -> None:
        """From now on, judge by a new session with the agent at this address. `read` reads all queued messages."""
        self._address = agent_address
        self._watch = SilenceWatch(timing.detection_ms, timing.heartbeat_ms, read, self.not_heard)

    def end(self) -> None:
        """The session is over: its silence means nothing any more."""
        if self._watch is not None:
            self._watch.stop()

    def close(self) -> None:
        """Stop soliciting."""
        if self._solicitor is not None:
            self._solicitor.stop()

    def heard(self) -> None:
        """The agent was heard just now, in its session."""
        if self._watch is not None:
            self._watch.heard()
        if not self.is_heard:
            self._change(is_heard=True)
            if self._solicitor is not None:
                self._solicitor.stop()

    def not_heard(self) -> None:
        """The agent was not heard for the detection time, or its session was given up."""
        if self.is_heard:
            self._change(is_heard=False)
            if self._solicitor is not None:
                self._solicitor.start(self._address)

    def _change(self, *, is_heard: bool) -> None:
        self.is_heard = is_heard
        if self._on_change is not None:
            self._on_change(is_heard)
