"""Stands in for the vendor's mlcmd, which is not available: a program that takes command lines of the documented form.

It is stricter than mlcmd has to be: all the mandatory parameters in their order, then exactly one operation and its
application. The operations' names and what it prints are this project's own choice, as they are in the driver.

The environment variable MLCMD_STAND_IN names a directory. `state.json` in it holds the password, the applications with
the mode that a status prints, and for each operation how its runs behave, the last of which stays; `runs` gets one line
for each run.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

MANDATORY = ("-cshost", "-csport", "-csuser", "-cspassword", "-csappname")
OPERATIONS = ("-getappstatus", "-switchover", "-makebackup")
DIRECTORY = Path(os.environ["MLCMD_STAND_IN"])
STATE = DIRECTORY / "state.json"


def main():
    arguments = sys.argv[1:]
    with (DIRECTORY / "runs").open("a") as runs:
        runs.write(json.dumps({"argv": arguments, "LANG": os.environ.get("LANG")}) + "\n")
    state = json.loads(STATE.read_text())
    mandatory, operation, application = parsed(arguments, state["applications"])
    if mandatory["-cspassword"] != state["password"]:
        end(3, f"cannot log in to Configuration Server with {' '.join(sys.argv)}")
    behaviours = state["behaviour"].get(operation, ["succeed"])
    behaviour = behaviours.pop(0) if len(behaviours) > 1 else behaviours[0]
    write(state)
    BEHAVIOURS[behaviour](state, operation, application)


def parsed(arguments, applications):
    """The mandatory parameters, the operation, and the application, which goes by DBID or by name."""
    if len(arguments) != 2 * len(MANDATORY) + 2:
        end(2, "usage: every mandatory parameter, and one operation with its application")
    *pairs, operation, operand = arguments
    mandatory = dict(zip(pairs[::2], pairs[1::2], strict=True))
    if tuple(mandatory) != MANDATORY or not mandatory["-csport"].isdecimal() or operation not in OPERATIONS:
        end(2, "usage: not a parameter, or not an operation")
    for application in applications:
        if operand in (str(application["dbid"]), application["name"]):
            return mandatory, operation, application
    return end(4, f"no application {operand}")


def end(status, words):
    print(words)
    sys.exit(status)


def succeed(state, operation, application):
    if operation == "-getappstatus":
        become_due(state)
        end(0, f"application {sys.argv[-1]}: {application['mode']}")
    switch(state, operation, application)
    end(0, "done")


def switch(state, operation, application):
    """One of the pair is primary, the other one backup."""
    application["mode"] = "primary" if operation == "-switchover" else "backup"
    for other in state["applications"]:
        if other["dbid"] == application["peer"]:
            other["mode"] = "backup" if operation == "-switchover" else "primary"
    write(state)


def become_due(state):
    """A promised change happens after some more looks, so no clock decides when."""
    due = state["due"]
    if due is not None:
        due["looks"] -= 1
        if due["looks"] < 0:
            state["due"] = None
            switch(state, due["operation"], next(a for a in state["applications"] if a["dbid"] == due["dbid"]))
        else:
            write(state)


def write(state):
    complete = DIRECTORY / "state.new"
    complete.write_text(json.dumps(state))
    complete.replace(STATE)


def promise(state, operation, application):
    """Return at once; the mode changes after two more looks."""
    state["due"] = {"operation": operation, "dbid": application["dbid"], "looks": 2}
    write(state)
    end(0, "accepted")


def linger(state, operation, application):
    """Return some time after the mode has changed, or after it was looked at."""
    time.sleep(0.3)
    succeed(state, operation, application)


def do_nothing(state, operation, application):
    end(0, "done")


def fail(state, operation, application):
    end(1, f"trace\nfailed: {' '.join(sys.argv)}\n")


def flood(state, operation, application, status=0):
    """Print the mode, and then the password so often that a limit cuts it off in the middle."""
    end(status, application["mode"] + "".join(f"\n{number}: {' '.join(sys.argv)}" for number in range(5000)))


def flood_and_fail(state, operation, application):
    flood(state, operation, application, status=1)


def echo(state, operation, application):
    end(0, f"unclear: {' '.join(sys.argv)}\n")


def say_bytes(state, operation, application):
    sys.stdout.buffer.write(bytes(range(256)) * 4)


def hang(state, operation, application):
    """Never end, nor does a child; both hold a lock as long as they live."""
    lock = (DIRECTORY / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.set_inheritable(lock.fileno(), True)
    subprocess.run(["sleep", "1000"], close_fds=False, check=True)  # noqa: S607 - from PATH


def die(state, operation, application):
    print(" ".join(sys.argv), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


BEHAVIOURS = {
    function.__name__: function
    for function in (succeed, promise, linger, do_nothing, fail, flood, flood_and_fail, echo, say_bytes, hang, die)
}

if __name__ == "__main__":
    main()
