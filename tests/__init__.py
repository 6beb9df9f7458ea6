"""Tests run side by side (pytest -n): one thread each, and waiting threads do not spin."""

import os

# Read when torch loads, here and in the processes that tests start.
os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
