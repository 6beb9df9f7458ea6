"""Test-time augmentation of language segmentors in bounded memory."""

from __future__ import annotations

import torch
from mmengine.structures import PixelData
from mmseg.models import SegTTAModel
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmseg_langseg.models.decode_heads import LanguageHead

from .class_logits import ClassLogits
from .compute_logits import compute_logits
from .mean_probabilities import MeanProbabilities
from .pixel_prediction import predict_labels


@MODELS.register_module()
class LanguageTTAModel(SegTTAModel):
    """Averages the class probabilities of augmented images, as ``SegTTAModel`` does.

    It predicts the same labels, but never holds the logits of all classes at image size, and needs
    no ``seg_logits`` in the predictions. Models without a ``LanguageHead`` are tested as by
    ``SegTTAModel``.
    """

    @torch.no_grad()
    def test_step(self, data: dict) -> list[SegDataSample]:
        """Predicts the label maps of images.

        Args:
            data: Lists ``inputs`` and ``data_samples``, as ``TestTimeAug`` and ``pseudo_collate``
                make them: for each augmentation a batch.

        Returns:
            The samples of the first augmentation with ``pred_sem_seg`` ``(1, H, W)``.
        """
        if not isinstance(self.module.decode_head, LanguageHead):
            return super().test_step(data)
        views: list[list[ClassLogits]] = []
        samples = None
        for inputs, batch in zip(data['inputs'], data['data_samples'], strict=True):
            view = self.module.data_preprocessor(dict(inputs=inputs, data_samples=batch), False)
            samples = view['data_samples'] if samples is None else samples
            metas = [sample.metainfo for sample in view['data_samples']]
            views.append(compute_logits(self.module, view['inputs'], metas))
        for sample, logits in zip(samples, zip(*views, strict=True), strict=True):
            sample.pred_sem_seg = PixelData(data=predict_labels(MeanProbabilities(logits))[None])
        return samples
