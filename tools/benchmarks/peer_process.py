"""Run one side of benchmark_peers.py in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

NAMES = {'own': 'this package', 'naclip': 'NACLIP'}
SCRIPT = Path(__file__).with_name('peer_sides.py')


class PeerProcess:
    """Process of one side, see ``peer_sides.py``.

    Args:
        side: ``'own'`` or ``'naclip'``.
        settings: File of ``benchmark_peers.write_settings``.

    Attributes:
        loaded: Memory of the process with the weights, in MiB.
        resets: Whether the system can reset peak memory. If not, ``loaded`` is the peak of
            loading, and the memory that a stage adds is a lower bound.

    Raises:
        RuntimeError: The code of the side failed.
    """

    def __init__(self, side: str, settings: Path) -> None:
        self.side = side
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), side, str(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
        )
        answer = self._answer()
        self.loaded, self.resets = answer['peak'], answer['resets']

    def __enter__(self) -> PeerProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def measure(self, command: str) -> dict[str, float]:
        """Run a stage; return its CPU seconds, and the memory in MiB added since loading."""
        self.process.stdin.write(f'{command}\n')
        self.process.stdin.flush()
        figures = self._answer()
        return {'cpu': figures['cpu'], 'added': figures['peak'] - self.loaded}

    def _answer(self) -> dict[str, float]:
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {'error': 'its process ended'}
        if 'error' in answer:
            self.close()
            raise RuntimeError(f'{NAMES[self.side]}: {answer["error"]}')
        return answer
