"""Open the port of a server."""

from __future__ import annotations

import errno
import socket


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Args:
        host: Address or name of this machine.
        port: Port; 0: any free one.

    Raises:
        OSError: The port is in use or reserved, or the address is none of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f'port {port} is in use; give another with --port'
        else:
            # The socket module adds host and port to some of the reasons.
            reason = (error.strerror or str(error)).partition(' (while')[0]
            message = f'cannot listen at {host!r}, port {port}: {reason}; see --host and --port'
        raise OSError(message) from error
