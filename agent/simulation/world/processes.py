"""The loop of a simulated world, on which several programs run as processes of their own, on one virtual clock.

A process is a context: whatever it schedules belongs to it. So it can be stopped and go on, be busy, be killed at any
await (nothing of it runs any more, no `finally` either), and have a clock that drifts.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, Protocol, TypeVar, TypeVarTuple

from ..virtual_time import VirtualLoop

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

BEGIN_S = 1000.0
"""The time at which a virtual loop begins; up to then no clock has drifted."""

FIRST_DESCRIPTOR = 1_000_000
"""The number of the first simulated descriptor; smaller ones are the loop's own."""

_POLL_S = 0.001  # how soon a descriptor that stays readable is reported again


class Process:
    """A program on a machine. `rate` is the speed of its clock: 1.001 gains a millisecond a second."""

    def __init__(self, name: str, machine: str, rate: float = 1.0) -> None:
        self.name, self.machine, self.rate = name, machine, rate
        self.is_alive = True
        self.ready_at = 0.0
        """From when on it runs, in the world's seconds; infinite while it is stopped."""
        self.tasks = set[asyncio.Task[Any]]()
        self.held = list[_Guard]()
        self.kernel_s: Callable[[float], float] = lambda _: 0.0
        """How long a system call in a thread takes that begins at this time of the world, in seconds."""
        self.context = copy_context()
        self.context.run(_PROCESS.set, self)

    @property
    def is_stopped(self) -> bool:
        """Whether it does not run until somebody lets it go on."""
        return math.isinf(self.ready_at)

    def to_local(self, world_s: float) -> float:
        """Its own time at this time of the world, in seconds."""
        return world_s if self.rate == 1.0 else BEGIN_S + (world_s - BEGIN_S) * self.rate

    def to_world(self, local_s: float) -> float:
        """The world's time at this time of its own, in seconds."""
        return local_s if self.rate == 1.0 else BEGIN_S + (local_s - BEGIN_S) / self.rate


_PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)
_OUTSIDE = Context()


class File(Protocol):
    """A simulated descriptor."""

    def is_readable(self) -> bool:
        """Whether there is something to read."""
        ...


class _Guard:
    """A callback of a process, which runs only while the process does."""

    def __init__(
        self, loop: "WorldLoop", process: Process, callback: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        self.loop, self.process, self.callback, self.args = loop, process, callback, args
        self.handle: asyncio.Handle | None = None
        self.context: Context | None = None

    def __call__(self) -> None:
        process = self.process
        if self.handle is not None and self.handle.cancelled():
            return
        if process.is_alive and process.ready_at <= self.loop.world_s:
            self.callback(*self.args)
        elif process.is_alive and not process.is_stopped:
            VirtualLoop.call_at(self.loop, process.ready_at, self, context=copy_context())
        else:
            self.context = copy_context()
            process.held.append(self)


class WorldLoop(VirtualLoop):
    """The loop. Time in a process is its own; outside of all, it is the world's."""

    def __init__(self) -> None:
        super().__init__()
        self._free_at: dict[object, float] = {}
        self._files: dict[int, tuple[File | None, Callable[[], object], Context]] = {}
        self._polled = set[int]()
        self.files: dict[int, File] = {}
        self._number = FIRST_DESCRIPTOR
        self.set_task_factory(_make_task)

    @property
    def world_s(self) -> float:
        """The world's time, in seconds."""
        return super().time()

    @property
    def now_s(self) -> float:
        """The world's time at which what the running process does now takes effect: later if it is busy."""
        process = _PROCESS.get()
        if process is None or process.is_stopped:
            return self.world_s
        return max(self.world_s, process.ready_at)

    def time(self) -> float:
        """The time of the running process, or the world's."""
        process = _PROCESS.get()
        return self.world_s if process is None else process.to_local(self.now_s)

    def outside(
        self, after_s: float, callback: Callable[[*Arguments], object], *args: *Arguments
    ) -> asyncio.TimerHandle:
        """Call it after this time, as a part of no process."""
        return super().call_at(self.now_s + after_s, callback, *args, context=_OUTSIDE)

    def call_soon(
        self, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        """As in every loop, for the running process or that of the context."""
        process = _PROCESS.get() if context is None else context.get(_PROCESS)
        if process is None:
            return super().call_soon(callback, *args, context=context)
        guard = _Guard(self, process, callback, args)
        guard.handle = super().call_soon(guard, context=context)
        return guard.handle

    def call_at(
        self, when: float, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As in every loop; `when` is in the time of the running process."""
        process = _PROCESS.get() if context is None else context.get(_PROCESS)
        if process is None:
            return super().call_at(when, callback, *args, context=context)
        guard = _Guard(self, process, callback, args)
        guard.handle = handle = super().call_at(process.to_world(when), guard, context=context)
        return handle

    def run_in_executor(self, executor: Any, func: Callable[[*Arguments], Result], *args: *Arguments) -> Any:
        """Call it in the loop when the process's system calls are done; those of one executor come one by one."""
        process = _PROCESS.get()
        future = self.create_future()
        begins_at = max(self.now_s, self._free_at.get(executor, 0.0))
        done_at = begins_at if process is None else begins_at + process.kernel_s(begins_at)
        self._free_at[executor] = done_at

        def work() -> None:
            if future.cancelled():
                return
            try:
                result = func(*args)
            except Exception as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.call_at(done_at if process is None else process.to_local(done_at), work)
        return future

    # Descriptors

    def open(self, file: File) -> int:
        """A number for a simulated descriptor."""
        self._number += 1
        self.files[self._number] = file
        return self._number

    def close_file(self, number: int) -> None:
        """The number is not used any more."""
        self.files.pop(number, None)
        self._files.pop(number, None)

    def add_reader(self, fd: Any, callback: Callable[[*Arguments], object], *args: *Arguments) -> None:
        """As in every loop, for simulated descriptors."""
        if isinstance(fd, int) and fd < FIRST_DESCRIPTOR:
            return super().add_reader(fd, callback, *args)  # the loop's own
        number = fd if isinstance(fd, int) else fd.fileno()
        self._files[number] = self.files.get(number), lambda: callback(*args), copy_context()
        self.poll(number)
        return None

    def remove_reader(self, fd: Any) -> bool:
        """As in every loop."""
        number = fd if isinstance(fd, int) else fd.fileno()
        if number < FIRST_DESCRIPTOR:
            return super().remove_reader(fd)
        return self._files.pop(number, None) is not None

    def poll(self, number: int) -> None:
        """A descriptor may have become readable: whoever waits for it is called."""
        watched = self._files.get(number)
        if watched is not None and number not in self._polled and watched[0] and watched[0].is_readable():
            self._polled.add(number)
            self.call_soon(self._report, number, context=watched[2])

    def _report(self, number: int) -> None:
        self._polled.discard(number)
        file, callback, _ = self._files.get(number, (None, None, None))
        if file is None or callback is None or not file.is_readable():
            return
        self.outside(_POLL_S, self.poll, number)
        callback()

    # Processes

    def spawn(self, process: Process, main: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine as a part of this process."""
        return process.context.run(self.create_task, main)

    def call_in(self, process: Process, callback: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        """Call it now, as a part of this process."""
        return process.context.run(callback, *args)

    def stop_process(self, process: Process) -> None:
        """From now on nothing of it runs, until it goes on."""
        process.ready_at = math.inf

    def continue_process(self, process: Process) -> None:
        """It runs again; what came meanwhile comes first, in order."""
        process.ready_at = self.world_s
        held, process.held = process.held, []
        for guard in held:
            VirtualLoop.call_soon(self, guard, context=guard.context)

    def occupy(self, seconds: float) -> None:
        """The running process waits for this long and does nothing else."""
        process = _PROCESS.get()
        if process is not None and not process.is_stopped:
            process.ready_at = self.now_s + seconds

    async def end(self, processes: list[Process]) -> None:
        """The world is over: let all tasks come to their end."""
        tasks: list[asyncio.Task[Any]] = []
        for process in processes:
            process.is_alive = True
            self.continue_process(process)
            tasks += [task for task in process.tasks if not task.done()]
        tasks.sort(key=lambda task: task.get_name())
        for task in tasks:
            task.cancel()
        await asyncio.wait([asyncio.gather(*tasks, return_exceptions=True)], timeout=10)


def running_process() -> Process | None:
    """The process that runs now."""
    return _PROCESS.get()


def _make_task(loop: asyncio.AbstractEventLoop, main: Any, context: Context | None = None) -> asyncio.Task[Any]:
    task = asyncio.Task(main, loop=loop, context=context)
    process = _PROCESS.get() if context is None else context.get(_PROCESS)
    if process is not None:
        process.tasks.add(task)
        task.add_done_callback(process.tasks.discard)
    return task
