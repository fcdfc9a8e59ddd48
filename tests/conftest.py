"""Network namespaces for tests: real interfaces, addresses and frames, far from the machine's own network.

On Linux a thread can have a network namespace of its own, so here a namespace is a thread: whatever runs in it, and
every process that it starts, sees that namespace and nothing else, while the test stays in one process (with its
coverage). The namespace and its interfaces vanish with the thread.
"""

import asyncio
import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from support.daemon_site import Site
from support.page_stage import PageStage
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

T = TypeVar("T")

# Whatever a test starts inherits an ignored signal, as of a run in the background or by nohup, and could not be ended.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

CLONE_NEWNET = 0x40000000

PATIENCE_S = 60
"""How long a test waits for what must happen before it fails."""


class Namespace:
    """A thread with a network namespace of its own."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self.thread_id = self._thread.submit(threading.get_native_id).result()
        self.call(_leave_network)
        self.ip("link set lo up")

    def call(self, function: Callable[..., T], *arguments: object) -> T:
        """Call a function in the namespace and return its result; it may call back."""
        if threading.get_native_id() == self.thread_id:
            return function(*arguments)
        return self._thread.submit(function, *arguments).result(PATIENCE_S * 2)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the namespace to its end."""
        return self.call(asyncio.run, asyncio.wait_for(coroutine, PATIENCE_S * 1.5))

    def ip(self, arguments: str) -> str:
        """What `ip` prints with these arguments in the namespace; it must succeed."""
        return self.call(_output_of, ["ip", *arguments.split()])

    def close(self) -> None:
        """Give the namespace up."""
        self._thread.shutdown()


def _leave_network() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _output_of(command: list[str]) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - the tests' own


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that use a namespace.

    Where several processes share the tests, the slow ones come first, so that all processes end at about the same time.
    """
    for item in items:
        if isinstance(item, pytest.Function) and {"apart", "host", "wired"} & set(item.fixturenames):
            item.add_marker(pytest.mark.namespaces)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.path.parent.name != "slow")


class Sharing(LoadScopeScheduling):
    """Shares the tests among processes by file. All labs go to one: each needs the processors for itself."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # in their order, not the files of many tests first

    def _split_scope(self, nodeid: str) -> str:
        file, _, _ = nodeid.partition("::")
        return "labs" if "/test_lab" in file else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing:
    """How tests are shared where pytest is run with `-n`."""
    return Sharing(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI nothing is skipped: what cannot run there fails, with the reason for which it would be skipped."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        _, _, reason = cast("tuple[str, int, str]", report.longrepr)
        report.outcome, report.longrepr = "failed", f"nothing may be skipped in CI. {reason}"
    return report


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A namespace of a host: `eth0` with the addresses 198.51.100.1/24 and 2001:db8::1/64."""
    namespace = _namespace_or_skip()
    namespace.ip("link add eth0 type veth peer name far_end")
    namespace.ip("link set far_end up addrgenmode none")
    _configure(namespace, 1)
    yield namespace
    namespace.close()


@pytest.fixture
def wired() -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces and a cable between their `eth0`: a host as above, and its neighbour with .2 and ::2."""
    host, neighbour = _namespace_or_skip(), _namespace_or_skip()
    host.ip(f"link add eth0 type veth peer name eth0 netns {neighbour.thread_id}")
    _configure(host, 1)
    _configure(neighbour, 2)
    yield host, neighbour
    neighbour.close()
    host.close()


@pytest.fixture
def apart() -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces that nothing connects."""
    first, second = _namespace_or_skip(), _namespace_or_skip()
    yield first, second
    second.close()
    first.close()


@pytest.fixture
def site(host: Namespace, tmp_path: Path) -> Iterator[Site]:
    """A namespace in which the agent, the LCA of host1 and the page can run; of host2 nothing is ever heard."""
    found = Site(host, tmp_path)
    yield found
    found.end()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[PageStage]:
    """An agent with its live page, on simulated hosts."""
    with PageStage(tmp_path) as found:
        yield found


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], Coroutine[Any, Any, None]]:
    """`await eventually(condition)` waits until the condition is true, and fails if it never is."""

    async def wait_for(condition: Callable[[], object]) -> None:
        give_up = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < give_up, "it never came true"
            await asyncio.sleep(0.01)

    return wait_for


def _namespace_or_skip() -> Namespace:
    try:
        return Namespace()
    except OSError as error:
        pytest.skip(f"this machine gives no network namespaces: {error}")


def _configure(namespace: Namespace, number: int) -> None:
    # Without link-local addresses, which would come and go in the middle of a test.
    namespace.ip("link set eth0 up addrgenmode none")
    namespace.ip(f"addr add 198.51.100.{number}/24 dev eth0")
    namespace.ip(f"addr add 2001:db8::{number}/64 dev eth0 nodad")
    give_up = time.monotonic() + PATIENCE_S
    while "local 2001:db8::" not in namespace.ip("-6 route show table local"):  # the kernel adds it some time later
        assert time.monotonic() < give_up, "the IPv6 address never came into use"
