"""Training on photos without labels that is used only if it helped."""

from .adaptation import Adaptation, Judged
from .adaptation_run import adapt, choose
from .candidate import Candidate
from .held_out import split_photos

__all__ = ['Adaptation', 'Candidate', 'Judged', 'adapt', 'choose', 'split_photos']
