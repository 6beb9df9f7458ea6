"""Zero-shot classifier: cosines of dense features with text embeddings of class names."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_langseg.fileio import show_value
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.utils import cosine_map


@MODELS.register_module()
class LanguageHead(BaseModule):
    """Cosine classifier over text embeddings: ``M(x, y, n) = cos(f_I(x, y), f_T(n))``.

    PixelCLIP Eq. (1). :meth:`set_vocabulary` computes the text embeddings. They are non-persistent
    buffers and never part of a checkpoint, so one checkpoint works with any class names.

    Args:
        text_encoder: Config of an ``OpenCLIPTextEncoder``.
        templates: Name of a template set, or a list of templates with one ``{}`` each.
        vocabulary: Names, ``"a; b, synonym"``, or path of a JSON file; encoded on first use, on
            the device of the model. By default the class names of the test dataset are used (see
            ``DatasetVocabularyHook``).
        feature_size: Dense features are resized bilinearly to this ``(h, w)`` before the
            comparison (64x64 in official PixelCLIP); None keeps their own grid.
        align_corners: See ``F.interpolate``; for resizing logits to image size.
        center: ``.npy`` file with the mean ``(D,)`` of normalized features over unlabeled images
            (see ``mmseg_langseg.verdict.mean_feature``). Its dot product with a text embedding,
            which is the mean cosine of the class over these images, is subtracted: a word that is
            close to every image is not chosen more often for that. It suits any class names.

    Raises:
        FileNotFoundError: If ``center`` does not exist.
        ValueError: If it is no such file.
    """

    text_rows: Tensor
    row_class: Tensor
    logit_offset: Tensor
    center: Tensor

    def __init__(
        self,
        text_encoder: dict,
        templates: str | list[str] = 'imagenet_select',
        vocabulary: str | list[str] | None = None,
        feature_size: tuple[int, int] | None = (64, 64),
        align_corners: bool = False,
        center: str | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.text_encoder = MODELS.build(text_encoder)
        self.templates = templates
        self.feature_size = tuple(feature_size) if feature_size else None
        self.align_corners = align_corners
        self.vocabulary: Vocabulary | None = None
        self.fixed_vocabulary = vocabulary is not None
        width = self.text_encoder.embed_dim
        self.register_buffer('text_rows', torch.zeros(0, width), persistent=False)
        self.register_buffer('row_class', torch.zeros(0, dtype=torch.long), persistent=False)
        self.register_buffer('logit_offset', torch.zeros(0), persistent=False)
        mean = torch.zeros(width) if center is None else _read_center(center, width)
        self.register_buffer('center', mean, persistent=False)
        if vocabulary is not None:
            self._set_classes(Vocabulary.parse(vocabulary))

    @property
    def num_classes(self) -> int:
        """Number of classes of the current vocabulary, 0 before there is one."""
        return len(self.logit_offset)

    out_channels = num_classes

    def set_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Sets the classes to those of a vocabulary, and clears the logit offset.

        Raises:
            ValueError: If it has fewer than two classes: with one, every pixel is that class.
        """
        self._set_classes(vocabulary)
        self._embed_words()

    def _set_classes(self, vocabulary: Vocabulary) -> None:
        if vocabulary.num_classes < 2:
            raise ValueError(
                f'The vocabulary {show_value(list(vocabulary.rows[0]))} has one class, so every '
                'pixel would get it. Semicolons separate classes and commas synonyms, as in "cat; '
                'dog, puppy; grass": also name what else may be visible, or give background words.'
            )
        device = self.text_rows.device
        self.vocabulary = vocabulary
        self.text_rows = self.text_rows[:0]
        self.row_class = torch.tensor(vocabulary.row_classes, device=device)
        self.logit_offset = torch.zeros(vocabulary.num_classes, device=device)

    def _check_vocabulary(self) -> None:
        if self.vocabulary is None:
            raise RuntimeError(
                'The model has no class names yet: give model.decode_head.vocabulary in the config '
                '(names, or a JSON file such as voc20.json), call model.set_vocabulary(), or test '
                'under a Runner with dict(type="DatasetVocabularyHook") in custom_hooks, which '
                'takes the names of the test dataset (of classes.txt for a folder of photos).'
            )

    def _check_text_rows(self) -> None:
        """Embeds the class names if they are not yet.

        Raises:
            RuntimeError: If no vocabulary is set.
        """
        self._check_vocabulary()
        if not len(self.text_rows):
            self._embed_words()

    def _embed_words(self) -> None:
        rows = self.text_encoder.encode_vocabulary(self.vocabulary, self.templates)
        self.text_rows = rows.to(self.text_rows.device)

    def set_logit_offset(self, offset: Tensor) -> None:
        """Sets the offset ``(K,)`` subtracted from the class logits (see ``LogitCenteringHook``).

        Raises:
            ValueError: If the length is not the number of classes.
        """
        if offset.shape != self.logit_offset.shape:
            raise ValueError(
                f'offset has shape {tuple(offset.shape)}, expected ({self.num_classes},).'
            )
        self.logit_offset = offset.to(self.logit_offset)

    @property
    def score_classes(self) -> Tensor:
        """Class ``(R,)`` int64 of each channel of :meth:`scores`, ascending.

        Raises:
            RuntimeError: If no vocabulary is set.
        """
        self._check_vocabulary()
        return self.row_class

    def scores(self, inputs: tuple[Tensor, ...], start: int = 0, stop: int | None = None) -> Tensor:
        """Computes scores of embedding rows; the score of a class is that of its best row.

        Args:
            inputs: See :meth:`forward`.
            start: First row.
            stop: The one after the last; None for all.

        Returns:
            ``(B, stop - start, h', w')`` float32, see :meth:`forward`.

        Raises:
            RuntimeError: If no vocabulary is set.
        """
        self._check_text_rows()
        features = inputs[-1].float()
        if self.feature_size is not None:
            features = F.interpolate(
                features, size=self.feature_size, mode='bilinear', align_corners=False
            )
        rows = self.text_rows[start:stop]
        return cosine_map(features, rows) - self._offset(start, stop)[:, None, None]

    def embedding_scores(self, embeddings: Tensor) -> Tensor:
        """Computes the scores of single embeddings, such as those of masks.

        Args:
            embeddings: ``(N, D)``, not normalized.

        Returns:
            Cosines ``(N, R)`` with all embedding rows minus their offsets, float32. The class of a
            row is in ``row_class``.

        Raises:
            RuntimeError: If no vocabulary is set.
        """
        self._check_text_rows()
        maps = cosine_map(embeddings[:, :, None, None], self.text_rows)
        return maps[:, :, 0, 0] - self._offset()

    def _offset(self, start: int = 0, stop: int | None = None) -> Tensor:
        """Return what is subtracted from the cosines with embedding rows."""
        own = self.logit_offset[self.row_class[start:stop]]
        return own + self.text_rows[start:stop] @ self.center

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Computes class logits of dense features.

        Args:
            inputs: Tuple of feature maps; the last one, ``(B, D, h, w)``, is used.

        Returns:
            Cosines ``(B, K, h', w')`` minus the offsets of ``center`` and ``set_logit_offset``,
            float32; (h', w') is ``feature_size``.

        Raises:
            RuntimeError: If no vocabulary is set.
        """
        scores = LanguageHead.scores(self, inputs)
        return scores if len(self.text_rows) == self.num_classes else self._best_word(scores)

    def _best_word(self, scores: Tensor) -> Tensor:
        """Takes the maximum over the rows of each class (several for background words)."""
        index = self.row_class[None, :, None, None].expand_as(scores)
        shape = (len(scores), self.num_classes, *scores.shape[2:])
        best = scores.new_full(shape, float('-inf'))
        return best.scatter_reduce(1, index, scores, reduce='amax')

    def predict(self, inputs: tuple[Tensor, ...], batch_img_metas: list[dict], test_cfg) -> Tensor:
        """Computes logits ``(B, K, H, W)`` at image size, as ``EncoderDecoder`` expects."""
        size = batch_img_metas[0]['img_shape'][:2]
        return F.interpolate(
            self(inputs), size=size, mode='bilinear', align_corners=self.align_corners
        )

    def loss(self, *args, **kwargs) -> dict[str, Tensor]:
        """Raises an error, since a plain language head has no loss.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            'LanguageHead uses frozen text embeddings and has no loss; train with PixelCLIP.'
        )


def _read_center(path: str, width: int) -> Tensor:
    try:
        mean = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"center='{path}' cannot be read as a .npy file ({error}).") from error
    if not isinstance(mean, np.ndarray) or mean.shape != (width,) or not np.isfinite(mean).all():
        raise ValueError(
            f"center='{path}' holds {show_value(np.shape(mean))}, expected ({width},) finite "
            'numbers, the mean feature of this model.'
        )
    return torch.from_numpy(mean).float()
