"""Segment Anything predictor with batched image encoding."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import torch
from segment_anything import SamPredictor
from segment_anything.modeling import Sam


class BatchSamPredictor(SamPredictor):
    """``SamPredictor`` with batched image encoding and deferred upsampling of masks.

    The image encoder always gets the same number of images (padded with black ones), so that an
    image's masks do not depend, not even by rounding, on the other images of its batch.

    Args:
        sam: The model.
        batch_size: Images per batch of the encoder.
        amp: Use PyTorch's automatic mixed precision (float16 on a GPU, bfloat16 on a CPU).
            Outputs are float32 regardless.
    """

    def __init__(self, sam: Sam, batch_size: int = 1, amp: bool = False) -> None:
        super().__init__(sam)
        self.batch_size = batch_size
        self.amp = amp
        self._ahead: deque = deque()
        self._held: tuple[torch.Tensor, torch.Tensor] | None = None

    @torch.no_grad()
    def encode_ahead(self, images: Sequence[np.ndarray]) -> None:
        """Encode images ahead of calls to :meth:`set_image` with them in the same order.

        Args:
            images: Up to ``batch_size`` images, (H, W, 3) uint8 in the model's channel order.

        Raises:
            ValueError: There are more images, or one is too narrow for the model.
        """
        self._ahead.clear()
        if len(images) > self.batch_size:
            raise ValueError(f'{len(images)} images for a batch of {self.batch_size}')
        resized = [self._resize(image) for image in images]
        sizes = [image.shape[:2] for image in images]
        input_sizes = [tuple(image.shape[1:]) for image in resized]
        side = self.model.image_encoder.img_size
        batch = torch.zeros(self.batch_size, 3, side, side, device=self.device)
        for slot, image in zip(batch, resized, strict=False):
            slot.copy_(self.model.preprocess(image))
        with self._precision():
            features = self.model.image_encoder(batch)
        # zip() drops the features of the padding.
        self._ahead.extend(zip(sizes, input_sizes, features.float().split(1), strict=False))

    def set_image(self, image: np.ndarray, image_format: str = 'RGB') -> None:
        """Use the features of an image that was encoded ahead, or encode it now."""
        if not self._ahead:
            super().set_image(image, image_format)
            return
        self.reset_image()
        self.original_size, self.input_size, self.features = self._ahead.popleft()
        self.is_image_set = True

    def set_torch_image(self, *args, **kwargs) -> None:
        """Encode an image, see ``SamPredictor.set_torch_image``."""
        with self._precision():
            super().set_torch_image(*args, **kwargs)
        self.features = self.features.float()

    @torch.no_grad()
    def predict_points(
        self, points: np.ndarray, image_size: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Decode the masks of point prompts without upsampling them.

        Args:
            points: (P, 2), (x, y) in pixels of the image.
            image_size: (H, W) of the current image.

        Returns:
            Logits float32 (P, 3, h, w) at the decoder's resolution, and predicted IoUs (P, 3).
        """
        points = self.transform.apply_coords(points, image_size)
        points = torch.as_tensor(points, device=self.device)[:, None]
        labels = torch.ones(points.shape[:2], dtype=torch.int, device=self.device)
        with self._precision():
            sparse, dense = self.model.prompt_encoder((points, labels), boxes=None, masks=None)
            logits, scores = self.model.mask_decoder(
                image_embeddings=self.features,
                image_pe=self.model.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=True,
            )
        return logits.float(), scores.float()

    def hold(self, logits: torch.Tensor, scores: torch.Tensor) -> None:
        """Store the masks that the next call of :meth:`predict_torch` returns.

        Args:
            logits: Float (N, h, w).
            scores: Predicted IoUs (N,).
        """
        self._held = logits[:, None], scores[:, None]

    def predict_torch(self, *args, **kwargs) -> tuple[torch.Tensor, ...]:
        """Upsample the masks stored by :meth:`hold` instead of calling the model.

        Returns:
            Logits (N, 1, H, W) at the image's size, predicted IoUs (N, 1), and the stored logits
            (N, 1, h, w).

        Raises:
            RuntimeError: No masks are held; each call consumes them.
        """
        if self._held is None:
            raise RuntimeError('no masks are held; call hold() before each predict_torch()')
        (logits, scores), self._held = self._held, None
        masks = self.model.postprocess_masks(logits, self.input_size, self.original_size)
        return masks, scores, logits

    def _resize(self, image: np.ndarray) -> torch.Tensor:
        resized = self.transform.apply_image(image)
        return torch.as_tensor(resized, device=self.device).permute(2, 0, 1)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, enabled=self.amp)
