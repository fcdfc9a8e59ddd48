"""Reads and checks the configuration: one TOML file for the agent and for the LCAs of both hosts.

`settings` defines the keys, `checks` what the sections must agree on, and the `examples` explain every key.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import fields

from ...drivers.control.mlcmd import MlcmdSettings
from ...drivers.control.ocf import OcfAgent
from ...fsm.alarms import Alarm
from .checks import Sections, mistakes, warnings
from .settings import (
    AbsolutePath,
    Argv,
    CancelTimeoutMs,
    Configuration,
    EventId,
    Name,
    Word,
)
from .toml_source import ConfigurationError, Position, Problem, read_toml
from .toml_structure import Structurer

__all__ = ["TYPES", "Configuration", "ConfigurationError", "Position", "Problem", "check", "load"]

TYPES: Mapping[type, Mapping[str, Any]] = {
    Alarm: {"name": Name, "detect": EventId, "cancel": EventId, "cancel_timeout_ms": CancelTimeoutMs},
    MlcmdSettings: {
        "cshost": Word,
        "csuser": Word,
        "csappname": Word,
        "program": Argv,
        "password_file": AbsolutePath,
        "password_env": Word,
    },
    OcfAgent: {"agent": AbsolutePath},
}
"""The types as which keys of classes that do not know TOML are read."""

_STRUCTURER = Structurer(TYPES)


def load(path: str | Path) -> Configuration:
    """The configuration in the TOML file at `path`. Raises `ConfigurationError` with all its problems.

    Checks between sections only use sections without errors of their own, so a problem between two sections may only
    appear once the problems within them are solved.
    """
    return check(path)[0]


def check(path: str | Path) -> tuple[Configuration, list[Problem]]:
    """As `load`, with warnings: settings that are allowed but may go wrong in service."""
    source = read_toml(path)
    configuration, faults = _STRUCTURER.structure(source.values, Configuration)
    with_errors = {fault.path[0] for fault in faults}
    shared = {section.name for section in fields(Sections)} - with_errors
    sections, _ = _STRUCTURER.structure({name: source.values[name] for name in shared & source.values.keys()}, Sections)
    faults += mistakes(sections or Sections(), with_mlcmd="mlcmd" in source.values)
    if faults or not configuration:
        raise ConfigurationError(source.problem(fault) for fault in faults)
    return configuration, [source.problem(fault) for fault in warnings(configuration)]
