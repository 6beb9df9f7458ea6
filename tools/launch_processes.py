"""``torchrun`` with the exit status of interrupted processes; used by the dist_*.sh scripts.

``torchrun`` exits with status 1 whatever happened. Here the status is 75 if all processes left with
it (a training stopped by SIGTERM, see ``TerminationHook``) or SIGTERM ended them, 130 after Ctrl-C,
and 1 if a process failed; a message names those that failed.
"""

import signal
import sys

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import get_args_parser, run

REQUEUE = 75


def main() -> None:
    try:
        run(get_args_parser().parse_args())
    except SignalException as error:
        sys.exit(REQUEUE if error.sigval == signal.SIGTERM else 128 + error.sigval)
    except ChildFailedError as error:
        codes = {rank: failure.exitcode for rank, failure in sorted(error.failures.items())}
        sys.exit(status(codes))


def status(codes: dict[int, int]) -> int | str:
    """Return the exit status, or a message, for the codes of the processes that failed."""
    # torchrun ends the others with SIGTERM.
    failed = {rank: code for rank, code in codes.items() if code != -signal.SIGTERM} or codes
    if set(failed.values()) == {REQUEUE}:
        return REQUEUE
    ends = ', '.join(f'process {rank} {_end(code)}' for rank, code in failed.items())
    return f'The processes were stopped: {ends}.'


def _end(code: int) -> str:
    if code < 0:
        return f'was ended by {signal.Signals(-code).name}'
    return f'exited with status {code}'


if __name__ == '__main__':
    main()
