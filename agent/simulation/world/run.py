"""One run of a simulated world: from a seed and its faults to a record and a verdict, always the same."""

import asyncio
import gc
import logging
import random
from collections.abc import Sequence

from attrs import frozen

from ...configuration.settings import Configuration
from ...controller.status import status
from ...explain.status_text import is_whole
from .faults import Fault, Injector, Undo
from .judge import AT_THE_END, Judge, Violation, limits
from .processes import WorldLoop
from .world import World

_WHOLE_WITHIN_S, _LOOK_EVERY_S = 15.0, 0.05
_MARGIN_S = 2.0
_COLLECT_EVERY_S = 2.0


@frozen
class Outcome:
    """What came of a run. `record` has a line for all that happened; `simulated_s` is how long it lasted there."""

    seed: int
    faults: tuple[Fault, ...]
    violations: tuple[Violation, ...]
    record: tuple[str, ...]
    simulated_s: float
    unserved_ms: float
    longest_unserved_ms: float


def simulate(configuration: Configuration, seed: int, faults: Sequence[Fault], minutes: float) -> Outcome:
    """Run the world of this seed with these faults for so many minutes, and the quiet time after it."""
    before, collects = logging.root.manager.disable, gc.isenabled()
    logging.disable(logging.CRITICAL)  # what the programs log is no part of the record
    gc.disable()  # asyncio reports the exception of a task that nobody awaited when it is collected: see `_collect`
    gc.collect()
    gc.freeze()
    try:
        with asyncio.Runner(loop_factory=WorldLoop) as runner:
            return runner.run(_run(configuration, seed, tuple(faults), minutes))
    finally:
        logging.disable(before)
        gc.unfreeze()
        if collects:
            gc.enable()


async def _run(configuration: Configuration, seed: int, faults: tuple[Fault, ...], minutes: float) -> Outcome:
    loop = asyncio.get_running_loop()
    if not isinstance(loop, WorldLoop):
        raise TypeError("a simulated world runs on a loop of its own")
    record: list[str] = []
    began_s = loop.world_s
    chance = random.Random(f"{seed} network")  # noqa: S311 - no secret
    world = World(
        loop, configuration, chance, lambda line: record.append(f"{(loop.now_s - began_s) * 1000:12.3f} {line}")
    )
    judge, injector = Judge(world, limits(configuration)), Injector(world)
    _collect(loop)
    world.start_all()
    while not _is_whole(world) and loop.world_s < began_s + _WHOLE_WITHIN_S:
        await asyncio.sleep(_LOOK_EVERY_S)
    judge.start()
    if not _is_whole(world):
        judge.violations.append(Violation(AT_THE_END, world.now_ms, "it never began to serve"))
    world.began_s = began_s = loop.world_s
    last_ms = max([minutes * 60_000, *(fault.at_ms + fault.for_ms for fault in faults)])
    if not judge.violations:
        _schedule(world, judge, injector, faults)
        await asyncio.sleep(last_ms / 1000 + _MARGIN_S)
        _heal(world)
        await asyncio.sleep(judge.limits.quiet_ms / 1000)
        judge.look()
        judge.at_the_end()
    simulated_s = loop.world_s - began_s
    await world.end()
    return Outcome(
        seed, faults, tuple(judge.violations), tuple(record), simulated_s, judge.unserved_ms, judge.longest_unserved_ms
    )


def _collect(loop: WorldLoop) -> None:
    """Collect garbage at the same moments of every run."""
    gc.collect()
    loop.outside(_COLLECT_EVERY_S, _collect, loop)


def _is_whole(world: World) -> bool:
    return world.agent is not None and is_whole(status(world.agent))


def _schedule(world: World, judge: Judge, injector: Injector, faults: Sequence[Fault]) -> None:
    at_work: list[Fault] = []

    def begin(fault: Fault) -> None:
        world.record(f"fault: {fault.kind} {fault.where} {fault.size:g}")
        at_work.append(fault)
        judge.is_calm = False
        judge.is_taken_away = fault.kind == "vip-removed"
        undo = injector.begin(fault)
        judge.is_taken_away = False
        world.loop.outside(fault.for_ms / 1000, end, fault, undo)

    def end(fault: Fault, undo: Undo) -> None:
        world.record(f"over: {fault.kind} {fault.where}")
        undo()
        at_work.remove(fault)
        judge.is_calm = not at_work
        world.notice()

    for fault in faults:
        world.loop.outside(fault.at_ms / 1000, begin, fault)


def _heal(world: World) -> None:
    """What faults left behind together, such as an application that was started while its host was off."""
    for host, machine in world.machines.items():
        world.power_on(host)
        for application in machine.applications.by_name.values():
            machine.applications.start(application)
        world.start_lca(host)
    world.start_agent()
    world.notice()
