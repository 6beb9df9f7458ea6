"""Text embeddings of words: of a vocabulary, or read from a file."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmseg_langseg.fileio import BadFileError, raise_machine_fault, show_value

if TYPE_CHECKING:
    from mmseg_langseg.models.text_encoders import OpenCLIPTextEncoder, Vocabulary

MAX_BYTES = 2**31


@dataclass(frozen=True)
class WordEmbeddings:
    """Words and their embeddings.

    Attributes:
        words: N words.
        classes: Index of the class that each word belongs to; synonyms share one.
        rows: ``(N, D)`` float32, unit rows.
    """

    words: tuple[str, ...]
    classes: tuple[int, ...]
    rows: np.ndarray

    @classmethod
    def of_vocabulary(
        cls,
        vocabulary: Vocabulary,
        text_encoder: OpenCLIPTextEncoder,
        templates: str | Sequence[str],
    ) -> WordEmbeddings:
        """Encode every word of a vocabulary on its own, including synonyms and background words.

        Args:
            vocabulary: Class names.
            text_encoder: CLIP's text encoder.
            templates: See :func:`~mmseg_langseg.models.text_encoders.get_templates`.
        """
        each = replace(vocabulary, separate_synonyms=True)
        rows = text_encoder.encode_vocabulary(each, templates).cpu().numpy()
        return cls(tuple(words[0] for words in each.rows), each.row_classes, rows)

    @classmethod
    def from_npz(cls, path: str | Path) -> WordEmbeddings:
        """Read an NPZ file of ``names``, N strings, and ``embeddings``, ``(N, D)`` numbers.

        The rows need not be normalized. The file is read without running code.

        Raises:
            FileNotFoundError: There is no such file.
            BadFileError: The file is damaged, larger than 2 GiB, or has other content.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"There is no embedding file '{path}'.")
        names, rows = _read(path)
        _check(path, names, rows)
        rows = rows.astype(np.float32)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        if not (np.isfinite(lengths).all() and lengths.all()):
            worst = int(np.argmin(np.nan_to_num(lengths, posinf=0)))
            raise BadFileError(
                f'{path}: the embedding of {show_value(str(names[worst]))} is zero or not finite'
            )
        return cls(tuple(map(str, names)), tuple(range(len(names))), rows / lengths)


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MAX_BYTES:
            raise BadFileError(f'{path}: {size} bytes when unpacked; expected at most {MAX_BYTES}')
        with np.load(path, allow_pickle=False) as arrays:
            found = sorted(arrays.files)
            if not {'names', 'embeddings'} <= set(found):
                raise BadFileError(
                    f"{path}: expected the arrays 'names' (N strings) and 'embeddings' (N, D), "
                    f'got {show_value(found)}'
                )
            return arrays['names'], arrays['embeddings']
    except BadFileError:
        raise
    except Exception as error:  # a damaged header fails in many ways
        raise_machine_fault(error)
        raise BadFileError(f'{path}: expected an NPZ file of embeddings ({error})') from error


def _check(path: Path, names: np.ndarray, rows: np.ndarray) -> None:
    if names.ndim != 1 or names.dtype.kind != 'U':
        raise BadFileError(
            f"{path}: 'names' has shape {names.shape} and dtype {names.dtype}; expected N strings"
        )
    if rows.ndim != 2 or rows.dtype.kind != 'f' or len(rows) != len(names):
        raise BadFileError(
            f"{path}: 'embeddings' has shape {rows.shape} and dtype {rows.dtype}; expected floats "
            f'of shape ({len(names)}, D), one row per name'
        )
    if not rows.size:
        raise BadFileError(f'{path}: no embeddings; expected at least one row')
