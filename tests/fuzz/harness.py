"""Fuzzing harness: run a target on many hostile inputs in subprocesses that may crash."""

from __future__ import annotations

import faulthandler
import gc
import hashlib
import multiprocessing
import os
import pickle
import resource
import shutil
import signal
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase

from tests.fuzz.target import OUTSIDE, Target

MEMORY = 4 * 2**30
"""Bytes of memory that a process may use beyond its size at the start."""
PATIENCE = 60
"""Time limit per input in seconds."""
GRACE = 10
"""Seconds after which the process is ended if the time limit does not end the input."""
CHUNK = 500
"""Inputs per process."""
LONGEST_MESSAGE = 5000
"""Maximum number of characters of an error message."""


class FuzzFailure(AssertionError):
    """Raised when an input violates a requirement of the fuzz campaign."""


class OvertimeError(BaseException):
    """An input takes too long. Not an ``Exception``, since some libraries catch it and retry."""


@dataclass
class FuzzReport:
    """Outcome of the inputs of one target.

    Attributes:
        accepted: Inputs that were used.
        refused: Inputs that ended in an expected error.
        failures: One text per process that ended by a crash or an unexpected error.
        peak: Peak memory of the largest process in bytes, including the libraries.
    """

    accepted: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)
    peak: int = 0


def fuzz(target: Target, examples: int, seed: int, shrink: bool = True) -> FuzzReport:
    """Run a target on hostile inputs.

    A process ended by a signal or out of memory counts as a failure, like an unexpected error,
    and the campaign continues with the next process.

    Args:
        target: The target.
        examples: Number of inputs to draw.
        seed: Random seed; the same seed draws the same inputs.
        shrink: Also look for a smaller failing input.
    """
    report = FuzzReport()
    with tempfile.TemporaryDirectory(prefix='fuzz_') as folder:
        for first in range(0, examples, CHUNK):
            size = min(CHUNK, examples - first)
            _run_chunk(report, target, size, (seed << 20) + first, shrink, Path(folder))
    return report


def attempt(target: Target, case: Any, folder: Path) -> str:
    """Run a target on one input in an empty sandbox.

    Returns:
        'accepted' or 'refused'.

    Raises:
        FuzzFailure: If an error is unexpected, too long or does not name its subject, an input was
            changed, or a file was written outside the output folder.
    """
    # Deep enough that '../../..' still leads into the sandbox.
    inputs, out = folder / 'a/b/c/inputs', folder / 'a/b/c/out'
    for made in (inputs, out, folder / 'outside'):
        made.mkdir(parents=True)
    target.prepare(case, inputs)
    before = _digests(folder, out)
    try:
        target.run(inputs, out)
        outcome = 'accepted'
    except target.expected as error:
        _check_message(str(error), target.names)
        outcome = 'refused'
    except Exception as error:
        raise FuzzFailure(f'unexpected {type(error).__name__}: {error!s:.500}') from error
    after = _digests(folder, out)
    if after != before:
        changed = sorted(name for name, _ in before.items() ^ after.items())
        raise FuzzFailure(f'files were changed or written outside the output folder: {changed}')
    return outcome


def fill_outside(content: bytes, inputs: Path) -> bytes:
    """Replace ``OUTSIDE`` with the absolute path of the sandbox's forbidden folder."""
    return content.replace(OUTSIDE.encode(), str(inputs.parents[3] / 'outside').encode())


def _check_message(message: str, names: tuple[str, ...]) -> None:
    if not any(name in message for name in names):
        raise FuzzFailure(f'the error does not name {" or ".join(names)}: {message:.500}')
    if len(message) > LONGEST_MESSAGE:
        raise FuzzFailure(f'the error has {len(message)} characters: {message:.500}')


def _run_chunk(
    report: FuzzReport, target: Target, size: int, seed: int, shrink: bool, folder: Path
) -> None:
    context = multiprocessing.get_context('fork')
    receiver, sender = context.Pipe(duplex=False)
    last = folder / 'last.pkl'
    arguments = (target, size, seed, shrink, folder, last, sender)
    process = context.Process(target=_work, args=arguments)
    process.start()
    sender.close()
    _join(process, last)
    ended = receiver.recv() if process.exitcode == 0 else (Counter(), None, 0)
    counts, failure, peak = ended
    report.peak = max(report.peak, peak)
    if process.exitcode != 0:
        case = pickle.loads(last.read_bytes()) if last.exists() else None
        failure = f'{_describe_exit(process.exitcode)} at the input {case!r:.2000}'
        shutil.rmtree(folder / 'sandbox', ignore_errors=True)
    report.accepted += counts['accepted']
    report.refused += counts['refused']
    if failure:
        report.failures.append(f'seed {seed}: {failure}')


def _join(process: Any, last: Path) -> None:
    """Wait for a process, and end it if an input takes too long in a call to C.

    Python handles the signal of the time limit only after such a call.
    """
    start = time.time()
    while process.exitcode is None:
        process.join(1)
        written = last.stat().st_mtime if last.exists() else start
        if time.time() - max(start, written) > PATIENCE + GRACE:
            process.kill()


def _work(
    target: Target, size: int, seed: int, shrink: bool, folder: Path, last: Path, sender: Any
) -> None:
    """Run the inputs of one process; send the counts and the first failure."""
    faulthandler.disable()
    _limit_memory()
    signal.signal(signal.SIGALRM, _stop)
    # MMEngine collects garbage for each dataset, which takes seconds with all of torch's objects.
    gc.freeze()
    counts: Counter = Counter()

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=size,
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(target.cases)
    def example(case: Any) -> None:
        # So that the parent knows the input if the process crashes.
        last.write_bytes(pickle.dumps(case))
        sandbox = folder / 'sandbox'
        signal.alarm(PATIENCE)
        try:
            counts[attempt(target, case, sandbox)] += 1
        finally:
            signal.alarm(0)
            shutil.rmtree(sandbox, ignore_errors=True)

    failure = None
    # Silence the libraries' warnings about thousands of broken files.
    with open(os.devnull, 'w') as null:
        os.dup2(null.fileno(), 2)
    try:
        example()
    except BaseException as error:
        # Hypothesis' note holds the input, which may be large.
        case = ''.join(getattr(error, '__notes__', []))[:3000]
        case = case or f'at the input {pickle.loads(last.read_bytes())!r:.3000}'
        error.__notes__ = []
        failure = ''.join(traceback.format_exception(error))[-4000:] + case
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    sender.send((counts, failure, peak))


def _limit_memory() -> None:
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _stop(*_: Any) -> None:
    raise OvertimeError(f'it takes longer than {PATIENCE} seconds')


def _describe_exit(code: int) -> str:
    return f'ended by {signal.Signals(-code).name}' if code < 0 else f'exit status {code}'


def _digests(folder: Path, out: Path) -> dict[str, str]:
    """Return hashes of the files in a folder, except those in the output folder."""
    found = {}
    for path in sorted(folder.rglob('*')):
        if path != out and out not in path.parents:
            content = path.read_bytes() if path.is_file() else b''
            found[str(path)] = hashlib.sha256(content).hexdigest()
    return found
