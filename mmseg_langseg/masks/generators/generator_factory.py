"""Factory for mask generators by name."""

from __future__ import annotations

from .dino_generator import DINOGenerator
from .felzenszwalb import felzenszwalb_regions
from .mask_generator import MaskGenerator, fill_options
from .sam_generator import SAMGenerator
from .slic import slic_regions
from .superpixel_generator import SuperpixelGenerator

GENERATORS = ('felzenszwalb', 'slic', 'dino', 'sam')
"""Names of the mask generators."""


def build_generator(name: str, device: str = 'cpu', **options) -> MaskGenerator:
    """Build a mask generator (Felzenszwalb, SLIC, DINO or SAM) by name.

    Args:
        name: One of :data:`GENERATORS`.
        device: Device for 'dino' and 'sam'.
        **options: Arguments of :func:`felzenszwalb_regions`, :func:`slic_regions`,
            :class:`DINOGenerator` or :class:`SAMGenerator`.

    Raises:
        ValueError: There is no such generator, or it has no such option.
        ImportError: 'sam' is requested but the package segment-anything is not installed.
        FileNotFoundError: The checkpoint does not exist.
        RuntimeError: The weights cannot be loaded.
    """
    if name == 'felzenszwalb':
        return SuperpixelGenerator(felzenszwalb_regions, **options)
    if name == 'slic':
        return SuperpixelGenerator(slic_regions, **options)
    if name == 'dino':
        fill_options(DINOGenerator, options, reserved=('device',))
        return DINOGenerator(device=device, **options)
    if name == 'sam':
        return SAMGenerator(device=device, **options)
    raise ValueError(f"no generator '{name}'; available: {', '.join(GENERATORS)}")
