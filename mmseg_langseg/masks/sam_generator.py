"""Masks of Segment Anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import nn

from .mask_generator import MaskGenerator, fill_options, name_model
from .mask_partition import masks_to_regions

# The generator sets these itself, or they have no form in JSON.
_RESERVED = ('point_grids', 'output_mode')


class SAMGenerator(MaskGenerator):
    """Masks of the automatic mask generator of Segment Anything (the package segment-anything).

    Args:
        model: ``vit_h``, ``vit_l``, ``vit_b`` (the paper's PixelCLIP masks are SA-1B's, made with
            ViT-H), or a built ``segment_anything.modeling.Sam``.
        checkpoint: Local file with the weights of a named model.
        device: Device to compute on.
        **options: Settings of ``SamAutomaticMaskGenerator``: ``points_per_side``,
            ``pred_iou_thresh``, ...

    Raises:
        ImportError: The package is not installed.
        ValueError: There is no such model or option.
        FileNotFoundError: There is no such checkpoint.
        RuntimeError: The checkpoint does not fit the model.
    """

    packages = ('segment-anything', 'torch')

    def __init__(
        self,
        model: str | nn.Module = 'vit_h',
        checkpoint: str | None = None,
        device: str = 'cpu',
        **options,
    ) -> None:
        try:
            from segment_anything import SamAutomaticMaskGenerator
        except ImportError as error:
            raise ImportError(
                "SAM needs the package segment-anything: pip install 'mmseg_langseg[sam]'"
            ) from error
        built = not isinstance(model, str)
        self.settings = dict(
            model=type(model).__name__ if built else name_model(model, checkpoint),
            **fill_options(SamAutomaticMaskGenerator, options, _RESERVED),
        )
        sam = model if built else _load_sam(model, checkpoint)
        self.generator = SamAutomaticMaskGenerator(
            sam.to(device).eval(), output_mode='coco_rle', **options
        )

    def masks(self, image: np.ndarray) -> list[dict]:
        """SA-1B's annotations, see :meth:`MaskGenerator.masks`."""
        return self.generator.generate(image)

    def regions(self, image: np.ndarray) -> np.ndarray:
        """The smallest mask at each pixel, see :func:`masks_to_regions`; 0 in no mask."""
        rles = [annotation['segmentation'] for annotation in self.masks(image)]
        return masks_to_regions(rles, *image.shape[:2])


def _load_sam(model: str, checkpoint: str | None) -> nn.Module:
    from segment_anything import sam_model_registry

    known = [name for name in sam_model_registry if name.startswith('vit')]
    if model not in known:
        raise ValueError(f"SAM has no model '{model}'; there are {', '.join(known)}")
    if checkpoint is None or not Path(checkpoint).is_file():
        raise FileNotFoundError(
            f"no checkpoint '{checkpoint}' for SAM {model}; download it from the page of "
            'segment-anything and name the file with the option checkpoint=FILE'
        )
    try:
        return sam_model_registry[model](checkpoint=checkpoint)
    except Exception as error:  # torch.load fails in many ways
        raise RuntimeError(f"'{checkpoint}' does not fit SAM {model}: {error}") from error
