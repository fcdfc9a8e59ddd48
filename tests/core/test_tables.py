"""Every (state, trigger) of every machine is decided, and the live machines do what the tables say."""

import itertools

import pytest
from attrs import evolve
from switchover.fsm import (
    ALARM,
    APPLICATION,
    LINK,
    PAIR,
    PLACEMENT,
    VIP,
    CoreError,
    ImpossibleTriggerError,
    Table,
)
from switchover.fsm.tables.table import Ignored, Impossible, Output, Row

TABLES = (LINK, PAIR, VIP, APPLICATION, ALARM, PLACEMENT)


class Facts(frozenset[str]):
    """The true guards of one group; asking for a guard of another group fails."""

    def __new__(cls, true: str, group: frozenset[str]) -> "Facts":
        facts = super().__new__(cls, [true] if true else [])
        facts.group = group
        return facts

    def __contains__(self, guard: object) -> bool:
        assert guard in self.group, f"{guard} does not decide here"
        return super().__contains__(guard)


def groups(table: Table) -> set[frozenset[str]]:
    """The groups of guards of which exactly one is true, as seen from both sides, and the empty group."""
    return {
        frozenset(
            guard.replace("this_", f"side{this}_").replace("other_", f"side{3 - this}_") for guard in group.split()
        )
        for group in ("", *table.guards)
        for this in (1, 2)
    }


def read_by_hand(table: Table, state: str, trigger: str) -> dict[str, tuple]:
    """What the rows say, read without the code that builds the machines: guard -> (kind, destination, outputs, reason).

    Two rows that decide the same with the same guard are an error, unless they are one row seen from both sides.
    """
    name, _, number = state.rpartition("_")
    sided = [word[:-1] for word in table.states.split() if word.endswith("*")]
    perspectives = [int(number)] if name in sided else [1, 2]
    if name not in sided:
        name = state
    read = set()
    for row, this in itertools.product(table.rows, perspectives):
        sources = [s for word in row.source.split() for s in (sided if word == "*" else [word])]
        words = {"this": this, "other": 3 - this}

        def concrete(text: str, words=words) -> str:
            first, _, rest = text.partition("_")
            return f"side{words[first]}_{rest}" if first in words else text

        if name not in sources or trigger not in [concrete(word) for word in row.trigger.split()]:
            continue
        if not isinstance(row, Row):
            read.add(("", type(row), None, (), row.reason))
        else:
            target = name if row.destination == "=" else row.destination.lstrip("~")
            side = 3 - this if row.destination.startswith("~") else this
            asked = [output.strip().partition(" ") for output in row.outputs.split(";")]
            outputs = tuple(Output(verb, words.get(who)) for verb, _, who in asked)
            destination = f"{target}_{side}" if target in sided else target
            read.add((concrete(row.guard), Row, destination, outputs if row.outputs else (), row.reason))
    decided = {guard: decision for guard, *decision in read}
    assert len(decided) == len(read)
    return decided


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_state_and_trigger_is_decided_once_and_the_machine_agrees(table):
    """In every state, on every trigger, for every guard of the one group that decides there.

    A decision cannot depend on a guard of another group: `Facts` refuses it.
    """
    fired = []
    for state, trigger in itertools.product(table.all_states, table.all_triggers):
        decided = read_by_hand(table, state, trigger)
        group = frozenset(decided) - {""}
        assert group in groups(table)
        assert len(decided) == max(len(group), 1)
        for guard, (kind, destination, outputs, reason) in decided.items():
            assert reason
            if kind is Impossible:
                with pytest.raises(ImpossibleTriggerError):
                    table.step(state, trigger, Facts(guard, group))
                continue
            facts = Facts(guard, group)
            decision = table.step(state, trigger, facts)
            assert (decision.destination, decision.outputs, decision.reason) == (destination, outputs, reason)
            assert decision.cite or kind is Ignored
            assert table.drive(state, trigger, facts) == (destination or state, decision)  # the machine moves there
            fired.append(decision)
    assert sorted(map(str, fired)) == sorted(str(each) for each in table.every_decision() if each.possible)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_live_machine_has_the_tables_states_triggers_and_rows_and_no_more(table):
    assert list(table.machine.states) == list(table.all_states)
    assert set(table.machine.events) == set(table.all_triggers)
    possible = [decision for decision in table.every_decision() if decision.possible]
    assert len(table.machine.get_transitions()) == len(possible)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_row_has_its_mirror_image_for_the_other_side(table):
    swap = {"side1": "side2", "side2": "side1"}

    def mirrored(name: str) -> str:
        head, _, tail = name.partition("_")
        if head in swap:
            return f"{swap[head]}_{tail}"
        return name[:-1] + str(3 - int(name[-1])) if name.endswith(("1", "2")) else name

    for one in table.every_decision():
        if not one.possible:
            continue
        group = frozenset(mirrored(each.guard) for each in table.decisions[one.source, one.trigger])
        facts = Facts(mirrored(one.guard), group)
        two = table.step(mirrored(one.source), mirrored(one.trigger), facts)
        assert two.destination == (one.destination and mirrored(one.destination))
        assert [(o.verb, o.side and 3 - o.side) for o in one.outputs] == [(o.verb, o.side) for o in two.outputs]


def test_without_a_true_guard_nothing_is_decided_and_that_is_an_error():
    with pytest.raises(CoreError, match="no guard holds"):
        VIP.step("held_1", "side2_enable_asked", frozenset())


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_tables_that_run_are_sound(table):
    assert evolve(table).checked().decisions == table.decisions


def test_a_decision_is_remembered_and_the_machine_not_driven_again():
    table = lamp(*SOUND)
    warm = table.step("lit_1", "side2_on", {"warm"})
    del table.machine
    assert table.step("lit_1", "side2_on", {"warm"}) is warm
    assert table.step("lit_1", "side2_on", {"cold"}).destination == "lit_1"
    assert "machine" not in vars(table)


GOOD = (
    Row("off", "this_on", "", "lit", "glow this", "rule: light", "it is lit"),
    Row("lit", "other_on", "warm", "~lit", "", "rule: light", "the other one is lit"),
    Ignored("lit", "other_on", "it stays"),
    Ignored("lit", "this_on", "it is lit already"),
    Row("lit", "out", "", "off", "", "rule: dark", "it is out"),
    Ignored("off", "out", "it is out already"),
)


def lamp(*rows):
    return Table("lamp", "off lit*", "off", "this_on out", "glow", rows, ("warm cold",))


SOUND = (*GOOD[:2], Row("lit", "other_on", "cold", "=", "", "rule: light", "it stays"), *GOOD[3:])


def test_a_sound_table_is_accepted():
    assert lamp(*SOUND).step("lit_1", "side2_on", {"warm"}).destination == "lit_2"
    assert lamp(*SOUND).step("lit_1", "side2_on", {"cold"}).destination == "lit_1"


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (GOOD, "decided twice or in part"),
        (SOUND[:-1], "nothing decides out in off"),
        ((*SOUND, SOUND[0]), "decided twice"),
        ((*SOUND, Ignored("off", "this_on", "why not")), "decided twice"),
        ((*SOUND[:1], *SOUND[2:]), "decided twice or in part"),
        ((*SOUND[:3], Ignored("litt", "this_on", "misspelt"), *SOUND[3:]), "unknown state litt"),
        ((*SOUND, Ignored("off", "owt", "misspelt")), "unknown trigger owt"),
        ((*SOUND[:4], Row("lit", "out", "", "of", "", "rule: dark", "it is out"), SOUND[5]), "unknown destination of"),
        (
            (Row("off", "this_on", "", "lit", "glwo this", "rule: light", "it is lit"), *SOUND[1:]),
            "unknown output glwo",
        ),
        ((Row("off", "this_on", "", "lit", "glow that", "rule: light", "it is lit"), *SOUND[1:]), "this or other"),
        ((*SOUND[:3], Ignored("lit", "this_on", " "), *SOUND[4:]), "no reason"),
        ((SOUND[0], Row("lit", "other_on", "wram", "~lit", "", "rule", "x"), *SOUND[2:]), "unknown guard wram"),
        ((Ignored("off", "this_on", "never lit"), *SOUND[1:]), "lit_1 cannot be reached"),
        ((*SOUND, Ignored("off", "other_on", "no side")), "has no side"),
        (
            (*SOUND[:4], Row("lit", "out", "", "~off", "", "rule: dark", "it is out"), SOUND[5]),
            "off has no side: write off instead of ~off",
        ),
    ],
)
def test_a_table_that_is_wrong_is_refused_before_it_decides(rows, complaint):
    with pytest.raises(CoreError, match=complaint):
        lamp(*rows).checked()
    with pytest.raises(CoreError, match=complaint):
        lamp(*rows).step("off", "side1_on")


@pytest.mark.parametrize(
    ("declared", "complaint"),
    [
        ({"states": "off lit* of{f"}, "of{f cannot name a state"),
        ({"states": "off lit* o*ff"}, r"o\*ff cannot name a state"),
        ({"states": "off lit* lit_1"}, "lit_1 is declared twice"),
        ({"triggers": "this_on out out"}, "out is declared twice"),
        ({"triggers": "this_on out state"}, "state cannot name a trigger"),
        ({"triggers": "this_on out Out"}, "Out cannot name a trigger"),
        ({"initial": "dark"}, "the initial state dark is not declared"),
        ({"initial": "lit"}, "the initial state lit is not declared"),
        ({"states": "", "triggers": "", "rows": ()}, "the initial state off is not declared"),
    ],
)
def test_names_that_no_row_can_use_are_refused(declared, complaint):
    with pytest.raises(CoreError, match=rf"^the table of the lamp is wrong: .*{complaint}"):
        evolve(lamp(*SOUND), **declared).checked()
