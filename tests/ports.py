"""Ports of this machine for tests."""

import random
import socket


def free_port() -> str:
    """Return a free port below those that the system gives to outgoing connections.

    Another connection could take one of those before the test's server listens on it.
    """
    for port in random.SystemRandom().sample(range(10000, 32000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
            except OSError:
                continue
            return str(port)
    raise RuntimeError('100 ports are all in use')
