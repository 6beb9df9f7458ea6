"""Image loading with uniform errors."""

from __future__ import annotations

from importlib.util import find_spec

import mmengine.fileio as fileio
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmseg_langseg.fileio import ImageFileError, decode_image, raise_machine_fault

# mmcv's image backends and the modules that they need.
_BACKENDS = {'cv2': 'cv2', 'turbojpeg': 'turbojpeg', 'pillow': 'PIL', 'tifffile': 'tifffile'}


@TRANSFORMS.register_module()
class LoadUnlabeledImage(BaseTransform):
    """Load an image, raising ``ImageFileError`` if it cannot be read or decoded.

    mmcv's loader decodes in the same way, but its backends fail in different ways (their own
    exceptions, or no image at all) and fill truncated JPEGs with gray. With a single error class,
    :class:`UnlabeledMaskDataset` can skip the image or stop.

    Required keys: ``img_path``.

    Added keys: ``img`` ((H, W, 3) uint8 BGR, rotated according to EXIF), ``img_shape``,
    ``ori_shape``.

    Args:
        imdecode_backend: mmcv's image backend.
        backend_args: MMEngine file backend.

    Raises:
        ValueError: mmcv has no such backend.
        ImportError: The backend's package is not installed.
    """

    def __init__(self, imdecode_backend: str = 'cv2', backend_args: dict | None = None) -> None:
        if imdecode_backend not in _BACKENDS:
            raise ValueError(
                f'imdecode_backend={imdecode_backend!r}: expected one of {", ".join(_BACKENDS)}'
            )
        if find_spec(_BACKENDS[imdecode_backend]) is None:
            raise ImportError(
                f"imdecode_backend='{imdecode_backend}' needs the package "
                f"'{_BACKENDS[imdecode_backend]}', which is not installed"
            )
        self.imdecode_backend = imdecode_backend
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add the image.

        Raises:
            ImageFileError: The image is missing, empty, truncated, too large, or undecodable.
            OSError: Too many files are open or memory is exhausted, which is not this file's fault.
        """
        path = results['img_path']
        try:
            content = fileio.get(path, backend_args=self.backend_args)
            results['img'] = decode_image(content, 'bgr', self.imdecode_backend)
        except (OSError, ValueError) as error:
            raise_machine_fault(error)
            raise ImageFileError(f'{path}: image cannot be read or decoded ({error})') from error
        results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
        return results

    def __repr__(self) -> str:
        """Return the class name and arguments."""
        return (
            f'{type(self).__name__}(imdecode_backend={self.imdecode_backend!r}, '
            f'backend_args={self.backend_args})'
        )
