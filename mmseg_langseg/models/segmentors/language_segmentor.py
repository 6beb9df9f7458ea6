"""Open-vocabulary segmentor: dense features in CLIP's joint space and a zero-shot classifier."""

from __future__ import annotations

import copy
import warnings

import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_langseg.fileio import LangSegWarning, show_value
from mmseg_langseg.models.backbones import CLIPImageTower, CLIPTower
from mmseg_langseg.models.clip_preprocessing import clip_preprocessing
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.text_encoders.vocabulary import BACKGROUND
from mmseg_langseg.models.utils import set_model_vocabulary

from .class_logits import ClassLogits
from .compute_logits import compute_logits
from .mask_classification import classify_masks
from .pixel_prediction import predict_labels, predict_pixels, small_classes


@MODELS.register_module()
class LanguageSegmentor(EncoderDecoder):
    """An ``EncoderDecoder`` with features in the joint space and a zero-shot language head.

    With an untrained CLIP tower it is zero-shot CLIP or MaskCLIP, depending on ``readout``. Any
    other backbone needs an ``EmbeddingHead`` as its neck. In ``whole`` mode logits are resized
    from the head's grid to the original image in one bilinear step (the protocol of PixelCLIP);
    in ``slide`` mode, to the window. Both work for any batch size. Predictions only hold
    ``pred_sem_seg`` and need the same memory for any number of classes;
    ``test_cfg.keep_logits=True`` adds ``seg_logits``, the logits of all classes at image size.

    The protocols of the training-free methods are options of ``test_cfg``: with
    ``resize_directly=False``, logits are resized to the input first, also in ``whole`` mode;
    ``pamr=dict(dilations=(8, 16), steps=10)`` refines them by the image; with ``threshold``, pixels
    whose best probability is lower get class 0, the background, and ``logit_scale`` replaces CLIP's
    own. With ``area_threshold``, pixels of a class that covers at most this share of an image's
    foreground get their next-best class, before the threshold applies (SCLIP).

    With ``test_cfg.classify_masks=True``, the masks of ``LoadMaskProposals`` are classified
    instead of pixels, see :func:`classify_masks`; of these options, ``threshold`` and
    ``logit_scale`` apply to them.

    Args:
        backbone: Config of a CLIP tower, or of any backbone.
        decode_head: Config of a ``LanguageHead``.
        clip: ``dict(arch=..., pretrained=...)``: default for all image towers and the text encoder,
            so that one line of a config changes them all. A ``CLIPDataPreProcessor`` without
            ``mean`` and ``std`` gets those that the model was trained with.
        **kwargs: See ``EncoderDecoder``.
    """

    def __init__(
        self, backbone: dict, decode_head: dict, clip: dict | None = None, **kwargs
    ) -> None:
        backbone, decode_head = copy.deepcopy(backbone), copy.deepcopy(decode_head)
        encoder = decode_head.get('text_encoder', dict(type='OpenCLIPTextEncoder'))
        decode_head['text_encoder'] = {**(clip or {}), **encoder}
        if is_clip_tower(backbone):
            backbone = {**(clip or {}), **backbone}
        preprocessor = _normalized_for(clip, kwargs.pop('data_preprocessor', None))
        super().__init__(
            backbone=backbone, decode_head=decode_head, data_preprocessor=preprocessor, **kwargs
        )
        self._thresholded: Vocabulary | None = None
        last = self.neck if self.with_neck else self.backbone
        self.check_embed_dim(last, 'neck' if self.with_neck else 'backbone')

    def check_embed_dim(self, module: nn.Module, role: str) -> None:
        """Checks that a module has the embedding width of the text encoder.

        Raises:
            ValueError: If its ``embed_dim`` differs or is missing.
        """
        width, wanted = getattr(module, 'embed_dim', None), self.decode_head.text_encoder.embed_dim
        if width != wanted:
            raise ValueError(
                f'The {role}, a {type(module).__name__}, has embed_dim={width}, the text encoder '
                f'{wanted}: use towers of the same CLIP, or a neck dict(type="EmbeddingHead", '
                f'embed_dim={wanted}, ...).'
            )

    @property
    def resizes_directly(self) -> bool:
        """Whether logits are resized from the head's grid to the image in one step."""
        return self.test_cfg.get('resize_directly', True)

    @property
    def logit_scale(self) -> float:
        """Logit scale of probabilities, ``test_cfg.logit_scale`` or that of the CLIP."""
        return self.test_cfg.get('logit_scale', self.decode_head.text_encoder.logit_scale)

    def set_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Sets the classes to those of a vocabulary (see ``LanguageHead.set_vocabulary``)."""
        set_model_vocabulary(self, vocabulary, type(self).__name__)

    def predict(
        self, inputs: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """Predicts the label maps of images.

        Args:
            inputs: ``(B, 3, H, W)``, preprocessed.
            data_samples: Their metainfo with ``ori_shape``; None for images of the input size.

        Returns:
            The samples with ``pred_sem_seg`` ``(1, H, W)`` int64 at original size, and if
            ``test_cfg.keep_logits`` is set, ``seg_logits`` ``(K, H, W)`` float32.
        """
        if self.test_cfg.get('classify_masks', False):
            return self._classify_masks(inputs, data_samples)
        if data_samples is None:
            data_samples = [SegDataSample() for _ in inputs]
            metas = [dict(ori_shape=tuple(inputs.shape[2:]))] * len(inputs)
        else:
            metas = [sample.metainfo for sample in data_samples]
        images = compute_logits(self, inputs, metas)
        for sample, logits in zip(data_samples, images, strict=True):
            sample.pred_sem_seg = PixelData(data=self._labels(logits)[None])
            if self.test_cfg.get('keep_logits', False):
                sample.seg_logits = PixelData(data=logits.classes(0, logits.num_classes))
        return data_samples

    def _classify_masks(
        self, inputs: Tensor, data_samples: list[SegDataSample]
    ) -> list[SegDataSample]:
        threshold = self.test_cfg.get('threshold')
        if threshold is not None:
            self._check_background()
        return classify_masks(self, inputs, data_samples, threshold)

    def _labels(self, logits: ClassLogits) -> Tensor:
        """Return the label map ``(H, W)`` of an image."""
        threshold = self.test_cfg.get('threshold')
        share = self.test_cfg.get('area_threshold')
        if threshold is None and share is None:
            return predict_labels(logits)
        self._check_background()
        small = None
        if share is not None:
            small = small_classes(predict_labels(logits), logits.num_classes, share)
        predicted = predict_pixels(logits, self.logit_scale, excluded=small)
        if threshold is None:
            return predicted.labels
        return predicted.labels.masked_fill(predicted.scores < threshold, 0)

    def _check_background(self) -> None:
        """Warns once per vocabulary if class 0, which uncertain pixels get, is no background."""
        vocabulary = self.decode_head.vocabulary
        if vocabulary == self._thresholded:
            return
        self._thresholded = vocabulary
        if vocabulary.names[0].lower() != BACKGROUND:
            warnings.warn(
                f'test_cfg has a threshold, below which pixels get class 0, and that class is '
                f"{show_value(vocabulary.names[0])}: it needs 'background' as its first class. "
                'Without one, remove test_cfg.threshold and test_cfg.area_threshold.',
                LangSegWarning,
                stacklevel=2,
            )

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Computes logits of images ``(B, 3, H, W)``.

        Returns:
            ``(B, K, h', w')`` on the head's grid in whole mode; ``(B, K, H, W)`` in slide mode, and
            if an image is padded, as padding is then cropped in pixels.
        """
        logits = self.decode_head(self.extract_feat(inputs))
        padded = any(any(meta.get('img_padding_size', ())) for meta in batch_img_metas)
        if padded or self.test_cfg.get('mode', 'whole') == 'slide':
            logits = F.interpolate(
                logits, size=inputs.shape[2:], mode='bilinear', align_corners=self.align_corners
            )
        return logits


def is_clip_tower(config: dict) -> bool:
    """Return whether a config is that of an image tower of an image-text model."""
    kind = config.get('type')
    kind = MODELS.get(kind) if isinstance(kind, str) else kind
    return kind is CLIPImageTower or (isinstance(kind, type) and issubclass(kind, CLIPTower))


def _normalized_for(clip: dict | None, preprocessor: dict | None) -> dict | None:
    """Fill in the normalization that the image-text model was trained with."""
    if not isinstance((clip or {}).get('arch'), str) or not isinstance(preprocessor, dict):
        return preprocessor  # without a name, nothing is known about its training
    if preprocessor.get('type') != 'CLIPDataPreProcessor':
        return preprocessor
    own = clip_preprocessing(**clip)
    ratio = max(preprocessor.get('std', own.std)) / max(own.std)
    if not 0.67 < ratio < 1.5:
        warnings.warn(
            f'data_preprocessor.std={preprocessor["std"]}, but {clip["arch"]!r} was trained with '
            f'{list(own.std)}: remove mean and std from the config to use its own.',
            LangSegWarning,
            stacklevel=3,
        )
    return {'mean': own.mean, 'std': own.std, **preprocessor}
