"""Prompt templates for class names."""

from __future__ import annotations

from collections.abc import Sequence

import open_clip
from mmseg.utils import get_predefined_templates

SINGLE = ('A photo of a {} in the scene',)
# The seven of OpenAI's notebook ("subset of ImageNet templates") and PixelCLIP's own, in the order
# of PixelCLIP, appendix A.
IMAGENET_SELECT = (
    'itap of a {}.',
    'a bad photo of the {}.',
    'a origami {}.',
    'a photo of the large {}.',
    'a {} in a video game.',
    'art of the {}.',
    'a photo of the small {}.',
    *SINGLE,
)
MASKCLIP_EXTRA = (
    'there is a {} in the scene.',
    'there is the {} in the scene.',
    'this is a {} in the scene.',
    'this is the {} in the scene.',
    'this is one {} in the scene.',
)
TEMPLATE_SETS = ('single', 'imagenet_select', 'imagenet', 'maskclip', 'vild')


def get_templates(templates: str | Sequence[str]) -> tuple[str, ...]:
    """Looks up a set of prompt templates by name, or checks a given list.

    Args:
        templates: ``'single'`` (PixelCLIP's training and ablations), ``'imagenet_select'`` (its 8
            for the main results), ``'imagenet'`` (CLIP's 80), ``'maskclip'`` (these and 5 more),
            ``'vild'`` (ViLD's 14), or a list of sentences.

    Returns:
        Sentences with one ``{}`` each.

    Raises:
        ValueError: If the name is unknown, the list is empty, or a sentence does not have exactly
            one ``{}``.
    """
    if isinstance(templates, str):
        return _named(templates)
    templates = tuple(templates)
    if not templates:
        raise ValueError('templates is empty: give a list of sentences, or a name.')
    for template in templates:
        if not isinstance(template, str) or template.count('{}') != 1:
            raise ValueError(f"The template {template!r} must contain '{{}}' exactly once.")
    return templates


def _named(name: str) -> tuple[str, ...]:
    if name == 'single':
        return SINGLE
    if name == 'imagenet_select':
        return IMAGENET_SELECT
    if name == 'vild':
        return tuple(get_predefined_templates('vild'))
    if name in ('imagenet', 'maskclip'):
        imagenet = tuple(template('{}') for template in open_clip.OPENAI_IMAGENET_TEMPLATES)
        return imagenet if name == 'imagenet' else imagenet + MASKCLIP_EXTRA
    hint = ' (a single sentence goes into a list)' if '{}' in name else ''
    raise ValueError(f'templates={name!r}{hint}: expected one of {TEMPLATE_SETS}, or a list.')
