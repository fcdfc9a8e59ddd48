"""What the options of `switchover verify` and `export` may say; to be read even where numpy and numba are missing."""

import argparse

from .model.host import BUDGET_AT_MOST, DEFAULT_FAULTS, Fault


def faults_in(text: str) -> int:
    """The number of faults that an option asks for."""
    if not text.isdecimal() or int(text) > BUDGET_AT_MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to {BUDGET_AT_MOST}")
    return int(text)


def kinds_in(text: str) -> frozenset[Fault]:
    """The kinds of faults that an option names, with commas between them; `all` are all, `usual` the default."""
    groups = {"all": frozenset(Fault), "usual": DEFAULT_FAULTS}
    if text in groups:
        return groups[text]
    for kind in text.split(","):
        if kind not in list(Fault):
            known = ", ".join((*groups, *Fault))
            raise argparse.ArgumentTypeError(f"{kind!r} is no kind of fault; known are {known}")
    return frozenset(Fault(kind) for kind in text.split(","))


def memory_in(text: str) -> float:
    """The memory, in GiB, that an option allows."""
    try:
        memory = float(text)
    except ValueError:
        memory = 0.0
    if not 0 < memory < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of GiB above 0")
    return memory
