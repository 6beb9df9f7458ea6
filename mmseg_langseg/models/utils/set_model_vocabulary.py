"""Set the vocabulary of any segmentor with a language head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from mmseg_langseg.models.text_encoders import Vocabulary


def check_language_head(model: nn.Module, caller: str) -> None:
    """Check that a segmentor has a language head, so that its classes can be changed.

    Args:
        model: A segmentor.
        caller: Name of the caller, for the error message.

    Raises:
        ValueError: If its ``decode_head`` is missing or not a ``LanguageHead``.
    """
    head = getattr(model, 'decode_head', None)
    if not hasattr(head, 'set_vocabulary'):
        ending = '' if head is None else f' with a {type(head).__name__}'
        raise ValueError(
            f'{caller} needs a segmentor whose decode_head is a LanguageHead, got '
            f'{type(model).__name__}{ending}.'
        )


def set_model_vocabulary(model: nn.Module, vocabulary: Vocabulary, caller: str) -> None:
    """Set the classes of a segmentor to those of a vocabulary.

    Args:
        model: Segmentor whose ``decode_head`` is a ``LanguageHead``, such as
            ``LanguageSegmentor`` or MMSegmentation's ``EncoderDecoder``.
        vocabulary: The new classes.
        caller: Name of the caller, for the error message.

    Raises:
        ValueError: If the model has no such head.
    """
    check_language_head(model, caller)
    head = model.decode_head
    head.set_vocabulary(vocabulary)
    # EncoderDecoder copies these numbers once and allocates sliding windows with them.
    model.num_classes = model.out_channels = head.num_classes
