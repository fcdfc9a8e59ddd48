"""An exhausted exploration as a Promela model for SPIN, which shares no code with the explorer and judges it again.

The model takes from the explorer the numbers of host states and core states, the moves of a host, and what the core
does on an event: these come from `HostModel`, the tabulated core and its step rules. How they combine into a step of
the world, which worlds exist, where they come to rest, and what a property says about a world is written a second time,
in C and Promela. So a mistake in `space`, `arrays` or `explorer` gives SPIN other counts, or makes it look up an event
that the tables do not contain. (Known weaknesses: a mistake in the tables themselves is in both; and the worlds in
which the cold start comes to rest are taken from the explorer, though SPIN checks that nothing goes on there.)

The state consists of the five numbers of a world only, and each step is one transition. The cold start and the faults
after it are one search: `RESTART` gives the whole budget to a world in which the cold start comes to rest. The same
world may be met again when all faults are used up; its restart leads to nothing new. So SPIN stores as many states as
there are worlds, and takes as many transitions, plus one for each restart and one into the first world.
"""

from collections.abc import Iterable, Iterator

from ..exploring.explorer import Exploration
from ..model.host import Fault
from ..properties.always import AT_REST, STEP_RULES
from .spin import BUILD, PROPERTIES, search
from .tables import Tables

_ROW_NUMBERS = 6000  # SPIN takes at most 64 KiB of C at once


def promela(exploration: Exploration) -> str:
    """The model, as text; equal explorations give equal texts.

    Raises `ValueError` if the exploration is not exhausted.
    """
    if not exploration.is_exhausted:
        raise ValueError(f"SPIN can only judge a space that was explored to the end: {exploration.reason}")
    tables = Tables(exploration)
    head = (*_introduction(exploration), *_declarations(tables), *_filled(tables))
    return "\n".join([*head, _STEPS, *_process(tables), ""])


def _introduction(exploration: Exploration) -> Iterator[str]:
    """The opening comment: what the model is, and how to run it."""
    topology = exploration.space.topology
    yield "/* The explored world of a failover controller: two hosts, the agent that commands them, and clients."
    yield "   Generated; for SPIN 6.5."
    yield ""
    yield f"   Hosts {' and '.join(topology.hosts)}; pairs {', '.join(pair.name for pair in topology.components)}."
    yield f"   Faults at most: {exploration.bounds.faults}, of the kinds {', '.join(sorted(exploration.space.faults))}."
    yield f"   Worlds: {len(exploration.worlds)}. Steps: {exploration.transitions}."
    yield ""
    yield "   To build two verifiers, count all worlds, and search for cycles:"
    commands = (*BUILD, search(exploration), search(exploration, AT_REST))
    yield from (f"       {' '.join(command)}" for command in commands)
    yield "   `errors: 0` means that a property holds. The second verifier judges whether the world comes to rest:"
    yield "   without a new fault, all activity ends. The first judges no property (0), or the one with this number:"
    yield from (f"     {number:2} {prop.name}: {prop.text}" for number, prop in enumerate(PROPERTIES[:-1], 1))
    yield "   SPIN stores one state for each world. Its transitions are the steps, one restart from each world in which"
    yield "   the cold start comes to rest, and one into the first world. */"
    yield ""


def _declarations(tables: Tables) -> Iterator[str]:
    """The sizes of the tables, and the types of their rows."""
    sizes = {
        "HOSTS": max(len(part.hosts) for part in tables.parts),
        "MOVES": max(len(part.moves) for part in tables.parts),
        "BATCHES": 1 + max((row[1] for rows in tables.received for row in rows), default=0),
        "RECEIVERS": 1 + max((row[0] for rows in tables.received for row in rows), default=0),
        "AGENTS": len(tables.agent_rows),
        "TIMINGS": len(tables.timings),
        "TIMERS": max(1, len(tables.timers)),
        "ASKED": max(1, len(tables.asked)),
        "HANDLED": len(tables.handled),
        "HANDLED_BITS": (2 * len(tables.handled)).bit_length(),
        "ROOTS": len(tables.roots),
        "INITIAL": tables.core.initial,
        "FAULTS": tables.exploration.bounds.faults,
        "RULES": len(STEP_RULES),
    }
    yield from (f"#define {name} {size}" for name, size in sizes.items())
    yield _ROWS


def _filled(tables: Tables) -> Iterator[str]:
    """The rows of all tables, in C functions that fill the tables before `main`."""
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
        ("Handled", tables.handled, "learn(rows[i]);"),
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
/* The tables. A row of `moves` is a step of a host: the host after it, the event that the core handles (-1: none), and
   whether the clients hear an announcement. The moves of a host stand together, those without a fault first. `received`
   is the host after a batch of commands; `handled` is what the core does on an event, and which rules it breaks. */
c_decl {
  #define BEFORE_MAIN __attribute__((constructor))
  typedef struct {
    int first, count[2]; /* its moves: how many without a fault budget, and with one */
    int forgotten, parted; /* the host after a crash of the agent, and after a partition; -1: impossible */
    int is_quiet, holds_in_sight, holds, has_primaries, has_backups;
  } Host;
  typedef struct { int after, event, announces; } Move;
  typedef struct { int host, batch, after; } Received;
  typedef struct { int timing, side, is_placed, has_vip, is_idle, knows_of_one, leaves_vip; } Agent;
  typedef struct { int first, count, is_slow; } Timing; /* slow ones fire when both hosts are quiet */
  typedef struct { int agent, host[2], arp; } Root; /* a world in which the cold start comes to rest */
  typedef struct { int agent, event, after; int breaks; short sends[2], is_known; } Handled;
  static Host hosts[2][HOSTS];
  static Move moves[2][MOVES];
  static short received[2][RECEIVERS][BATCHES];
  static Agent agents[AGENTS];
  static Timing timings[TIMINGS];
  static int timers[TIMERS], asked[ASKED];
  static Root roots[ROOTS + 1];
  static Handled handled[1 << HANDLED_BITS];
  static Handled *find(int agent, int event) {
    unsigned at = (agent * 0x9E3779B1u ^ event * 0x85EBCA6Bu) * 0x9E3779B1u >> (32 - HANDLED_BITS);
    while (handled[at].is_known && (handled[at].agent != agent || handled[at].event != event))
      at = (at + 1) & ((1 << HANDLED_BITS) - 1);
    return &handled[at];
  }
  static void learn(Handled row) {
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

/* Its steps, and what the properties say about a step and a world. */
c_code {
  static int property; /* the number of the property to judge; 0: none */
  static int breaks; /* the rules that the last step broke, one bit for each */

  BEFORE_MAIN static void choose(void) {
    if (getenv("PROPERTY")) property = atoi(getenv("PROPERTY"));
  }
  static void handle(int event) {
    const Handled *row = find(now.agent, event);
    if (!row->is_known) { printf("the tables lack event %d in state %d of the core\n", event, now.agent); abort(); }
    breaks = row->breaks;
    now.agent = row->after;
    for (int side = 0; side < 2; side++)
      if (row->sends[side])
        now.host[side] = received[side][now.host[side]][row->sends[side]];
  }
  static void move(int side, int number) {
    const Host *before = &hosts[side][now.host[side]];
    const Move *step = &moves[side][before->first + number];
    breaks = 0;
    now.budget -= number >= before->count[0];
    now.host[side] = step->after;
    if (step->announces) now.arp = side + 1;
    if (step->event >= 0) handle(step->event);
  }
  static void fire(int number) {
    handle(timers[timings[agents[now.agent].timing].first + number]);
  }
  static void ask(int number) {
    now.budget -= 1;
    handle(asked[number]);
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
  static int is_healed(int property_at_rest) {
    const Agent *core = &agents[now.agent];
    if (!core->side) return 0; /* without a primary, none of these properties holds */
    const Host *here = &hosts[core->side - 1][now.host[core->side - 1]];
    const Host *there = &hosts[2 - core->side][now.host[2 - core->side]];
    switch (property_at_rest) {
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

/* Each kind of step, by its number within its kind. SPIN treats a call in a c_expr as a side effect, unless there is a
   space before the parenthesis. */
#define STEP(guard, step) d_step { c_expr { guard } -> c_code { step; }; c_code [is_allowed()] { ; } }
#define HOST(side, n) STEP(n < hosts[side][now.host[side]].count[now.budget > 0], move(side, n))
#define TIMER(n) STEP(can_fire (n), fire(n))
#define ASK(n) STEP(now.budget > 0, ask(n))
#define CRASH STEP(now.budget > 0, crash())
#define PART STEP(now.budget > 0 && hosts[0][now.host[0]].parted >= 0 && hosts[1][now.host[1]].parted >= 0, part())
#define RESTART d_step { c_expr { now.budget == 0 && is_root () && !goes_on () } -> budget = FAULTS }
#define WRONG d_step { c_expr { is_wrong () } -> assert(false) }
"""


def _process(tables: Tables) -> Iterator[str]:
    """The only process, with one option for each possible step, and the never claim for a cycle without faults."""
    kinds, budget = tables.space.faults, tables.exploration.bounds.faults
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
    yield "/* The never claim: from some moment on there are no faults, and still something goes on for ever. */"
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
