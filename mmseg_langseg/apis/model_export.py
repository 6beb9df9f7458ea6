"""Export models and vocabularies to files that run without this package."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mmseg.models.segmentors import EncoderDecoder

from mmseg_langseg.deployment import FORMATS, ImageNetwork, TextEmbeddings
from mmseg_langseg.fileio import LangSegWarning, check_new, parse_json, write_whole_file
from mmseg_langseg.masks import check_integer
from mmseg_langseg.models.clip_loader import weights_fingerprint
from mmseg_langseg.models.text_encoders import Vocabulary

from .config_checks import check_output_folder
from .inferencer import LangSegInferencer
from .rejection import Rejection, add_contrast
from .texts import parse_texts

DESCRIPTION = 'model.json'
TEXTS = 'texts.json'
TOLERANCE = 1e-4
"""Largest accepted difference of logits, which are cosines."""
_LEFT_OUT = ('pamr', 'threshold', 'area_threshold')


@dataclass(frozen=True)
class ExportedModel:
    """Result of an export.

    Attributes:
        files: Files written: the model, its vocabulary and its description.
        difference: Largest difference of logits of the exported model from those of the model.
    """

    files: tuple[Path, ...]
    difference: float


def export_model(
    segment: LangSegInferencer,
    out_dir: str | os.PathLike,
    texts: str | os.PathLike | Sequence[str] | Vocabulary | None = None,
    format: str = 'onnx',
    size: tuple[int, int] | None = None,
    overwrite: bool = False,
) -> ExportedModel:
    """Export a model for images of one size, and a vocabulary.

    The exported model maps RGB images and text embeddings to logits, see
    :class:`~mmseg_langseg.deployment.ImageNetwork`; the number of images and of embeddings is free.
    It is loaded and compared with the model before it is written. Files are written completely or
    not at all, ``model.json`` last.

    Args:
        segment: Inferencer with the model.
        out_dir: Output folder.
        texts: See ``LangSegInferencer.__call__``; None: the vocabulary of the config.
        format: Name of :data:`~mmseg_langseg.deployment.FORMATS`.
        size: (H, W) of the images; None: the input size of the config, or its sliding window.
        overwrite: Replace files that exist.

    Raises:
        FileExistsError: If a file exists and ``overwrite`` is off.
        ImportError: If the packages of the format are not installed.
        ValueError: If there is no vocabulary, no size or no such format, the model cannot be
            exported, or the exported model differs from it.
    """
    model = segment.model
    kind = _format(format)
    kind.check_available()
    check_outputs(out_dir, format, overwrite)
    size = _input_size(model, size)
    vocabulary = _vocabulary(model, texts)
    network = ImageNetwork(model, size)
    content = kind.encode(network)
    difference = kind.difference(network, content)
    if not difference <= TOLERANCE:  # also NaN
        raise ValueError(
            f'The exported model differs from the model by {difference:.2g}, expected at most '
            f'{TOLERANCE:g}: nothing was written. Please report this with versions of torch and '
            'onnxruntime.'
        )
    _warn_of_left_out_steps(model, size)
    words = _encode(model, vocabulary)
    description = dict(
        file=kind.file_name,
        input_size=network.size,
        grid_size=network.grid,
        embed_dim=network.embed_dim,
        logit_scale=_logit_scale(model),
        text_encoder=words.text_encoder,
    )
    folder = Path(out_dir)
    # Without a description, files of two exports are not mistaken for one.
    (folder / DESCRIPTION).unlink(missing_ok=True)
    write_whole_file(folder / kind.file_name, content)
    write_whole_file(folder / TEXTS, words.to_json())
    write_whole_file(folder / DESCRIPTION, json.dumps(description, indent=1).encode())
    files = tuple(folder / name for name in (kind.file_name, TEXTS, DESCRIPTION))
    return ExportedModel(files, difference)


def export_texts(
    segment: LangSegInferencer,
    out_dir: str | os.PathLike,
    texts: str | os.PathLike | Sequence[str] | Vocabulary | None = None,
    overwrite: bool = False,
) -> Path:
    """Export a vocabulary alone, for a model that was exported before.

    Args:
        segment: See :func:`export_model`.
        out_dir: Output folder; it may be that of the exported model.
        texts: See :func:`export_model`.
        overwrite: Replace a file that exists.

    Returns:
        The file.

    Raises:
        FileExistsError: If the file exists and ``overwrite`` is off.
        ValueError: If there is no vocabulary, or the folder has a model of another CLIP.
    """
    check_outputs(out_dir, None, overwrite)
    words = _encode(segment.model, _vocabulary(segment.model, texts))
    description = Path(out_dir, DESCRIPTION)
    if description.exists():
        known = parse_json(description.read_bytes(), f"'{description}'")
        if not isinstance(known, dict) or known.get('text_encoder') != words.text_encoder:
            raise ValueError(
                f"The model of '{description}' has another text tower than this one: embeddings "
                'of two CLIPs do not fit each other. Give the config of that model, or another '
                'folder.'
            )
    write_whole_file(Path(out_dir, TEXTS), words.to_json())
    return Path(out_dir, TEXTS)


def check_outputs(out_dir: str | os.PathLike, format: str | None, overwrite: bool) -> None:
    """Check the output folder of an export.

    Args:
        out_dir: Output folder.
        format: Name of the format; None: a vocabulary alone.
        overwrite: Whether files that exist may be replaced.

    Raises:
        FileExistsError: If a file exists and may not be replaced.
        NotADirectoryError: If the folder is a file.
        ValueError: If there is no such format, or the folder is an empty string.
    """
    if not os.fspath(out_dir):
        raise ValueError('The output folder is an empty string; expected its path.')
    check_output_folder(out_dir, 'The output')
    names = [TEXTS] if format is None else [_format(format).file_name, TEXTS, DESCRIPTION]
    for name in names:
        if not overwrite:
            check_new(Path(out_dir, name))


def _format(name: str):
    if name not in FORMATS:
        raise ValueError(f'format={name!r}: expected one of {", ".join(FORMATS)}.')
    return FORMATS[name]()


def _vocabulary(model: EncoderDecoder, texts) -> Vocabulary:
    if texts is not None:
        return parse_texts(texts)
    if model.decode_head.vocabulary is None:
        raise ValueError(
            'The config has no class names: give texts (--texts), such as "cat; dog, puppy; grass".'
        )
    return model.decode_head.vocabulary


def _encode(model: EncoderDecoder, vocabulary: Vocabulary) -> TextEmbeddings:
    """Compute the embeddings; a single class has contrast words, as in the inferencer."""
    head = model.decode_head
    words = TextEmbeddings.encode(
        add_contrast(vocabulary),
        head.text_encoder,
        head.templates,
        weights_fingerprint(head.text_encoder),
    )
    if vocabulary.num_classes > 1:
        return words
    return replace(words, classes=Rejection().classes(vocabulary))


def _input_size(model: EncoderDecoder, size: Sequence[int] | None) -> tuple[int, int]:
    if size is None:
        size = getattr(model.data_preprocessor, 'input_size', None)
    if size is None and model.test_cfg.get('mode') == 'slide':
        size = model.test_cfg['crop_size']
    if size is None:
        raise ValueError(
            'The config keeps the sizes of images, but an exported model has a fixed one: give '
            'size=(height, width) (--size), e.g. 448 448.'
        )
    for side in size:
        check_integer('size', side, 1)
    return tuple(size)


def _logit_scale(model: EncoderDecoder) -> float:
    return model.test_cfg.get('logit_scale', model.decode_head.text_encoder.logit_scale)


def _warn_of_left_out_steps(model: EncoderDecoder, size: tuple[int, int]) -> None:
    steps = [f'test_cfg.{name}' for name in _LEFT_OUT if model.test_cfg.get(name) is not None]
    if model.test_cfg.get('mode') == 'slide':
        steps.insert(0, f'sliding windows (the model takes one image of {size[1]}x{size[0]})')
    if steps:
        warnings.warn(
            f'the exported model has no {" and no ".join(steps)}', LangSegWarning, stacklevel=3
        )
