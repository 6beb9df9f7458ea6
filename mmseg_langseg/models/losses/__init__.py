"""Losses: a pure function and a thin registered module for each."""

from .covered_pixel_bce_loss import CoveredPixelBCELoss, covered_pixel_bce, global_mean

__all__ = ['CoveredPixelBCELoss', 'covered_pixel_bce', 'global_mean']
