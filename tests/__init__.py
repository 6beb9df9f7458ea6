"""For parallel tests (pytest -n): one thread per process, and waiting threads do not spin."""

import os

# Read when torch is imported, here and in subprocesses.
os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
