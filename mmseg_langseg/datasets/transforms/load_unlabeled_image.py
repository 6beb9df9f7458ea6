"""Image loading whose failures name the file."""

from __future__ import annotations

import cv2
from mmcv.transforms import LoadImageFromFile
from mmseg.registry import TRANSFORMS

from mmseg_langseg.masks import ImageFileError


@TRANSFORMS.register_module()
class LoadUnlabeledImage(LoadImageFromFile):
    """mmcv's image loader; an image that cannot be read or decoded is an ``ImageFileError``.

    The decoding backends fail in different ways (an exception of their own, or no image at all).
    With one kind of error :class:`UnlabeledMaskDataset` can skip the image or stop.
    """

    def transform(self, results: dict) -> dict:
        """Load ``results['img_path']`` into ``results['img']``, (H, W, 3) uint8 BGR.

        Raises:
            ImageFileError: The image is missing or cannot be decoded.
        """
        try:
            return super().transform(results)
        except (OSError, ValueError, AssertionError, cv2.error) as error:
            raise ImageFileError(
                f'{results["img_path"]}: image cannot be read or decoded ({error})'
            ) from error
