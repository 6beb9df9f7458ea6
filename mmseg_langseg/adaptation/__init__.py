"""Training on photos without labels that is used only if it helped."""

from .adapt import adapt, choose
from .adaptation import Adaptation, Judged
from .candidate import Candidate
from .held_out import split_photos

__all__ = ['Adaptation', 'Candidate', 'Judged', 'adapt', 'choose', 'split_photos']
