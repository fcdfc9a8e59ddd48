"""Application modes through mlcmd, the command-line utility that Genesys installs on the host of its SCS.

Documented is the form: one command line with mandatory parameters and exactly one operation (Genesys Management Layer
User's Guide, mlcmd command-line interface). The mandatory parameters are `-cshost`, `-csport`, `-csuser`,
`-cspassword` and `-csappname`; they log in to Configuration Server, not to SCS. An application is named by its DBID,
from Management Framework 8.1.1 on also by its name ([S1]).

Not documented in public are the operation that switches an application over, what operations print, and their exit
statuses. So the operations are templates in the configuration; their defaults, and the words that name a mode, are this
project's choice. Nothing here was tried against the vendor's program, which was not available.

The password has to be on the command line: anyone who can list this host's processes (`ps`) can read it while mlcmd
runs. It is read anew for each run, stored nowhere, and shown in no error.
"""

import asyncio
import os
import re
import string
from pathlib import Path
from typing import Any

from attrs import Attribute, field, frozen
from attrs.validators import and_, ge, le, optional

from ...fsm.events import Mode
from ..errors import DriverError, ExitStatusError, TimedOutError, UnreadableError
from .programs import (
    Completed,
    command_line,
    output_without,
    require_success,
    run,
)

POLL_MS = 50
"""The pause between two looks at an application whose mode is to change, in milliseconds."""

ANSWER_LIMIT = 1 << 16
"""How many bytes of mlcmd's output are read; a longer status is not understood."""

WORDS = {"primary": Mode.PRIMARY, "backup": Mode.BACKUP, "stopped": Mode.DOWN, "down": Mode.DOWN}
"""The words of a status and the modes they stand for: this project's choice. "unknown" is left out on purpose: an
application that the vendor's software cannot see may still run and be primary."""

_QUOTED = 200  # characters of an answer that are quoted in an error
_OTHERS = 0o077

Operation = tuple[str, ...]


def _word(_: object, attribute: "Attribute[Any]", word: str) -> None:
    if not word or "\0" in word:
        raise ValueError(f"'{attribute.name}' must not be empty")


def _arguments(_: object, attribute: "Attribute[Any]", arguments: tuple[str, ...]) -> None:
    if not all(arguments) or not arguments or "\0" in "".join(arguments):
        raise ValueError(f"'{attribute.name}' must be a list of arguments, none of which is empty")


def _operation(_: object, attribute: "Attribute[Any]", operation: Operation) -> None:
    _arguments(_, attribute, operation)
    try:
        parts = [part for argument in operation for part in string.Formatter().parse(argument)]
    except ValueError as error:
        raise ValueError(f"'{attribute.name}' has a single brace; write {{{{ or }}}} for a literal one") from error
    if {part[1:] for part in parts if part[1] is not None} != {("application", "", None)}:
        raise ValueError(f"'{attribute.name}' must have the field {{application}}, and no other field")


@frozen
class MlcmdSettings:
    """How mlcmd is called. Raises `ValueError` for an invalid value.

    `cshost`, `csport` (1..65535), `csuser`: Configuration Server and the user who logs in. The password is either the
    only line of `password_file`, which nobody but its owner may read, or the value of the environment variable
    `password_env`. `csappname`: the application object for the login. `program`: mlcmd, with arguments that come before
    all others.

    `to_primary`, `to_backup` and `status` are each one operation with its arguments; `{application}` stands for the
    DBID or the name. The defaults are this project's choice and were not tried against the vendor's program. Without
    `to_backup`, an application is made backup by switching its peer to primary.
    """

    cshost: str = field(validator=_word)
    csport: int = field(validator=and_(ge(1), le(65_535)))
    csuser: str = field(validator=_word)
    csappname: str = field(validator=_word)
    program: tuple[str, ...] = field(default=("mlcmd",), validator=_arguments)
    password_file: Path | None = None
    password_env: str | None = field(default=None, validator=optional(_word))
    to_primary: Operation = field(default=("-switchover", "{application}"), validator=_operation)
    to_backup: Operation | None = field(default=None, validator=optional(_operation))
    status: Operation = field(default=("-getappstatus", "{application}"), validator=_operation)

    def __attrs_post_init__(self) -> None:
        if (self.password_file is None) == (self.password_env is None):
            raise ValueError("needs either 'password_file' or 'password_env', and not both")


@frozen
class _Answer:
    """What mlcmd printed; and for errors, the command line and a quotation without the password."""

    said: Completed = field(repr=False)
    question: str
    quotation: str


class Mlcmd:
    """Reads and changes applications' modes: one process per question, `deadline_ms` milliseconds per call.

    Applications are named by DBID or by name. Each call may be repeated and may be cancelled. Raises

    - `ExitStatusError` if mlcmd fails,
    - `UnreadableError` if its status names no mode, or more than one,
    - `TimedOutError` if the deadline passes; an mlcmd that still runs is killed with everything that it started,
    - `DriverError`, the base class of these, if mlcmd cannot be run or the password cannot be read.
    """

    def __init__(self, settings: MlcmdSettings) -> None:
        self._settings = settings

    async def mode(self, application: int | str, deadline_ms: int) -> Mode:
        """The application's mode according to mlcmd."""
        answer = await self._run(self._settings.status, application, deadline_ms)
        if answer.said.cut:
            raise UnreadableError(f"{answer.question} printed more than {ANSWER_LIMIT} bytes: {answer.quotation}")
        modes = modes_in(answer.said.output, application)
        if len(modes) != 1:
            raise UnreadableError(f"{answer.question} should name one of {', '.join(WORDS)}: {answer.quotation}")
        return modes.pop()

    async def to_primary(self, application: int | str, deadline_ms: int) -> None:
        """Make an application primary and check that it is. If it is already, only its status is read."""
        await self._change(application, Mode.PRIMARY, self._settings.to_primary, application, deadline_ms)

    async def to_backup(self, application: int | str, peer: int | str, deadline_ms: int) -> None:
        """Make an application backup and check that it is. If it is already, only its status is read.

        Without the operation `to_backup`, its peer is switched to primary.
        """
        if self._settings.to_backup is None:
            await self._change(application, Mode.BACKUP, self._settings.to_primary, peer, deadline_ms)
        else:
            await self._change(application, Mode.BACKUP, self._settings.to_backup, application, deadline_ms)

    async def _change(
        self, application: int | str, wanted: Mode, operation: Operation, operand: int | str, deadline_ms: int
    ) -> None:
        clock = asyncio.get_running_loop().time
        end = clock() + deadline_ms / 1000
        if await self.mode(application, deadline_ms) is not wanted:
            await self._run(operation, operand, max(1, round((end - clock()) * 1000)))
            await self._see_that_it_is(wanted, application, end, deadline_ms)

    async def _see_that_it_is(self, wanted: Mode, application: int | str, end: float, deadline_ms: int) -> None:
        """Read the status until the mode is `wanted`, which may come after the operation; raise what was seen last.

        A status that fails or is not understood does not end this: an application that is changing may cause it.
        """
        asked = f"{application} was asked to become {wanted}; {deadline_ms} ms later"
        failure: DriverError = TimedOutError(f"{asked} its mode is not known")
        try:
            async with asyncio.timeout_at(end):
                while True:
                    try:
                        # This deadline ends after `end`, so that `end` decides which error is raised.
                        if (found := await self.mode(application, deadline_ms)) is wanted:
                            return
                        failure = TimedOutError(f"{asked} it is {found}")
                    except (ExitStatusError, UnreadableError) as error:
                        failure = error
                    await asyncio.sleep(POLL_MS / 1000)
        except TimeoutError:
            raise failure from None

    async def _run(self, operation: Operation, operand: int | str, deadline_ms: int) -> _Answer:
        """Run one operation, which has to succeed."""
        password = _read_password(self._settings)
        argv = _command(self._settings, operation, operand, password)
        said = await run(argv, deadline_ms, output_limit=ANSWER_LIMIT, secret=password)
        require_success(argv, said, password)
        quotable = output_without(said, password)
        return _Answer(said, command_line(argv, password), repr(quotable[:_QUOTED]))


def _command(settings: MlcmdSettings, operation: Operation, application: int | str, password: str) -> tuple[str, ...]:
    """The command line in the documented form. Raises `DriverError` for an application that cannot be an argument."""
    named = str(application)
    if not named or named.startswith("-") or "\0" in named:
        raise DriverError(f"mlcmd cannot be given an application {named!r}: use its DBID")
    return (
        *settings.program,
        *("-cshost", settings.cshost, "-csport", str(settings.csport)),
        *("-csuser", settings.csuser, "-cspassword", password, "-csappname", settings.csappname),
        *(argument.format(application=named) for argument in operation),
    )


def modes_in(status: str, application: int | str) -> set[Mode]:
    """The modes that the words of a status stand for, in upper or lower case.

    The application's name, as it was passed to mlcmd, is left out first; an application named just "primary" needs its
    DBID here. Other names are not left out: if a status prints a name with such a word in it, for a DBID or of the
    peer, configure an operation or a program that does not. A hyphen and an underscore are parts of a word.

    >>> modes_in("VM Backup is running in PRIMARY mode; non-backup", "VM Backup")
    {<Mode.PRIMARY: 'primary'>}
    """
    words = _whole(str(application)).sub(" ", status)
    return {mode for word, mode in WORDS.items() if _whole(word).search(words)}


def _whole(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-]){re.escape(words)}(?![\w-])", re.IGNORECASE)


def _read_password(settings: MlcmdSettings) -> str:
    """The current password. Raises `DriverError`, which says what to do, if there is none that can be used."""
    if settings.password_file is not None:
        place, password = str(settings.password_file), _password_in(settings.password_file)
    else:
        place = f"the environment variable {settings.password_env}"
        password = os.environ.get(settings.password_env or "", "")
    if not password:
        raise DriverError(f"{place} must hold mlcmd's password and is empty: set it")
    if re.search(r"[\0\r\n]", password):
        raise DriverError(f"{place} must hold mlcmd's password and nothing else, on one line")
    return password


def _password_in(path: Path) -> str:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & _OTHERS:
                raise DriverError(f"{path} holds a password and other users can read it; run: chmod 600 {path}")
            return os.fsdecode(file.read()).rstrip("\r\n")  # bytes that are not UTF-8 pass unchanged
    except OSError as error:
        raise DriverError(f"cannot read mlcmd's password from {path}: {error.strerror}") from error
