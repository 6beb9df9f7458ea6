"""The generators by name."""

from __future__ import annotations

from .dino_generator import DINOGenerator
from .felzenszwalb import felzenszwalb_regions
from .mask_generator import MaskGenerator, fill_options
from .sam_generator import SAMGenerator
from .slic import slic_regions
from .superpixel_generator import SuperpixelGenerator

GENERATORS = ('felzenszwalb', 'slic', 'dino', 'sam')


def build_generator(name: str, device: str = 'cpu', **options) -> MaskGenerator:
    """Build a generator of masks.

    Args:
        name: One of :data:`GENERATORS`.
        device: Device that 'dino' and 'sam' compute on.
        **options: Arguments of :func:`felzenszwalb_regions`, :func:`slic_regions`,
            :class:`DINOGenerator` or :class:`SAMGenerator`.

    Raises:
        ValueError: There is no such generator, or it has no such option.
        ImportError: 'sam' without the package segment-anything.
        FileNotFoundError: There is no such checkpoint.
        RuntimeError: Weights cannot be loaded.
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
    raise ValueError(f"no generator '{name}'; there are {', '.join(GENERATORS)}")
