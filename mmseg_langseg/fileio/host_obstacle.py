"""Fast check whether a host can be reached."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request

TIMEOUT = 5.0
"""Seconds to wait for a host to answer."""


def host_obstacle(host: str) -> str | None:
    """Return why a host cannot be reached, None if it can.

    Download libraries retry for a minute or more.

    Args:
        host: Address, e.g. ``https://huggingface.co``.
    """
    if 'all' in urllib.request.getproxies():
        return None  # perhaps SOCKS, which urllib does not support
    try:
        urllib.request.urlopen(urllib.request.Request(host, method='HEAD'), timeout=TIMEOUT)
    except urllib.error.HTTPError:
        return None
    except OSError as error:
        reason = getattr(error, 'reason', error)
        # The downloader may trust certificates that urllib rejects.
        return None if isinstance(reason, ssl.SSLError) else f'{host} does not answer ({reason})'
    return None
