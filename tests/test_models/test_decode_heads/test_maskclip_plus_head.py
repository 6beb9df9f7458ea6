"""MaskCLIP+ head: teacher and student pseudo-labels, and the loss against pixel loops."""

import math

import pytest
import torch
from mmseg.registry import MODELS

from tests.tiny import VIT

NAMES = ['cat', 'dog', 'grass']


def head(**options):
    torch.manual_seed(0)
    options = dict(names=NAMES, templates='single', **options)
    encoder = dict(type='OpenCLIPTextEncoder', arch=VIT, pretrained=None)
    return MODELS.build(dict(type='MaskCLIPPlusHead', text_encoder=encoder, **options))


def batch(seed=1):
    generator = torch.Generator().manual_seed(seed)
    embeddings, clip = torch.randn(2, 2, 12, 3, 4, generator=generator)
    valid = torch.rand(2, 3, 4, generator=generator) > 0.3
    return embeddings, clip * valid[:, None], valid


def slow_loss(text, scale, embeddings, source, valid):
    total, count = 0.0, 0
    for n, y, x in valid.nonzero().tolist():
        label = max(
            range(len(text)),
            key=lambda k: torch.cosine_similarity(source[n, :, y, x], text[k], dim=0).item(),
        )
        logits = [
            scale * torch.cosine_similarity(embeddings[n, :, y, x], row, dim=0).item()
            for row in text
        ]
        total += math.log(sum(math.exp(logit) for logit in logits)) - logits[label]
        count += 1
    return total / count


@pytest.mark.parametrize('scale', [5.0, 20.0])
def test_loss_is_the_mean_over_valid_pixels(scale):
    model = head(scale=scale)
    embeddings, clip, valid = batch()
    (name, loss), *rest = model.loss(embeddings, clip, valid).items()
    text = model.text_encoder.encode_texts([f'A photo of a {name} in the scene' for name in NAMES])
    assert name == 'loss_pseudo' and not rest
    assert loss.item() == pytest.approx(slow_loss(text, scale, embeddings, clip, valid), rel=1e-5)


def test_after_so_many_iterations_the_student_teaches_itself():
    model = head(self_training_from=2)
    embeddings, clip, valid = batch()
    embeddings.requires_grad_()
    losses = []
    for _ in range(2):
        losses.append(model.loss(embeddings, clip, valid)['loss_pseudo'].item())
    loss = model.loss(embeddings, clip.fill_(torch.nan), valid)['loss_pseudo']
    text = model.names_text
    assert losses[0] == losses[1] != loss.item()
    assert loss.item() == pytest.approx(slow_loss(text, 20.0, embeddings, embeddings, valid))
    loss.backward()
    assert embeddings.grad.abs().sum() > 0


def test_the_count_survives_a_resume_and_nothing_else_is_saved():
    model, batch_ = head(self_training_from=3), batch()
    frozen = set(model.text_encoder.state_dict(prefix='text_encoder.'))
    for _ in range(2):
        model.loss(*batch_)
    saved = {name: value.clone() for name, value in model.state_dict().items()}
    assert set(saved) - frozen == {'iterations'}
    resumed = head(self_training_from=3)
    resumed.load_state_dict(saved)
    for _ in range(2):
        assert torch.equal(*(m.loss(*batch_)['loss_pseudo'] for m in (model, resumed)))
    assert int(resumed.iterations) == 4


def test_prompt_denoising_takes_weak_names_out_of_the_pseudo_labels():
    model = head(prompt_denoising=0.9)
    text = model.names_text = torch.eye(3, 12)
    # The second name barely wins at one pixel; elsewhere the first wins with high confidence.
    clip = torch.stack([text[0], text[1] + 0.98 * text[0], text[0]], dim=1)[None, :, None]
    cosines = torch.cosine_similarity(clip, text[..., None, None], dim=1)
    assert cosines.argmax(0).flatten().tolist() == [0, 1, 0]
    confidence = (model.text_encoder.logit_scale * cosines).softmax(0).amax((1, 2))
    assert confidence[1] < 0.9 < confidence[0], confidence
    assert model.pseudo_labels(None, clip).flatten().tolist() == [0, 0, 0]
    model.prompt_denoising = None
    assert model.pseudo_labels(None, clip).flatten().tolist() == [0, 1, 0]


def test_without_a_valid_pixel_the_loss_is_zero_and_has_a_gradient():
    embeddings, clip, valid = batch()
    embeddings.requires_grad_()
    loss = head().loss(embeddings, clip, torch.zeros_like(valid))['loss_pseudo']
    loss.backward()
    assert loss.item() == 0 and embeddings.grad.abs().sum() == 0


def test_test_words_are_others_than_training_names():
    model = head(vocabulary='cat; dog; grass; sky; sea')
    model.loss(*batch())
    assert model((torch.randn(1, 12, 4, 4),)).shape[1] == 5


@pytest.mark.parametrize('names', [['cat'], 'cat'])
def test_too_few_names(names):
    with pytest.raises(ValueError, match=r'names=.*at least two'):
        MODELS.build(
            dict(
                type='MaskCLIPPlusHead',
                text_encoder=dict(type='OpenCLIPTextEncoder', arch=VIT, pretrained=None),
                names=names,
            )
        )


def test_calibrated_pseudo_labels_take_off_the_mean_cosine_of_each_name():
    model = head(calibrate=True)
    _, clip, valid = batch()
    (text,) = model.text_encoder.encode_texts(['A photo of a dog in the scene'])
    clip = (clip + 5 * text[:, None, None]) * valid[:, None]  # every pixel looks like a dog
    labels = model.pseudo_labels(torch.zeros(2, 3, 3, 4), clip)
    rows = torch.nn.functional.normalize(clip, dim=1).permute(0, 2, 3, 1)
    mean = rows[rows.any(3)].mean(0)
    offset = model.names_text @ mean
    scores = rows @ model.names_text.T - offset
    assert torch.equal(labels[valid], scores.argmax(3)[valid])
    assert not torch.equal(labels[valid], (rows @ model.names_text.T).argmax(3)[valid])
    assert 'image_mean.value' in model.state_dict()
