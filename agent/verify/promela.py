"""An exhausted exploration as a Promela model, so that SPIN, which shares no code with the explorer, judges it as well.

Taken from the explorer are the numbers of hosts and of states of the core, and what one host can do and what the core
does when it is told something: `HostModel`, the tabulated core and the rules for its steps are asked again. How these
make a step of the world, which worlds there are, where they come to rest and what a property says of a world is written
a second time here, in C and Promela. So a mistake in `space`, `arrays` or `explorer` gives SPIN other numbers, or makes
it ask for what was never told. (Admitted: a mistake in the tables themselves is in both; and in which worlds the cold
start comes to rest is the explorer's word, though SPIN sees that nothing goes on there.)

Nothing is state but the five numbers of a world, and each step is one transition. The cold start and what faults make
of it are one search: `RESTART` gives a world in which the cold start comes to rest the whole budget. The same world may
come once more when all faults are used up; its restart leads to nothing new. So SPIN stores as many states as there are
worlds, and takes as many transitions, one for each restart, and one into the first world.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from ...fsm import LogMessageReceived, Mode, SwitchoverRequested, TimerFired
from .arrays import Numbers
from .core import Leaf, spread
from .explorer import Exploration
from .host import Fault, Host
from .properties import (
    AT_REST,
    HEALED,
    LEFT_BEHIND,
    STEP_RULES,
    TWO_HOLDERS,
    Property,
    is_left_behind,
    knows_of_two,
)

PROPERTIES = (*(rule.property for rule in STEP_RULES), LEFT_BEHIND, TWO_HOLDERS, *HEALED, AT_REST)
"""What SPIN judges. `REACHABLE` is no sentence about one run; it follows where all of `HEALED` and `AT_REST` hold."""

_ROW_NUMBERS = 6000  # SPIN takes at most 64 KiB of C at once


@frozen
class Report:
    """What SPIN said: states stored, transitions taken, errors found, seconds of the search."""

    states: int
    transitions: int
    errors: int
    seconds: float


def read_report(text: str) -> Report:
    """Read what SPIN's verifier prints."""

    def number(pattern: str) -> str:
        found = re.search(pattern, text)
        if found is None or "max search depth too small" in text or "out of memory" in text:
            raise ValueError(f"SPIN's verifier did not finish its search; it printed:\n{text}")
        return found[1]

    return Report(
        int(number(r"(\d+) states, stored")),
        int(number(r"(\d+) transitions")),
        int(number(r"errors: (\d+)")),
        float(number(r"elapsed time ([\d.e+-]+)")),
    )


_OPTIONS = ("-DNOFAIR", "-DNOREDUCE", "-DMEMLIM=16000")
BUILD = (
    ("spin", "-a", "model.pml"),
    ("gcc", "-O2", "-w", "-DSAFETY", "-DNOCLAIM", "-DNOCOMP", *_OPTIONS, "-o", "worlds", "pan.c"),
    ("gcc", "-O2", "-w", *_OPTIONS, "-o", "cycles", "pan.c"),
)
"""What makes two verifiers of `model.pml`: one that looks at all worlds, and one for cycles, which meets them twice."""


def search(found: Exploration, judged: Property | None = None) -> tuple[str, ...]:
    """What to run to have a property judged: it holds if no error is found. With none, worlds are only counted."""
    worlds = len(found.worlds)
    bits = f"-w{worlds.bit_length() + 2}"
    if judged is AT_REST:
        return "./cycles", "-a", "-n", f"-m{4 * worlds + 100}", bits
    number = PROPERTIES.index(judged) + 1 if judged else 0
    return "env", f"PROPERTY={number}", "./worlds", "-n", f"-m{worlds + 100}", bits


def promela(found: Exploration) -> str:
    """The model, as text: the same for the same exploration."""
    if not found.is_exhausted:
        raise ValueError(f"only what was explored to the end can be judged once more: {found.reason}")
    tables = _Tables(found)
    return "\n".join([*_introduction(found), *_declarations(tables), *_filled(tables), _STEPS, *_process(tables), ""])


@frozen
class _Part:
    """The hosts of one side: the rows of its tables, and as arrays what all worlds are taken through."""

    hosts: list[tuple[int, ...]]
    moves: list[tuple[int, ...]]
    first: Numbers
    counts: NDArray[Any]
    after: Numbers
    event: Numbers


class _Tables:
    """What was reached, as rows of numbers for the tables in the model."""

    def __init__(self, found: Exploration) -> None:
        self.found, self.space, self.core = found, found.space, found.space.core
        self.agents, self.hosts, self.arps, self.budgets = self.space.unpack(found.worlds.keys.all)
        self.asked = [self.core.event((event,)) for event in self._requests()]
        self.parts = tuple(self._part(side) for side in (0, 1))
        self.agent_rows, self.timings, self.timers = self._agents()
        self.told, self.received = self._told()
        self.roots = self._roots()

    def _requests(self) -> Iterator[Any]:
        topology, kinds = self.space.topology, self.space.faults
        if Fault.OPERATOR in kinds:
            yield from (SwitchoverRequested(name) for pair in topology.pairs for name in pair.applications)
        if Fault.ALARM in kinds:
            yield from (LogMessageReceived(*message) for message in topology.detecting)

    def _roots(self) -> list[tuple[int, ...]]:
        """The worlds in which the cold start comes to rest: each was met before one with the whole budget."""
        budgets, parents = self.budgets, self.found.parents.all.astype(np.int64)
        budget = self.found.bounds.faults
        rows = parents[(budgets == budget) & (budgets[parents] == 0)] if budget else parents[:0]
        columns = (self.agents, *self.hosts, self.arps)
        return [tuple(int(column[row]) for column in columns) for row in rows]

    # Hosts.

    def _part(self, number: int) -> _Part:
        side = self.space.sides[number]
        size = int(self.hosts[number].max()) + 1
        hosts: list[tuple[int, ...]] = [(0,) * 10] * size
        moves: list[tuple[int, ...]] = []
        for at in _distinct(self.hosts[number]):
            host = side.values[at]
            first, free = len(moves), 0
            for move in sorted(side.model.moves(host), key=lambda move: move.fault):
                event = self.core.event(move.told) if move.told else -1
                moves.append((side.number(move.host), event, move.announces))
                free += not move.fault
            hosts[at] = (first, free, len(moves) - first, *self._faults(number, host), *self._facts(host))
        columns, rows = np.array(moves, np.int64), np.array(hosts, np.int64)
        return _Part(hosts, moves, rows[:, 0], rows[:, 1:3], columns[:, 0], columns[:, 1])

    def _faults(self, number: int, host: Host) -> tuple[int, int]:
        """The host after the agent's crash, and after the network parts it from the agent, or -1."""
        side, kinds = self.space.sides[number], self.space.faults
        parted = side.model.parted(host)
        return (
            side.number(side.model.forgotten(host)) if Fault.AGENT in kinds else -1,
            side.number(parted) if Fault.PARTITION in kinds and parted is not None else -1,
        )

    def _facts(self, host: Host) -> tuple[bool, ...]:
        redundant = host.modes[: len(self.space.topology.pairs)]
        return (
            host.is_quiet,
            host.holds_vip and host.net == "fine" and host.link == "up",
            host.holds_vip,
            all(mode is Mode.PRIMARY for mode in redundant),
            all(mode is Mode.BACKUP for mode in redundant),
        )

    # The core.

    def _agents(self) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]], list[tuple[int, ...]]]:
        """For each state of the core its timers and facts; for each set of timers which can fire, and those timers."""
        rows: list[tuple[int, ...]] = [(0,) * 7] * (int(self.agents.max()) + 1)
        timings: list[tuple[int, ...]] = []
        timers: list[tuple[int, ...]] = []
        known: dict[tuple[str, ...], int] = {}
        for agent in _distinct(self.agents):
            running = self.core.timers(agent)
            if running not in known:
                known[running] = len(timings)
                due = self.space.due(running)
                timings.append((len(timers), len(due), any(is_slow for _, is_slow in due)))
                timers += ((self.core.event((TimerFired(name),)),) for name, _ in due)
            rows[agent] = known[running], *self._beliefs(agent)
        return rows, timings, timers

    def _beliefs(self, agent: int) -> tuple[int, ...]:
        """The side of the first pair, and whether all pairs are there, the VIP is, and nothing is under way.

        And whether it knows of at most one holder of the VIP, and has left the VIP behind.
        """
        core, topology = self.core, self.space.topology
        pairs = {core.read(agent, "pair", index).state for index in range(len(topology.pairs))}
        side, vip = core.read(agent, "pair", 0).state[-1], core.read(agent, "vip")
        scripts = [core.read(agent, "told", (host, "VIP")) for host in topology.hosts]
        return (
            int(side) if side in "12" else 0,
            pairs == {f"redundant_{side}"} and core.read(agent, "placement") == f"together_{side}",
            vip == f"held_{side}",
            not core.timers(agent) and not any(core.read(agent, "told", thing) for thing in core.things),
            not knows_of_two(vip) and not any(scripts),
            is_left_behind(core.read(agent, "pair", 0).state, vip),
        )

    def _tellings(self) -> Iterator[tuple[Numbers, Numbers, list[Numbers]]]:
        """Who is told what in all steps: states of the core, events, and the hosts after their own part of the step."""
        has_budget = (self.budgets > 0).astype(np.int64)
        for side, part in enumerate(self.parts):
            hosts = self.hosts[side]
            rows, moves = spread(part.first[hosts], part.counts[hosts, has_budget])
            rows, moves = rows[part.event[moves] >= 0], moves[part.event[moves] >= 0]
            after = [each[rows] for each in self.hosts]
            after[side] = part.after[moves]
            yield self.agents[rows], part.event[moves], after
        timings, timers = np.array(self.timings), np.array(self.timers or [(0,)])[:, 0]
        timing = np.array(self.agent_rows)[self.agents, 0]
        is_quiet = [np.array(part.hosts)[each, 5] > 0 for part, each in zip(self.parts, self.hosts, strict=True)]
        is_due = (timings[timing, 2] == 0) | (is_quiet[0] & is_quiet[1])
        rows, which = spread(timings[timing, 0], np.where(is_due, timings[timing, 1], 0))
        yield self.agents[rows], timers[which], [each[rows] for each in self.hosts]
        for event in self.asked:
            rows = np.flatnonzero(has_budget)
            yield self.agents[rows], np.full(len(rows), event), [each[rows] for each in self.hosts]

    def _told(self) -> tuple[list[tuple[int, ...]], list[list[tuple[int, ...]]]]:
        """What the core does whenever it is told something, and what the commands make of the hosts."""
        tellings = list(self._tellings())
        size = len(self.core.events)
        pairs = np.unique(np.concatenate([agents * size + events for agents, events, _ in tellings]))
        before = pairs // size
        after, leaves = self.core.handle(before, pairs % size)
        batches, numbers = self._batches(leaves)
        columns = (before, pairs % size, after, self._breaks(before, after, leaves), *numbers)
        told = [tuple(row) for row in np.stack(columns, 1).tolist()]
        received: list[list[tuple[int, ...]]] = [[], []]
        for side, sent in enumerate(numbers):
            count = len(batches[side])
            sendings = [
                hosts[side] * count + sent[np.searchsorted(pairs, agents * size + events)]
                for agents, events, hosts in tellings
            ]
            world = self.space.sides[side]
            for host, batch in (divmod(each, count) for each in _distinct(np.concatenate(sendings))):
                if batch:
                    host_after = world.number(world.model.receive(world.values[host], batches[side][batch]))
                    received[side].append((host, batch, host_after))
        return told, received

    def _batches(self, leaves: Numbers) -> tuple[list[list[tuple[Any, ...]]], list[Numbers]]:
        """For each side the batches of commands that leaves have, and of each leaf the number of its batch; 0: none."""
        batches: list[list[tuple[Any, ...]]] = []
        numbers: list[Numbers] = []
        for host in self.space.topology.hosts:
            known: dict[tuple[Any, ...], int] = {(): 0}
            of_leaf = {
                leaf: known.setdefault(_commands_to(host, self.core.leaves[leaf]), len(known))
                for leaf in _distinct(leaves)
            }
            batches.append(list(known))
            numbers.append(np.array([of_leaf[leaf] for leaf in map(int, leaves)], np.int64))
        return batches, numbers

    def _breaks(self, before: Numbers, after: Numbers, leaves: Numbers) -> Numbers:
        """Which rules for steps of the core are broken, a bit for each."""
        concerned: dict[int, list[int]] = {}
        for number in _distinct(leaves):
            leaf = self.core.leaves[number]
            concerned[number] = [at for at, rule in enumerate(STEP_RULES) if rule.concerns(leaf)]
        breaks = np.zeros(len(leaves), np.int64)
        for row, number in enumerate(map(int, leaves)):
            for at in concerned[number]:
                if STEP_RULES[at].is_broken(self.core, int(before[row]), int(after[row]), self.core.leaves[number]):
                    breaks[row] |= 1 << at
        return breaks


def _distinct(numbers: Numbers) -> list[int]:
    return [int(number) for number in np.unique(numbers)]


def _commands_to(host: str, leaf: Leaf) -> tuple[Any, ...]:
    return tuple(command for command in leaf.commands if command.host == host)


# The text.


def _introduction(found: Exploration) -> Iterator[str]:
    """What the model is, and how to run it."""
    topology = found.space.topology
    yield "/* The world of a failover controller, as it was explored: two hosts, the agent that commands them, clients."
    yield "   Generated; for SPIN 6.5."
    yield ""
    yield f"   Hosts {' and '.join(topology.hosts)}; pairs {', '.join(pair.name for pair in topology.components)}."
    yield f"   Faults at most: {found.bounds.faults}, of the kinds {', '.join(sorted(found.space.faults))}."
    yield f"   Worlds: {len(found.worlds)}. Steps: {found.transitions}."
    yield ""
    yield "   To have two verifiers made, all worlds counted, and cycles looked for:"
    yield from (f"       {' '.join(command)}" for command in (*BUILD, search(found), search(found, AT_REST)))
    yield "   `errors: 0` means that a property holds. The second judges whether it comes to rest: without a new fault"
    yield "   nothing goes on for ever. The first judges none (0), or the one of this number:"
    yield from (f"     {number:2} {prop.name}: {prop.text}" for number, prop in enumerate(PROPERTIES[:-1], 1))
    yield "   SPIN stores one state for each world; its transitions are the steps, one restart from each world in which"
    yield "   the cold start comes to rest, and one into the first world. */"
    yield ""


def _declarations(tables: _Tables) -> Iterator[str]:
    """How large the tables are, and what their rows mean."""
    sizes = {
        "HOSTS": max(len(part.hosts) for part in tables.parts),
        "MOVES": max(len(part.moves) for part in tables.parts),
        "BATCHES": 1 + max((row[1] for rows in tables.received for row in rows), default=0),
        "RECEIVERS": 1 + max((row[0] for rows in tables.received for row in rows), default=0),
        "AGENTS": len(tables.agent_rows),
        "TIMINGS": len(tables.timings),
        "TIMERS": max(1, len(tables.timers)),
        "ASKED": max(1, len(tables.asked)),
        "TOLD": len(tables.told),
        "TOLD_BITS": (2 * len(tables.told)).bit_length(),
        "ROOTS": len(tables.roots),
        "INITIAL": tables.core.initial,
        "FAULTS": tables.found.bounds.faults,
        "RULES": len(STEP_RULES),
    }
    yield from (f"#define {name} {size}" for name, size in sizes.items())
    yield _ROWS


def _filled(tables: _Tables) -> Iterator[str]:
    """The rows of all tables: functions that fill these before anything else runs."""
    contents: list[tuple[str, list[tuple[int, ...]], str]] = []
    for side, part in enumerate(tables.parts):
        contents += [
            ("Host", part.hosts, f"hosts[{side}][AT + i] = rows[i];"),
            ("Move", part.moves, f"moves[{side}][AT + i] = rows[i];"),
            ("Received", tables.received[side], f"received[{side}][rows[i].host][rows[i].batch] = rows[i].after;"),
        ]
    contents += [
        ("Agent", tables.agent_rows, "agents[AT + i] = rows[i];"),
        ("Timing", tables.timings, "timings[AT + i] = rows[i];"),
        ("int", tables.timers, "timers[AT + i] = rows[i];"),
        ("int", [(event,) for event in tables.asked], "asked[AT + i] = rows[i];"),
        ("Root", tables.roots, "roots[AT + i] = rows[i];"),
        ("Told", tables.told, "learn(rows[i]);"),
    ]
    number = 0
    for kind, rows, action in contents:
        size = _ROW_NUMBERS // len(rows[0]) if rows else 1
        for at in range(0, len(rows), size):
            piece = rows[at : at + size]
            yield f"c_decl {{ BEFORE_MAIN static void fill_{number}(void) {{ static const {kind} rows[] = {{"
            yield from _wrapped(_row(row) for row in piece)
            yield f"  }}; for (int i = 0; i < {len(piece)}; i++) {action.replace('AT', str(at))} }} }}"
            number += 1


def _row(row: tuple[int, ...]) -> str:
    text = ",".join(str(int(number)) for number in row)
    return text if len(row) == 1 else f"{{{text}}}"


def _wrapped(parts: Iterable[str]) -> Iterator[str]:
    line = " "
    for part in parts:
        if len(line) + len(part) > 118:
            yield line
            line = " "
        line += f" {part},"
    yield line


_ROWS = """
/* The tables. A row of `moves` is a step of a host: the host after it, the event that the core is told (-1: nothing),
   whether the clients hear an announcement. The moves of a host stand together, those without a fault first. `received`
   is a host that got a batch of commands; `told` is what the core does on an event, and which rules it breaks. */
c_decl {
  #define BEFORE_MAIN __attribute__((constructor))
  typedef struct {
    int first, count[2]; /* its moves: how many without a budget, and with one */
    int forgotten, parted; /* the host after the agent's crash, and parted from the agent; -1: it cannot be */
    int is_quiet, holds_in_sight, holds, has_primaries, has_backups;
  } Host;
  typedef struct { int after, event, announces; } Move;
  typedef struct { int host, batch, after; } Received;
  typedef struct { int timing, side, is_placed, has_vip, is_idle, knows_of_one, leaves_vip; } Agent;
  typedef struct { int first, count, is_slow; } Timing; /* slow ones fire when both hosts are quiet */
  typedef struct { int agent, host[2], arp; } Root; /* a world in which the cold start comes to rest */
  typedef struct { int agent, event, after; int breaks; short sends[2], is_known; } Told;
  static Host hosts[2][HOSTS];
  static Move moves[2][MOVES];
  static short received[2][RECEIVERS][BATCHES];
  static Agent agents[AGENTS];
  static Timing timings[TIMINGS];
  static int timers[TIMERS], asked[ASKED];
  static Root roots[ROOTS + 1];
  static Told told[1 << TOLD_BITS];
  static Told *find(int agent, int event) {
    unsigned at = (agent * 0x9E3779B1u ^ event * 0x85EBCA6Bu) * 0x9E3779B1u >> (32 - TOLD_BITS);
    while (told[at].is_known && (told[at].agent != agent || told[at].event != event))
      at = (at + 1) & ((1 << TOLD_BITS) - 1);
    return &told[at];
  }
  static void learn(Told row) {
    row.is_known = 1;
    *find(row.agent, row.event) = row;
  }
}
"""

_STEPS = r"""
/* A world. */
int agent = INITIAL;
short host[2];
byte arp, budget;

/* Its steps, and what a property says of a step and of a world. */
c_code {
  static int property; /* the number of the one that is judged; 0: none */
  static int breaks; /* the rules that the last step broke, a bit for each */

  BEFORE_MAIN static void choose(void) {
    if (getenv("PROPERTY")) property = atoi(getenv("PROPERTY"));
  }
  static void tell(int event) {
    const Told *said = find(now.agent, event);
    if (!said->is_known) { printf("the core was told what it was never told\n"); abort(); }
    breaks = said->breaks;
    now.agent = said->after;
    for (int side = 0; side < 2; side++)
      if (said->sends[side])
        now.host[side] = received[side][now.host[side]][said->sends[side]];
  }
  static void move(int side, int number) {
    const Host *before = &hosts[side][now.host[side]];
    const Move *step = &moves[side][before->first + number];
    breaks = 0;
    now.budget -= number >= before->count[0];
    now.host[side] = step->after;
    if (step->announces) now.arp = side + 1;
    if (step->event >= 0) tell(step->event);
  }
  static void fire(int number) {
    tell(timers[timings[agents[now.agent].timing].first + number]);
  }
  static void ask(int number) {
    now.budget -= 1;
    tell(asked[number]);
  }
  static void crash(void) {
    breaks = 0;
    now.budget -= 1;
    now.agent = INITIAL;
    for (int side = 0; side < 2; side++) now.host[side] = hosts[side][now.host[side]].forgotten;
  }
  static void part(void) {
    breaks = 0;
    now.budget -= 1;
    for (int side = 0; side < 2; side++) now.host[side] = hosts[side][now.host[side]].parted;
  }
  static int is_root(void) {
    for (int i = 0; i < ROOTS; i++)
      if (roots[i].agent == now.agent && roots[i].host[0] == now.host[0] && roots[i].host[1] == now.host[1]
          && roots[i].arp == now.arp) return 1;
    return 0;
  }
  static int is_quiet(void) {
    return hosts[0][now.host[0]].is_quiet && hosts[1][now.host[1]].is_quiet;
  }
  static int can_fire(int number) {
    const Timing *timing = &timings[agents[now.agent].timing];
    return number < timing->count && (!timing->is_slow || is_quiet());
  }
  static int goes_on(void) {
    return hosts[0][now.host[0]].count[0] || hosts[1][now.host[1]].count[0] || can_fire(0);
  }
  static int is_allowed(void) {
    return property < 1 || property > RULES || !(breaks >> (property - 1) & 1);
  }
  static int is_healed(int what) {
    const Agent *core = &agents[now.agent];
    if (!core->side) return 0; /* nothing is as it should be as long as nobody is primary */
    const Host *here = &hosts[core->side - 1][now.host[core->side - 1]];
    const Host *there = &hosts[2 - core->side][now.host[2 - core->side]];
    switch (what) {
      case 0: return core->is_placed && here->has_primaries && there->has_backups;
      case 1: return core->has_vip && here->holds && !there->holds;
      case 2: return now.arp == core->side;
      default: return core->is_idle && is_quiet();
    }
  }
  static int is_wrong(void) {
    if (property == RULES + 1) return agents[now.agent].leaves_vip;
    if (property == RULES + 2)
      return hosts[0][now.host[0]].holds_in_sight && hosts[1][now.host[1]].holds_in_sight
        && agents[now.agent].knows_of_one;
    return property > RULES + 2 && !goes_on() && !is_healed(property - RULES - 3);
  }
}

/* Each kind of step, by its number among those of its kind. SPIN takes a call in a c_expr for a side effect, unless a
   blank stands before the parenthesis. */
#define STEP(guard, step) d_step { c_expr { guard } -> c_code { step; }; c_code [is_allowed()] { ; } }
#define HOST(side, n) STEP(n < hosts[side][now.host[side]].count[now.budget > 0], move(side, n))
#define TIMER(n) STEP(can_fire (n), fire(n))
#define ASK(n) STEP(now.budget > 0, ask(n))
#define CRASH STEP(now.budget > 0, crash())
#define PART STEP(now.budget > 0 && hosts[0][now.host[0]].parted >= 0 && hosts[1][now.host[1]].parted >= 0, part())
#define RESTART d_step { c_expr { now.budget == 0 && is_root () && !goes_on () } -> budget = FAULTS }
#define WRONG d_step { c_expr { is_wrong () } -> assert(false) }
"""


def _process(tables: _Tables) -> Iterator[str]:
    """The one process, with an option for each step that any world can take, and the claim that something goes on."""
    kinds, budget = tables.space.faults, tables.found.bounds.faults
    options = [f"HOST({side}, {n})" for side, part in enumerate(tables.parts) for n in range(part.counts[:, 1].max())]
    options += [f"TIMER({n})" for n in range(max(row[1] for row in tables.timings))]
    if budget:
        options += [f"ASK({n})" for n in range(len(tables.asked))]
        options += ["CRASH"] * (Fault.AGENT in kinds) + ["PART"] * (Fault.PARTITION in kinds) + ["RESTART"]
    yield "active proctype world() {"
    yield "end: do"
    yield from (f"  :: {option}" for option in (*options, "WRONG"))
    yield "  od"
    yield "}"
    yield ""
    yield "/* What must not be: that from some moment on nothing fails, and still something goes on for ever. */"
    for number in range(budget + 1):
        yield f"#define GOES_ON_{number} (budget == {number} && c_expr {{ goes_on () }})"
    yield "never {"
    yield "sooner: if"
    yield "  :: true -> goto sooner"
    yield from (f"  :: GOES_ON_{number} -> goto accept_{number}" for number in range(budget + 1))
    yield "  fi;"
    for number in range(budget + 1):
        yield f"accept_{number}: if :: GOES_ON_{number} -> goto accept_{number} fi;"
    yield "}"
