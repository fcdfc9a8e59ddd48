"""Tables: from rows that people read to a `transitions` machine that runs.

A table is written once, in terms of *this* side and the *other* side, and expanded to sides 1 and 2 here:

1. A state that belongs to a side is declared with an asterisk: `redundant*` becomes `redundant_1` and `redundant_2`.
   In a row whose source is `redundant`, *this* is the side in the state's name, whatever happens to the destination.
   The source `*` stands for every state that belongs to a side.
2. A destination `taking_over` keeps the side, `~taking_over` is the other side's, `=` is the state itself.
3. Triggers and guards that begin with `this_` or `other_` become `side1_` and `side2_`; an output such as
   `promote other` becomes `Output("promote", 2)`. Names without a side stay as they are.
4. From a state without a side, *this* is the side that the trigger names; only `this_` triggers are written.

*Every* (state, trigger) is decided: a `Row` moves (perhaps to the state it is in, with outputs), `Ignored` stays and
says why, `Impossible` says why it cannot come. Guards stand in groups of which exactly one is true; the rows of one
(state, trigger) cover one group or have no guard. All of that is checked before the first decision, because
`transitions` accepts duplicates silently and notices a misspelt name only when it fires.

The rows become a live `transitions` machine, which decides. Importing a table does none of this: the rows are expanded
and checked, and the machine is built, before the first decision. The table remembers what the machine decided for a
state, a trigger and a guard, so that the next such decision is a look-up.

Several threads may use one table. The machine does not change once it is built, each decision has a model of its own,
and every thread would remember the same. So no lock is needed: at worst, two threads do the same work twice.
"""

import functools
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Self, cast

from attrs import define, field, frozen

from ..errors import CoreError

if TYPE_CHECKING:
    from transitions import EventData, Machine


@frozen
class Row:
    """A decision that moves: in `source`, on `trigger` (if `guard`), go to `destination` with `outputs`.

    Sources and triggers may be several, separated by blanks; outputs are separated by semicolons. `cite` names the
    workflow and step that the row encodes, or `rule` for one of this project's own; `reason` is its log line.
    """

    source: str
    trigger: str
    guard: str
    destination: str
    outputs: str
    cite: str
    reason: str


@frozen
class Ignored:
    """A decision to stay and do nothing, and why."""

    source: str
    trigger: str
    reason: str


@frozen
class Impossible:
    """A decision that this trigger cannot come in this state, and why; if it comes it is refused."""

    source: str
    trigger: str
    reason: str


@frozen
class Output:
    """What a row asks for: a verb, and the side that it concerns, or None."""

    verb: str
    side: int | None = None

    @property
    def number(self) -> int:
        """The side that it concerns; `CoreError` if its row names none."""
        if self.side is None:
            raise CoreError(f"the output {self.verb!r} must concern a side: its row must say this or other")
        return self.side


@frozen
class Decision:
    """One expanded decision. `destination` is None where the state stays, `possible` is false for `Impossible`."""

    source: str
    trigger: str
    guard: str
    destination: str | None
    outputs: tuple[Output, ...]
    cite: str
    reason: str
    possible: bool = True


AnyRow = Row | Ignored | Impossible

Decisions = Mapping[tuple[str, str], tuple[Decision, ...]]
"""The decisions of each (state, trigger)."""


class ImpossibleTriggerError(CoreError):
    """A trigger came in a state in which the table calls it impossible."""


@define(eq=False, slots=False)
class _Model:
    """What a machine moves: set on a state, moved by one trigger, read, and thrown away."""

    state: str
    facts: Collection[str]
    decision: Decision | None = None


@define(eq=False, slots=False)  # without slots, as `cached_property` needs it
class Table:
    """A machine as a checked table, and the live `transitions` machine that is made from it.

    `states`, `triggers` and `outputs` are declared, one name a word; a state that belongs to a side ends with `*`.
    `guards` are groups of names of which exactly one is true at any moment. A table that is wrong raises `CoreError`
    when it is first used or `checked`; the text says what is wrong.
    """

    name: str
    states: str
    initial: str
    triggers: str
    outputs: str
    rows: tuple[AnyRow, ...]
    guards: tuple[str, ...] = ()
    _decided: dict[tuple[str, str], dict[str, Decision]] = field(init=False, repr=False, factory=dict)

    @cached_property
    def sided(self) -> tuple[str, ...]:
        """The states that belong to a side, by their names in the rows."""
        return tuple(name[:-1] for name in self.states.split() if name.endswith("*"))

    @cached_property
    def all_states(self) -> tuple[str, ...]:
        """Every state of the machine, expanded, in the order of declaration."""
        return tuple(state for name in self.states.split() for state in _both(name))

    @cached_property
    def all_triggers(self) -> tuple[str, ...]:
        """Every trigger of the machine, expanded, in the order of declaration."""
        return tuple(dict.fromkeys(side(name, this) for name in self.triggers.split() for this in (1, 2)))

    @cached_property
    def decisions(self) -> Decisions:
        """The decisions of every (state, trigger), expanded and checked; `CoreError` if the table is wrong."""
        _check_names(self)
        expanded: defaultdict[tuple[str, str], list[Decision]] = defaultdict(list)
        for row in self.rows:
            for decision in _expand(row, self.sided):
                expanded[decision.source, decision.trigger].append(decision)
        decisions = {key: tuple(group) for key, group in expanded.items()}
        _check(self, decisions)
        return decisions

    @cached_property
    def machine(self) -> "Machine":
        """The live machine. It has no model of its own: every decision brings one."""
        from transitions import Machine  # here, because it takes as long to import as the rest of the core

        decisions = tuple(self.every_decision())
        machine = Machine(
            None,
            states=list(self.all_states),
            initial=self.initial,
            auto_transitions=False,
            queued=False,
            send_event=True,
        )
        for decision in decisions:
            if decision.possible:
                machine.add_transition(  # pyright: ignore[reportUnknownMemberType]  # transitions' stub leaves lists open
                    decision.trigger,
                    decision.source,
                    decision.destination,
                    conditions=_guard(decision.guard) if decision.guard else None,
                    before=cast("str", functools.partial(_fire, decision)),  # the stub knows only names
                )
        return machine

    def checked(self) -> Self:
        """This table, expanded, checked and with its machine built; `CoreError` if the table is wrong."""
        _ = self.machine
        return self

    def step(self, state: str, trigger: str, facts: Collection[str] = ()) -> Decision:
        """What the machine decides in `state` on `trigger`, when the guards named in `facts` are true.

        `ImpossibleTriggerError` if the table calls that impossible, `CoreError` if no guard of the group is true.
        """
        by_guard = self._decided.get((state, trigger))
        if by_guard is None:
            by_guard = self._decide(state, trigger)
        for guard, decision in by_guard.items():
            if not guard or guard in facts:
                return decision
        raise CoreError(f"{self.name}: no guard holds for {trigger} in {state}")

    def guard_of(self, state: str, trigger: str) -> str:
        """A guard of the group that decides in `state` on `trigger`; empty if the row there has no guard."""
        return self.decisions[state, trigger][0].guard

    def drive(self, state: str, trigger: str, facts: Collection[str] = ()) -> tuple[str, Decision | None]:
        """What the live machine does, whatever is remembered: the state in which it ends, and the row that fired.

        The row is None if no guard of the group is true. Raises `transitions.MachineError` where the table calls the
        trigger impossible.
        """
        model = _Model(state, facts)
        self.machine.events[trigger].trigger(model)
        return model.state, model.decision

    def every_decision(self) -> Iterator[Decision]:
        """All decisions, in the order of states and triggers."""
        decisions = self.decisions
        for key in itertools.product(self.all_states, self.all_triggers):
            yield from decisions[key]

    def _decide(self, state: str, trigger: str) -> Mapping[str, Decision]:
        """Let the machine decide in `state` on `trigger`, once for each guard, and remember it."""
        rows = self.decisions[state, trigger]
        if not rows[0].possible:
            raise ImpossibleTriggerError(f"{self.name}: {trigger} in {state}: {rows[0].reason}")
        decided = ((row.guard, self.drive(state, trigger, (row.guard,))[1]) for row in rows)
        by_guard = {guard: decision for guard, decision in decided if decision is not None}
        return self._decided.setdefault((state, trigger), by_guard)


def _guard(name: str) -> "Callable[[EventData], bool]":
    return lambda event: name in cast("_Model", event.model).facts


def _fire(decision: Decision, event: "EventData") -> None:
    cast("_Model", event.model).decision = decision


@functools.cache  # there are few names, and every event asks for some
def side(name: str, this: int) -> str:
    """The name with `this_` or `other_` replaced by the side that it means, when this side is `this`.

    >>> side("other_primary", 1), side("retry", 1)
    ('side2_primary', 'retry')
    """
    word, _, rest = name.partition("_")
    return f"side{_number(word, this)}_{rest}" if word in ("this", "other") else name


def _number(word: str, this: int) -> int:
    return this if word == "this" else 3 - this


def _both(name: str) -> Iterable[str]:
    return (f"{name[:-1]}_1", f"{name[:-1]}_2") if name.endswith("*") else (name,)


def _expand(row: AnyRow, sided: Collection[str]) -> Iterator[Decision]:
    """The row for both sides; where neither source nor trigger has a side, that is one decision, not two."""
    expanded: dict[Decision, None] = {}
    for source in row.source.split():
        for name, trigger in itertools.product(sided if source == "*" else (source,), row.trigger.split()):
            for this in (1, 2):
                expanded[_decide(row, name, trigger, this, sided)] = None
    yield from expanded


def _decide(row: AnyRow, source: str, trigger: str, this: int, sided: Collection[str]) -> Decision:
    state = f"{source}_{this}" if source in sided else source
    if source not in sided and trigger.startswith("other_"):
        raise CoreError(f"{source} has no side: write {trigger} as this_{trigger.removeprefix('other_')}")
    if not isinstance(row, Row):
        return Decision(state, side(trigger, this), "", None, (), "", row.reason, isinstance(row, Ignored))
    name = source if row.destination == "=" else row.destination.removeprefix("~")
    to = 3 - this if row.destination.startswith("~") else this
    if row.destination.startswith("~") and name not in sided:
        raise CoreError(f"{name} has no side: write {name} instead of {row.destination}")
    target = f"{name}_{to}" if name in sided else name
    outputs = tuple(_output(text.strip(), this) for text in row.outputs.split(";") if text.strip())
    return Decision(state, side(trigger, this), side(row.guard, this), target, outputs, row.cite, row.reason)


def _output(text: str, this: int) -> Output:
    verb, _, who = text.partition(" ")
    if who not in ("", "this", "other"):
        raise CoreError(f"an output concerns this or other, not {who!r}")
    return Output(verb, _number(who, this) if who else None)


def _check_names(table: Table) -> None:
    """Raises `CoreError` for names that cannot stand in a row, or that are declared twice."""
    states, triggers = table.states.split(), table.triggers.split()
    problems = [f"{name} cannot name a state" for name in states if not re.fullmatch(r"[A-Za-z]\w*\*?", name)]
    problems += [f"{name} cannot name a trigger" for name in triggers if not re.fullmatch(r"(?!state$)[a-z]\w*", name)]
    for names in (table.all_states, triggers):
        problems += [f"{name} is declared twice" for name, count in Counter(names).items() if count > 1]
    if table.initial not in table.all_states:
        problems.append(f"the initial state {table.initial} is not declared")
    if problems:
        raise CoreError(f"the table of the {table.name} is wrong: " + "; ".join(problems))


def _check(table: Table, decisions: Decisions) -> None:
    problems = [*_misspelt(table, decisions), *_undecided(table, decisions), *_unreachable(table, decisions)]
    if problems:
        raise CoreError(f"the table of the {table.name} is wrong: " + "; ".join(problems))


def _misspelt(table: Table, decisions: Decisions) -> Iterator[str]:
    states, triggers, outputs = set(table.all_states), set(table.all_triggers), set(table.outputs.split())
    guards = {side(name, this) for group in table.guards for name in group.split() for this in (1, 2)}
    for decision in itertools.chain.from_iterable(decisions.values()):
        if decision.source not in states:
            yield f"unknown state {decision.source}"
        if decision.destination is not None and decision.destination not in states:
            yield f"unknown destination {decision.destination} of {decision.source}"
        if decision.trigger not in triggers:
            yield f"unknown trigger {decision.trigger}"
        if decision.guard and decision.guard not in guards:
            yield f"unknown guard {decision.guard}"
        if not re.search(r"\w", decision.reason):
            yield f"no reason for {decision.trigger} in {decision.source}"
        yield from (f"unknown output {o.verb}" for o in decision.outputs if o.verb not in outputs)


def _undecided(table: Table, decisions: Decisions) -> Iterator[str]:
    groups = [{side(name, this) for name in group.split()} for group in table.guards for this in (1, 2)]
    for key in itertools.product(table.all_states, table.all_triggers):
        state, trigger = key
        guards = [decision.guard for decision in decisions.get(key, ())]
        if not guards:
            yield f"nothing decides {trigger} in {state}"
        elif guards != [""] and (set(guards) not in groups or len(guards) != len(set(guards))):
            yield f"decided twice or in part: {trigger} in {state} with guards {guards}"


def _unreachable(table: Table, decisions: Decisions) -> Iterator[str]:
    reached, frontier = {table.initial}, [table.initial]
    while frontier:
        state = frontier.pop()
        nexts = {d.destination for t in table.all_triggers for d in decisions.get((state, t), ()) if d.destination}
        frontier.extend(nexts - reached)
        reached |= nexts
    yield from (f"{state} cannot be reached" for state in table.all_states if state not in reached)
