import os

import pytest


@pytest.fixture(scope='module')
def ray():
    """Ray, without usage statistics."""
    module = pytest.importorskip('ray')
    os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
    # By default other processes go first, and on a busy machine workers take minutes to start.
    os.environ.setdefault('RAY_worker_niceness', '0')
    return module
