"""Open-vocabulary segmentor: batches, sliding windows, background names, mismatched towers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmseg_langseg.models.text_encoders import OpenCLIPTextEncoder, Vocabulary
from tests.tiny import CONV, VIT, pixelclip

WORDS = Vocabulary.from_string('cat; dog, puppy; grass')


def predict(model, images):
    samples = []
    for image in images:
        sample = SegDataSample()
        shape = tuple(image.shape[1:])
        sample.set_metainfo(dict(ori_shape=shape, img_shape=shape))
        samples.append(sample)
    data = model.data_preprocessor(dict(inputs=images, data_samples=samples), False)
    model.test_cfg['keep_logits'] = True
    with torch.no_grad():
        return model.eval()(**data, mode='predict')


def images(*sizes):
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(0, 256, (3, *s), generator=generator, dtype=torch.uint8) for s in sizes]


@pytest.mark.parametrize('mode', ['whole', 'slide'])
def test_a_batch_of_several_sizes_equals_its_images(mode):
    changes = {}
    if mode == 'slide':
        changes = dict(
            test_cfg=dict(mode='slide', crop_size=(32, 32), stride=(16, 16)),
            data_preprocessor=dict(type='CLIPDataPreProcessor'),
        )
    model = pixelclip(**changes)
    model.set_vocabulary(WORDS)
    # Sliding windows work on padded images, so there only equal sizes can agree exactly.
    batch = images((40, 56), (72, 33)) if mode == 'whole' else images((40, 56), (40, 56))
    together = predict(model, list(batch))
    for image, result in zip(batch, together, strict=True):
        (alone,) = predict(model, [image])
        assert result.seg_logits.data.shape == (3, *image.shape[1:])
        torch.testing.assert_close(result.seg_logits.data, alone.seg_logits.data)


def test_padded_slide_batch_keeps_the_images_sizes():
    model = pixelclip(
        test_cfg=dict(mode='slide', crop_size=(32, 32), stride=(16, 16)),
        data_preprocessor=dict(type='CLIPDataPreProcessor'),
    )
    model.set_vocabulary(WORDS)
    results = predict(model, images((40, 56), (72, 33)))
    assert [tuple(r.pred_sem_seg.data.shape[1:]) for r in results] == [(40, 56), (72, 33)]


@pytest.mark.parametrize('sizes', [[(40, 56), (64, 32)], [(37, 50)]])
def test_padding_of_a_whole_image_is_cut_off_in_pixels(sizes):
    preprocessor = dict(type='CLIPDataPreProcessor', size_divisor=8)
    model = pixelclip(data_preprocessor=preprocessor)
    model.decode_head.feature_size = None
    model.set_vocabulary(WORDS)
    batch = images(*sizes)
    padded = model.data_preprocessor(dict(inputs=list(batch)), False)['inputs']
    with torch.no_grad():
        grid = model.eval().encode_decode(padded, [{}] * len(batch))
    assert grid.shape[2:] == (padded.shape[2] // 8, padded.shape[3] // 8)
    full = torch.nn.functional.interpolate(grid, size=padded.shape[2:], mode='bilinear')
    for own, (height, width), result in zip(full, sizes, predict(model, batch), strict=True):
        torch.testing.assert_close(result.seg_logits.data, own[:, :height, :width])


def test_logits_are_cosines_with_the_text():
    model = pixelclip()
    model.set_vocabulary(WORDS)
    inputs = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        logits = model.eval().encode_decode(inputs, [{}, {}])
        (features,) = model.extract_feat(inputs)
        features = torch.nn.functional.interpolate(features, size=(8, 8), mode='bilinear')
        text = model.decode_head.text_encoder.encode_vocabulary(WORDS, 'single')
    for k in range(3):
        expected = torch.cosine_similarity(features, text[k][None, :, None, None], dim=1)
        torch.testing.assert_close(logits[:, k], expected, rtol=1e-4, atol=1e-5)


def test_words_are_no_part_of_a_checkpoint():
    model = pixelclip()
    before = set(model.state_dict())
    model.set_vocabulary(WORDS)
    assert set(model.state_dict()) == before
    assert not any('text_rows' in key for key in before)
    model.set_vocabulary(Vocabulary.from_names(['a', 'b', 'c', 'd', 'e']))
    assert model.out_channels == model.num_classes == 5


def test_words_of_the_config_are_embedded_once_at_the_first_use(monkeypatch):
    calls = []
    embed = OpenCLIPTextEncoder.encode_vocabulary

    def remember(encoder, *args):
        calls.append(args)
        return embed(encoder, *args)

    monkeypatch.setattr(OpenCLIPTextEncoder, 'encode_vocabulary', remember)
    model = pixelclip(vocabulary='cat; dog, puppy; grass')
    assert model.num_classes == 3 and not calls
    first, second = (predict(model, images((32, 32)))[0] for _ in range(2))
    assert len(calls) == 1 and torch.equal(first.seg_logits.data, second.seg_logits.data)
    model.set_vocabulary(WORDS)
    again = predict(model, images((32, 32)))[0]
    assert len(calls) == 2 and torch.equal(first.seg_logits.data, again.seg_logits.data)


def test_background_words_compete_one_by_one():
    head = pixelclip().decode_head
    head.set_vocabulary(Vocabulary.from_names(['cat', 'dog'], background=['sky', 'sea']))
    features = torch.randn(1, 12, 8, 8)
    scores = head((features,))[0]
    assert scores.shape[0] == 3
    rows = torch.stack(
        [torch.cosine_similarity(features[0], row[:, None, None], dim=0) for row in head.text_rows]
    )
    for k in range(3):
        own = rows[head.row_class == k]
        torch.testing.assert_close(scores[k], own.amax(0), rtol=1e-4, atol=1e-5)
    assert sorted(torch.bincount(head.row_class).tolist()) == [1, 1, 2]


def test_logit_offset():
    head = pixelclip(vocabulary='cat; dog').decode_head
    features = torch.randn(1, 12, 8, 8)
    plain = head((features,))
    head.set_logit_offset(torch.tensor([0.5, -1.0]))
    torch.testing.assert_close(head((features,)), plain - torch.tensor([0.5, -1.0])[:, None, None])
    with pytest.raises(ValueError, match=r'\(3,\).*\(2,\)'):
        head.set_logit_offset(torch.zeros(3))


def test_center_subtracts_the_mean_cosine_of_each_embedding_row(tmp_path):
    plain = pixelclip().decode_head
    features = torch.randn(5, 12, 8, 8)
    mean = F.normalize(features, dim=1).mean((0, 2, 3))
    np.save(tmp_path / 'mean.npy', mean.numpy())
    centered = pixelclip(center=str(tmp_path / 'mean.npy')).decode_head
    centered.load_state_dict(plain.state_dict())
    for vocabulary in (
        Vocabulary.from_string('cat; dog; grass'),
        Vocabulary.from_names(['cat', 'dog'], background=['sky', 'sea']),
    ):
        plain.set_vocabulary(vocabulary)
        centered.set_vocabulary(vocabulary)
        scores = centered.scores((features,))
        rows = torch.stack(
            [plain.scores((one[None],)).double().mean((0, 2, 3)) for one in features]
        ).mean(0)
        expected = plain.scores((features,)) - rows[None, :, None, None]
        torch.testing.assert_close(scores, expected.float(), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(centered.scores((features,), 1, 2), scores[:, 1:2])
        single = centered.embedding_scores(features[:, :, 3, 4])
        torch.testing.assert_close(
            single,
            plain.embedding_scores(features[:, :, 3, 4]) - rows.float(),
            atol=1e-5,
            rtol=1e-4,
        )
    assert 'center' not in ''.join(centered.state_dict())


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (np.zeros(11), r"mean.npy' holds \(11,\), expected \(12,\) finite"),
        (np.full(12, np.nan), 'finite numbers'),
        (np.array([None] * 12, dtype=object), 'cannot be read'),
        (b'', 'cannot be read'),
    ],
)
def test_wrong_centers(tmp_path, content, message):
    path = tmp_path / 'mean.npy'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        pixelclip(center=str(path))


def test_clear_errors():
    model = pixelclip()
    with pytest.raises(RuntimeError, match='DatasetVocabularyHook'):
        model.encode_decode(torch.zeros(1, 3, 32, 32), [{}])
    with pytest.raises(ValueError, match=r'one class.*Semicolons separate classes'):
        model.set_vocabulary(Vocabulary.from_string('cat'))
    with pytest.raises(ValueError, match=r'one class') as error:
        model.set_vocabulary(Vocabulary.from_string('x' * 10_000))
    assert len(str(error.value)) < 400
    with pytest.raises(NotImplementedError, match='PixelCLIP'):
        super(type(model.decode_head), model.decode_head).loss()


def test_tower_and_text_of_different_models():
    wide = dict(CONV, embed_dim=16)
    with pytest.raises(ValueError, match=r'embed_dim=12.*16'):
        MODELS.build(
            dict(
                type='LanguageSegmentor',
                backbone=dict(type='CLIPVisionTransformer', arch=VIT),
                decode_head=dict(
                    type='LanguageHead',
                    text_encoder=dict(type='OpenCLIPTextEncoder', arch=wide, pretrained=None),
                ),
            )
        )


def test_parts_work_in_the_toolbox_own_segmentor():
    model = MODELS.build(
        dict(
            type='EncoderDecoder',
            data_preprocessor=dict(type='CLIPDataPreProcessor', input_size=(32, 32)),
            backbone=dict(type='CLIPVisionTransformer', arch=VIT, readout='value'),
            decode_head=dict(
                type='LanguageHead',
                text_encoder=dict(type='OpenCLIPTextEncoder', arch=VIT, pretrained=None),
                vocabulary=['cat', 'dog'],
            ),
            test_cfg=ConfigDict(mode='whole'),
        )
    )
    (result,) = predict(model, images((40, 56)))
    assert result.pred_sem_seg.data.shape == (1, 40, 56)
