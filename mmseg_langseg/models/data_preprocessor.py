"""Data preprocessor for CLIP towers: normalize, resize and batch images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.models import SegDataPreProcessor
from mmseg.registry import MODELS
from mmseg.utils import stack_batch
from torch import Tensor
from torch.nn import functional as F

from mmseg_langseg.models.utils.batch_strong_view import BatchStrongView


@MODELS.register_module()
class CLIPDataPreProcessor(SegDataPreProcessor):
    """Normalize, resize and batch images for CLIP towers.

    Each image is normalized and then, if ``input_size`` is given, resized to it (bilinear, no
    antialias, aspect ratio not kept), as PixelCLIP does in training and testing.
    A batch may therefore hold images of any size. There are four kinds of batches:

    * PixelCLIP's two views (``inputs`` is a dict with ``weak`` and ``strong``): each view becomes
      one tensor;
    * augmented views of ``PackViews`` (``inputs`` is a dict with ``views``, and ``image`` or
      ``clip_features``): the views become one tensor at their own size, the images another at
      ``teacher_size``, the features a third;
    * other training batches: padded, as in MMSegmentation;
    * test batches: resized to ``input_size``, or padded at the lower right to a common size if it
      is ``None`` (sliding windows). The metainfo tells ``postprocess_result`` which.

    Args:
        mean: RGB mean on the 0..255 scale; CLIP's by default.
        std: RGB standard deviation, likewise.
        bgr_to_rgb: Whether the loaded images are BGR and are converted to RGB.
        input_size: (height, width) of the tower's input; ``None`` keeps the sizes and pads.
        dino_size: If given, a two-view batch also gets ``dino``: the normalized weak view at this
            (height, width), for mask generators that need more detail than the tower. If it is
            the crop size of the pipeline, full crops are not resized.
        teacher_size: (height, width) of the un-augmented images for the frozen teacher, in batches
            of augmented views; ``None`` keeps their size, which must be the same for all.
        strong_view: Arguments of ``BatchStrongView``, ``dict()`` for its defaults: strong views
            are computed here, on the model's device; leave ``StrongView`` out of the pipeline.
        size_divisor: Pad the sides to multiples of it.
        **kwargs: See ``SegDataPreProcessor``.
    """

    def __init__(
        self,
        mean: Sequence[float] = (122.7709383, 116.7460125, 104.09373615),
        std: Sequence[float] = (68.5005327, 66.6321579, 70.3231630),
        bgr_to_rgb: bool = True,
        input_size: tuple[int, int] | None = None,
        dino_size: tuple[int, int] | None = None,
        teacher_size: tuple[int, int] | None = None,
        strong_view: dict | None = None,
        size_divisor: int | None = None,
        **kwargs,
    ) -> None:
        if size_divisor is None and kwargs.get('size') is None:
            size_divisor = 1
        super().__init__(
            mean=mean, std=std, bgr_to_rgb=bgr_to_rgb, size_divisor=size_divisor, **kwargs
        )
        self.bgr_to_rgb = bgr_to_rgb
        self.input_size = None if input_size is None else tuple(input_size)
        self.dino_size = None if dino_size is None else tuple(dino_size)
        self.teacher_size = None if teacher_size is None else tuple(teacher_size)
        self.strong_view = None
        if strong_view is not None:
            self.strong_view = BatchStrongView(bgr=bgr_to_rgb, **strong_view)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare a batch.

        Args:
            data: ``inputs`` (a list of (3, H, W) tensors, a (B, 3, H, W) tensor, or a dict of
                these under ``weak`` and ``strong``, or of ``views``, B uint8 (V, 3, h, w) tensors,
                and ``image``, B (3, H, W), or ``clip_features``, B (D, h0, w0)) and optional
                ``data_samples``.
            training: Whether the model is in training.

        Returns:
            ``inputs``: float (B, 3, h, w), or a dict of such under ``weak``, ``strong`` and
            ``dino``, or a dict of ``views``, float ``(B * V, 3, h, w)``, those of one image
            adjacent, and ``image``, float ``(B, 3, *teacher_size)``, or ``clip_features``
            (B, D, h0, w0), unchanged; and ``data_samples``.

        Raises:
            ValueError: A dict lacks an entry, or sizes differ that must be equal.
        """
        if isinstance(data['inputs'], dict):
            data = self.cast_data(data)
            augmented = 'views' in data['inputs']
            if self.strong_view is not None and not augmented:
                self._add_strong_views(data)
            prepare = self._augmented_views if augmented else self._weak_and_strong
            return dict(inputs=prepare(data['inputs']), data_samples=data.get('data_samples'))
        if training:
            return super().forward(data, training)
        return self._forward_test(self.cast_data(data))

    def _add_strong_views(self, data: dict) -> None:
        if 'strong' in data['inputs']:
            raise ValueError(
                'the batch already has strong views, and strong_view would replace them: take '
                "'StrongView' out of the pipeline, or leave strong_view out"
            )
        strong = self.strong_view(data['inputs']['weak'], data.get('data_samples'))
        data['inputs'] = dict(data['inputs'], strong=strong)

    def _weak_and_strong(self, views: dict) -> dict:
        missing = {'weak', 'strong'} - views.keys()
        if missing:
            raise ValueError(
                f'the batch lacks the {" and ".join(sorted(missing))} view, it has '
                f"{sorted(views)}; put 'StrongView' before 'PackMaskInputs' in the "
                'training pipeline'
            )
        weak = self._normalize(views['weak'])
        strong = self._normalize(views['strong'])
        inputs = dict(
            weak=_to_size(weak, self.input_size, 'set input_size'),
            strong=_to_size(strong, self.input_size, 'set input_size'),
        )
        if self.dino_size is not None:
            inputs['dino'] = _squash(weak, self.dino_size)
        return inputs

    def _augmented_views(self, batch: dict) -> dict:
        views = self._normalize([view for sample in batch['views'] for view in sample])
        inputs = dict(views=_to_size(views, None, "'RandomView' gives all views crop_size"))
        if 'image' in batch:
            images = self._normalize(batch['image'])
            inputs['image'] = _to_size(images, self.teacher_size, 'set teacher_size')
        elif 'clip_features' in batch:
            features = batch['clip_features']
            shapes = {tuple(feature.shape) for feature in features}
            if len(shapes) > 1:
                raise ValueError(
                    f'the CLIP features of a batch differ in shape ({sorted(shapes)}): compute '
                    'all of them with images of one size'
                )
            inputs['clip_features'] = torch.stack(tuple(features))
        else:
            raise ValueError(
                f"the batch has neither 'image' nor 'clip_features', only {sorted(batch)}; let "
                "'PackViews' pack the samples"
            )
        return inputs

    def _forward_test(self, data: dict) -> dict:
        images = self._normalize(data['inputs'])
        samples = data.get('data_samples')
        if self.input_size is None:
            batch, metas = self._pad(images)
        else:
            batch = _squash(images, self.input_size)
            shape = dict(img_shape=self.input_size, pad_shape=self.input_size)
            metas = [shape] * len(batch)
        if samples is not None:
            for sample, meta in zip(samples, metas, strict=True):
                sample.set_metainfo(meta)
        return dict(inputs=batch, data_samples=samples)

    def _normalize(self, images: Sequence[Tensor]) -> list[Tensor]:
        """Normalize to a list of one (B, 3, H, W) tensor, or B of (1, 3, H, W) if sizes differ."""
        groups = (
            [torch.stack(tuple(images))]
            if len({i.shape for i in images}) == 1
            else [image[None] for image in images]
        )
        if self.bgr_to_rgb:
            groups = [group.flip(1) for group in groups]
        return [(group.float() - self.mean) / self.std for group in groups]

    def _pad(self, groups: list[Tensor]) -> tuple[Tensor, list[dict]]:
        """Pad the images at the lower right to a common size."""
        images = [image for group in groups for image in group]
        test_cfg = self.test_cfg or dict(size=self.size, size_divisor=self.size_divisor)
        return stack_batch(
            images,
            size=test_cfg.get('size'),
            size_divisor=test_cfg.get('size_divisor'),
            pad_val=self.pad_val,
        )


def _to_size(groups: list[Tensor], size: tuple[int, int] | None, advice: str) -> Tensor:
    """Resize images to a size, or keep their common size if it is None."""
    if size is not None:
        return _squash(groups, size)
    if len(groups) > 1:
        raise ValueError(
            f'the images of a batch differ in size ({[tuple(g.shape[2:]) for g in groups]}): '
            f'{advice}'
        )
    return groups[0]


def _squash(groups: list[Tensor], size: tuple[int, int]) -> Tensor:
    """Resize (b, 3, H, W) tensors to one size, unless they have it, and concatenate them."""
    return torch.cat(
        [
            group
            if tuple(group.shape[2:]) == size
            else F.interpolate(group, size=size, mode='bilinear', align_corners=False)
            for group in groups
        ]
    )
