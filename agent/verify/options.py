"""The values of the options of `switchover verify` and `export`; importable without numpy and numba."""

import argparse

from .model.host import BUDGET_AT_MOST, DEFAULT_FAULTS, Fault


def faults_in(text: str) -> int:
    """The fault budget in an option, 0 to `BUDGET_AT_MOST`. Raises `ArgumentTypeError` for anything else."""
    if not text.isdecimal() or int(text) > BUDGET_AT_MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to {BUDGET_AT_MOST}")
    return int(text)


def kinds_in(text: str) -> frozenset[Fault]:
    """The kinds of faults in an option, separated by commas; `all` stands for all, `usual` for the default.

    Raises `ArgumentTypeError` for an unknown kind.
    """
    groups = {"all": frozenset(Fault), "usual": DEFAULT_FAULTS}
    if text in groups:
        return groups[text]
    for kind in text.split(","):
        if kind not in list(Fault):
            known = ", ".join((*groups, *Fault))
            raise argparse.ArgumentTypeError(f"{kind!r} is not a kind of fault; choose from {known}")
    return frozenset(Fault(kind) for kind in text.split(","))


def memory_in(text: str) -> float:
    """The memory limit in an option, in GiB, above 0. Raises `ArgumentTypeError` for anything else."""
    try:
        memory = float(text)
    except ValueError:
        memory = 0.0
    if not 0 < memory < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of GiB above 0")
    return memory
