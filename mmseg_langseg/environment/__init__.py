"""Report on the environment: packages, imports, machine, caches and weights.

Nothing here imports MMSegmentation or torch, so the report also works where they are broken.
"""

from collections.abc import Iterator

from .imports import check_imports
from .installed_packages import check_packages
from .machine import check_machine
from .section import Section
from .weights import check_caches, check_weights

__all__ = ['Section', 'check_environment']


def check_environment() -> Iterator[Section]:
    """Check everything that the commands of this package need.

    Takes several seconds: a process of its own imports torch, MMSegmentation and this package.

    Yields:
        The parts of the report, as soon as they are known.
    """
    yield from check_packages()
    imports, facts = check_imports()
    yield imports
    yield check_machine(facts.get('torch'))
    yield check_caches(facts)
    if 'mmseg_langseg' in facts:
        yield check_weights(facts['mmseg_langseg'])
