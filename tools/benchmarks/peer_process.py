"""Run one side of a benchmark in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


class PeerProcess:
    """Process of one side, see ``peer_measurement.py``.

    Args:
        script: ``peer_sides.py`` or ``official_sides.py``.
        side: Name of the side in the script.
        title: Name of the side in error messages.
        settings: JSON file that the side reads.

    Attributes:
        ready: What the side answered once it had loaded its weights.
        loaded: Memory of the process with the weights, in MiB.
        resets: Whether the system can reset peak memory. If not, ``loaded`` is the peak of
            loading, and the memory that a stage adds is a lower bound.

    Raises:
        RuntimeError: The code of the side failed.
    """

    def __init__(self, script: Path, side: str, title: str, settings: Path) -> None:
        self.title = title
        self.process = subprocess.Popen(
            [sys.executable, str(script), side, str(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
        )
        self.ready = self._answer()
        self.loaded, self.resets = self.ready['peak'], self.ready['resets']

    def __enter__(self) -> PeerProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(BrokenPipeError):  # what it has not read
            self.process.stdin.close()
        self.process.stdout.close()

    def measure(self, command: str) -> dict[str, Any]:
        """Run a stage; return its figures, with the memory in MiB added since loading."""
        figures = self.ask(command)
        return {**figures, 'added': figures['peak'] - self.loaded}

    def ask(self, command: str) -> dict[str, Any]:
        """Send a command; return the answer."""
        with contextlib.suppress(BrokenPipeError):  # it has ended
            self.process.stdin.write(f'{command}\n')
            self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {'error': self._end()}
        if 'error' in answer:
            self.close()
            raise RuntimeError(f'{self.title}: {answer["error"]}')
        return answer

    def _end(self) -> str:
        """Describe how the process ended."""
        status = self.process.wait()
        if status == -9:
            return 'its process was killed, as Linux does if memory runs out'
        return f'its process ended with status {status}'
