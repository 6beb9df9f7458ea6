"""Small tensor functions that several parts share."""

from .mask_pooling import bilinear_matrix, mask_pool, slot_in_image
from .momentum_teacher import MomentumTeacher
from .similarity import cosine_map

__all__ = ['MomentumTeacher', 'bilinear_matrix', 'cosine_map', 'mask_pool', 'slot_in_image']
