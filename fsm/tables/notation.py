"""The notation of the tables: text that a person reads at a glance, and the rows that it stands for.

Rows that move or command stand in blocks. A block begins with its source states and, after a colon, a heading; `#`
begins a comment. Two or more blanks separate the columns of a row:

    redundant: as it should be, and what ends it
        this_down                       -> ~taking_over / promote other  [S2] failure 2-3  the primary failed
        other_needed [other_is_better]  -> ~demoting / demote this       [S1] RM-1 fails   the other host is better
        other_logged_primary            stays / look other               better side       it is looked at

1. `trigger [guard]`: several triggers are separated by blanks; `this_held/enabled` is `this_held this_enabled`.
2. `-> destination / commands`, or `stays / commands`; commands are separated by semicolons, and may be missing.
3. The source: a document's title in brackets and its steps, or the name of one of the rules in the module's prose.
4. The reason, for the log.

Rows that are ignored, or that are impossible, have three columns: triggers, states after the word `in`, the reason.

    this_down  in cut_off FIRST_SEEN                  it is known to be down
    this_held  in * but LOST                          the message is old

5. A group of states has a name in capitals, and can be used wherever states are named.
6. `but` leaves out the states after it. `* but` is meant for out-of-date answers to commands, not for the reports
   of a host: a new state would be included without anybody having thought about it.

`table` says what `*`, `~`, `this_` and `other_` mean, and checks that every state and trigger is decided exactly once.
A line that cannot be read raises `CoreError`, which names it.
"""

import re
from collections.abc import Iterator, Mapping

from ..errors import CoreError
from .table import AnyRow, Ignored, Impossible, Row

_ROW = re.compile(r"(?P<triggers>[^[]+?)(?: \[(?P<guard>\w+)\])?")
_DECISION = re.compile(r"(?:-> (?P<destination>~?\w+)|stays)(?: / (?P<outputs>.+))?")
_STEPS = re.compile(r"(\[S\d\] \w+) (\d+)(-\d+)?")


def rows(
    states: str, moves: str, ignored: str, impossible: str = "", groups: Mapping[str, str] | None = None
) -> tuple[AnyRow, ...]:
    """The rows that a table's text stands for, in the order of the text.

    `states` are those of the table, as it declares them; `groups` are states by the name of their group.

    >>> rows("off lit*", "off: dark\\n  on  -> lit / glow this  light  it is lit", "on  in lit  it is lit already")
    (Row(source='off', trigger='on', guard='', destination='lit', outputs='glow this', cite='rule: light', \
reason='it is lit'), Ignored(source='lit', trigger='on', reason='it is lit already'))
    """
    sided = " ".join(name[:-1] for name in states.split() if name.endswith("*"))
    names = _Names(sided, groups or {})
    return (
        *_moves(moves, names),
        *(Ignored(*row) for row in _rows_that_stay(ignored, names)),
        *(Impossible(*row) for row in _rows_that_stay(impossible, names)),
    )


def cited(text: str) -> str:
    """A source as it is shown to people.

    >>> cited("[S2] failure 2-3"), cited("[S2] manual 8"), cited("[S1] key notes"), cited("split brain")
    ('[S2] failure, steps 2-3', '[S2] manual, step 8', '[S1] key notes', 'rule: split brain')
    """
    if not text.startswith("["):
        return f"rule: {text}"
    match = _STEPS.fullmatch(text)
    return f"{match[1]}, step{'s' if match[3] else ''} {match[2]}{match[3] or ''}" if match else text


class _Names:
    """States by the names that a text may use for them."""

    def __init__(self, sided: str, groups: Mapping[str, str]) -> None:
        self._sided = sided
        self._groups = groups

    def states(self, text: str) -> str:
        """The states that a text names, separated by blanks; `*` is kept unless states are left out of it."""
        listed, but, left_out = text.partition(" but ")
        if not but:
            return " ".join(self._expanded(listed))
        without = set(self._expanded(left_out))
        states = [state for name in self._expanded(listed) for state in (self._sided if name == "*" else name).split()]
        if unknown := without - set(states):
            raise CoreError(f"{' '.join(sorted(unknown))} cannot be left out of {listed}")
        return " ".join(state for state in states if state not in without)

    def _expanded(self, text: str) -> Iterator[str]:
        for word in text.split():
            if not word.isupper():
                yield word
            elif word in self._groups:
                others = {name: states for name, states in self._groups.items() if name != word}
                yield from _Names(self._sided, others).states(self._groups[word]).split()
            else:
                raise CoreError(f"there is no group {word}, or it contains itself")


def _moves(text: str, names: _Names) -> Iterator[Row]:
    source = ""
    for number, line in _lines(text):
        try:
            if not line.startswith(" "):
                source = names.states(line.partition(":")[0])
                continue
            row, decision, cite, reason = _columns(line, 4)
            left, right = _ROW.fullmatch(row), _DECISION.fullmatch(decision)
            if not source or left is None or right is None:
                raise CoreError("a row is: trigger [guard], decision, source, reason; below the states of its block")
            yield Row(
                source,
                _triggers(left["triggers"]),
                left["guard"] or "",
                right["destination"] or "=",
                right["outputs"] or "",
                cited(cite),
                reason,
            )
        except CoreError as error:
            raise CoreError(f"line {number}, {line.strip()!r}: {error}") from None


def _rows_that_stay(text: str, names: _Names) -> Iterator[tuple[str, str, str]]:
    """The states, the triggers and the reason of each row."""
    for number, line in _lines(text):
        try:
            triggers, where, reason = _columns(line, 3)
            if not where.startswith("in "):
                raise CoreError("states stand after the word `in`")
            yield names.states(where.removeprefix("in ")), _triggers(triggers), reason
        except CoreError as error:
            raise CoreError(f"line {number}, {line.strip()!r}: {error}") from None


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line


def _columns(line: str, count: int) -> list[str]:
    columns = re.split(r" {2,}", line.strip())
    if len(columns) != count:
        raise CoreError(f"there are {len(columns)} columns instead of {count}")
    return columns


def _triggers(text: str) -> str:
    triggers: list[str] = []
    for word in text.split():
        first, *others = word.split("/")
        stem = first.rpartition("_")[0]
        triggers += (first, *(f"{stem}_{other}" for other in others))
    return " ".join(triggers)
