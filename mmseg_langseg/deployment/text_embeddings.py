"""Text embeddings of class names as a file."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from mmseg_langseg.models.text_encoders import OpenCLIPTextEncoder, Vocabulary


@dataclass(frozen=True)
class TextEmbeddings:
    """Text embeddings of a vocabulary, the second input of an exported model.

    Attributes:
        classes: K class names.
        row_classes: Class of each of the R embeddings, ascending. The score of a class with
            several embeddings (background words, separate synonyms) is that of its best.
        embeddings: ``(R, D)`` float32, unit rows.
        text_encoder: Fingerprint of the CLIP text tower.
    """

    classes: tuple[str, ...]
    row_classes: tuple[int, ...]
    embeddings: np.ndarray
    text_encoder: str

    @classmethod
    def encode(
        cls,
        vocabulary: Vocabulary,
        text_encoder: OpenCLIPTextEncoder,
        templates: str | list[str],
        fingerprint: str,
    ) -> TextEmbeddings:
        """Compute the embeddings of a vocabulary.

        Args:
            vocabulary: Class names.
            text_encoder: Text tower.
            templates: See ``LanguageHead``.
            fingerprint: That of the text tower.
        """
        rows = text_encoder.encode_vocabulary(vocabulary, templates)
        return cls(vocabulary.names, vocabulary.row_classes, rows.cpu().numpy(), fingerprint)

    def to_json(self) -> bytes:
        """Return a JSON object of the attributes; the numbers are exact as float32."""
        # The shortest decimals that are read as the same float32.
        rows = [[float(str(value)) for value in row] for row in self.embeddings]
        content = dict(
            classes=self.classes,
            row_classes=self.row_classes,
            embeddings=rows,
            text_encoder=self.text_encoder,
        )
        return json.dumps(content, ensure_ascii=False).encode()
