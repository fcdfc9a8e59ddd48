"""TCP ports of loopback for tests that listen."""

import random
import socket

# Below those that the kernel gives to connections going out, one of which could take the port before the test does.
_PORTS = range(20000, 32000)


def free_port(address: str = "127.0.0.1") -> int:
    """A free port of this address, IPv4 or IPv6."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket(family) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return port
    raise OSError(f"no port is free at {address}")
