"""Whether an untrained model knows the class names."""

import pytest
import torch

from mmseg_langseg.apis import LangSegInferencer
from mmseg_langseg.masks.formats.rle import encode_masks
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.synthetic.renderer import CLASSES, render_scene
from mmseg_langseg.verdict import Photo, chance_of_names, judge


def test_chance_is_small_only_if_images_differ_along_the_names():
    generator = torch.Generator().manual_seed(0)
    text = torch.randn(6, 40, generator=generator)
    classes = torch.randint(6, (300,), generator=generator)
    noise = torch.randn(300, 40, generator=generator)
    assert chance_of_names([text[classes] + noise], text) == 1 / 200
    # Means of their own: a difference between sets says nothing.
    assert chance_of_names([noise[:150] + text[0], noise[150:] + text[1]], text) > 0.05
    # Images that differ much, in directions that are not those of the names.
    other = torch.randn(6, 40, generator=generator)
    chances = [
        chance_of_names([20 * other[classes] + noise], torch.randn(6, 40, generator=generator))
        for _ in range(8)
    ]
    assert min(chances) > 1 / 200 and max(chances) > 0.2


def test_two_names_have_one_direction_and_equal_names_none():
    generator = torch.Generator().manual_seed(0)
    text = torch.randn(2, 12, generator=generator)
    sides = torch.randint(2, (50,), generator=generator)
    noise = torch.randn(50, 12, generator=generator)
    assert chance_of_names([text[sides] * 5 + noise], text) == 1 / 200
    assert chance_of_names([text[sides] * 5 + noise], text[:1].repeat(2, 1)) == 1


@pytest.mark.parametrize(
    ('pretrained', 'informed'), [('embedded:clip_resnet_tiny_seed0', True), (None, False)]
)
def test_random_weights_know_nothing(pretrained, informed):
    torch.manual_seed(1)
    options = {'model.clip.pretrained': pretrained}
    segment = LangSegInferencer('embedded', device='cpu', cfg_options=options)
    segment.model.set_vocabulary(Vocabulary.from_names(CLASSES))
    scenes = [render_scene('tune', index) for index in range(6)]
    photos = [
        Photo(str(index), lambda scene=scene: scene.image, encode_masks(scene.masks))
        for index, scene in enumerate(scenes)
    ]
    assert judge(segment.model, segment.prepare, photos).informed == informed
