"""The parser's commands and options as values, for the manual page and shell completion.

argparse has no public names for some of them; its private attributes are used in this module only.
"""

import argparse
from typing import Any, cast

from attrs import frozen


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Help texts with the names of positional arguments in capitals, as in the manual page."""

    def _get_default_metavar_for_positional(self, action: argparse.Action) -> str:
        return action.dest.upper()


@frozen
class Argument:
    """An option with its `flags`, or a positional argument without any.

    `name` is its name in the parsed options; `value` stands for its value in help texts; `choices` are its possible
    values, if they are limited.
    """

    name: str
    flags: tuple[str, ...]
    value: str
    help: str
    choices: tuple[str, ...] = ()
    is_optional: bool = True
    is_many: bool = False

    @property
    def synopsis(self) -> str:
        """Its form in a synopsis, such as `[--output FILE]` or `HOST`."""
        text = " ".join(word for word in (*self.flags[-1:], self.value) if word)
        text = f"{text} ..." if self.is_many else text
        return f"[{text}]" if self.is_optional else text


@frozen
class Usage:
    """A command, or the program with all its commands: description, arguments and epilog."""

    name: str
    description: str
    arguments: tuple[Argument, ...]
    epilog: str
    commands: tuple["Usage", ...] = ()

    @property
    def example(self) -> str:
        """The example in its help, or "" if there is none."""
        first = self.epilog.partition("\n")[0]
        return first.removeprefix("example: ") if first.startswith("example: ") else ""

    @property
    def exit_status(self) -> str:
        """The exit statuses in its help, as one line."""
        return " ".join(self.epilog.partition("exit status: ")[2].split())


def usage_of(parser: argparse.ArgumentParser) -> Usage:
    """The arguments of a parser and of its commands."""
    arguments: list[Argument] = []
    commands: tuple[Usage, ...] = ()
    for action in parser._actions:  # pyright: ignore[reportPrivateUsage]
        if isinstance(action, argparse._SubParsersAction):  # pyright: ignore[reportPrivateUsage]
            parsers = cast(dict[str, argparse.ArgumentParser], action.choices)
            commands = tuple(usage_of(command) for command in parsers.values())
        else:
            arguments.append(_argument(action))
    description, epilog = parser.description or "", parser.epilog or ""
    return Usage(parser.prog.rpartition(" ")[2], description, tuple(arguments), epilog, commands)


def _argument(action: argparse.Action) -> Argument:
    flags, choices = tuple(action.option_strings), tuple(map(str, action.choices or ()))
    facts: dict[str, Any] = vars(action)
    return Argument(
        name=action.dest,
        flags=flags,
        value="" if action.nargs == 0 else _value(action, choices),
        help=(action.help or "") % facts,
        choices=choices,
        is_optional=not action.required if flags else action.nargs in ("?", "*"),
        is_many=action.nargs in ("*", "+"),
    )


def _value(action: argparse.Action, choices: tuple[str, ...]) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    return "|".join(choices) or action.dest.upper()
