"""Corruption of test images, to measure robustness."""

from __future__ import annotations

import inspect
import zlib
from pathlib import PurePath
from types import ModuleType

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

_LEAST_SIDE = 32


@TRANSFORMS.register_module()
class Corrupt(BaseTransform):
    """Corrupt an image by noise, blur, weather or digital artifacts of 5 severities (ImageNet-C).

    The corruptions are those of Hendrycks and Dietterich (ICLR 2019) as extended to images of any
    size by Michaelis et al. (2019), computed by the package ``imagecorruptions-imaug``, which the
    extra ``corruptions`` installs. The random numbers depend only on the file name of the image,
    the corruption and the severity, so that all models see the same images.

    Required keys: ``img`` (uint8 BGR), ``img_path``. Modified keys: ``img``.

    Args:
        corruption: Name, e.g. ``'gaussian_noise'``, ``'motion_blur'``, ``'fog'`` or
            ``'jpeg_compression'``.
        severity: 1 to 5.

    Raises:
        ImportError: ``imagecorruptions-imaug`` is not installed.
        ValueError: The corruption or the severity is unknown.
    """

    def __init__(self, corruption: str, severity: int) -> None:
        library = _import_library()
        names = library.get_corruption_names('all')
        if corruption not in names:
            raise ValueError(
                f'unknown corruption {corruption!r}; expected one of {", ".join(names)}'
            )
        if isinstance(severity, bool) or severity not in range(1, 6):
            raise ValueError(f'severity {severity!r} of {corruption}; expected an integer, 1 to 5')
        self.corruption = corruption
        self.severity = severity
        function = library.corruption_dict[corruption]
        self._has_seed = 'seed' in inspect.signature(function).parameters

    def transform(self, results: dict) -> dict:
        """Corrupt the image.

        Raises:
            ValueError: The image is not uint8 with 3 channels, or a side has less than 32 pixels.
        """
        image = results['img']
        good = image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        if not good or min(image.shape[:2]) < _LEAST_SIDE:
            raise ValueError(
                f'{results["img_path"]}: corruptions need 8-bit color images with sides of at '
                f'least {_LEAST_SIDE} pixels, got {image.dtype} {image.shape}'
            )
        name = f'{PurePath(results["img_path"]).name} {self.corruption} {self.severity}'
        seed = zlib.crc32(name.encode(errors='replace'))
        # Some functions have a seed, the others use the global random numbers.
        options = dict(seed=seed) if self._has_seed else {}
        state = np.random.get_state()
        np.random.seed(seed)
        try:
            corrupted = _import_library().corrupt(
                image[..., ::-1], self.severity, self.corruption, **options
            )
        finally:
            np.random.set_state(state)
        results['img'] = np.ascontiguousarray(corrupted[..., ::-1])
        return results

    def __repr__(self) -> str:
        """Return the class name and arguments."""
        return f'{type(self).__name__}(corruption={self.corruption!r}, severity={self.severity})'


def _import_library() -> ModuleType:
    advice = 'pip install "mmseg_langseg[corruptions]"'
    try:
        import imagecorruptions
    except ImportError as error:
        raise ImportError(
            f'corruptions need the package imagecorruptions-imaug ({error}): {advice}'
        ) from error
    if 'seed' not in inspect.signature(imagecorruptions.impulse_noise).parameters:
        raise ImportError(
            'the installed package imagecorruptions has been replaced by imagecorruptions-imaug, '
            f'which supports current numpy: pip uninstall imagecorruptions, then {advice}'
        )
    return imagecorruptions
