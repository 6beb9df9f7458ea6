import pytest
from mmengine.registry import DefaultScope


@pytest.fixture(autouse=True)
def scope():
    """Pipelines are built by mmengine, which finds mmseg's parts in this scope only."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield
