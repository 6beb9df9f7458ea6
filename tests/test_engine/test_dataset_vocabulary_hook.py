import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.registry import MODELS
from torch import nn

from mmseg_langseg.engine.hooks import (
    DatasetVocabularyHook,
    LogitCenteringHook,
)
from tests.test_engine.runners import SCENES, fake_runner
from tests.tiny import pixelclip, pixelclip_config


def test_words_follow_the_dataset_under_validation_and_test():
    model = pixelclip()
    runner = fake_runner(model, val=('cat', 'dog'), test=('sky', 'road', 'car'))
    hook = DatasetVocabularyHook()
    hook.before_val(runner)
    assert model.decode_head.vocabulary.names == ('cat', 'dog')
    hook.before_test(runner)
    assert model.decode_head.vocabulary.names == ('sky', 'road', 'car')
    assert model.num_classes == model.out_channels == 3
    assert len(model.decode_head.text_rows) == 3


def test_same_words_are_not_encoded_again(monkeypatch):
    model = pixelclip()
    runner = fake_runner(model, val=('cat', 'dog'))
    DatasetVocabularyHook().before_val(runner)
    monkeypatch.setattr(model.decode_head, 'set_vocabulary', lambda _: pytest.fail('encoded twice'))
    DatasetVocabularyHook().before_val(runner)


def test_fixed_words_stay_and_must_fit_the_dataset():
    model = pixelclip(vocabulary=['cat, kitten', 'dog'])
    hook = DatasetVocabularyHook()
    hook.before_test(fake_runner(model, test=('Felis catus', 'Canis familiaris')))
    assert model.decode_head.vocabulary.names == ('cat', 'dog')
    with pytest.raises(ValueError, match=r'has 2 classes .* but SimpleNamespace has 3'):
        hook.before_test(fake_runner(model, test=('a', 'b', 'c')))


def test_names_that_differ_from_the_dataset_are_logged():
    model = pixelclip(vocabulary=['person', 'diningtable', 'bed'])
    runner = fake_runner(model, test=('person', 'table', 'bed '))
    DatasetVocabularyHook().before_test(runner)
    (text,) = runner.logger.info.call_args.args
    assert '1 of 3 classes' in text and "1 'table' -> 'diningtable'" in text
    runner = fake_runner(model, test=('person', 'diningtable', 'bed'))
    DatasetVocabularyHook().before_test(runner)
    runner.logger.info.assert_not_called()


def test_words_reach_the_model_inside_test_time_augmentation():
    module = pixelclip_config()
    tta = MODELS.build(ConfigDict(type='LanguageTTAModel', module=module))
    DatasetVocabularyHook().before_test(fake_runner(tta, test=('cat', 'dog')))
    assert tta.module.decode_head.vocabulary.names == ('cat', 'dog')


def test_words_reach_a_language_head_in_the_toolboxs_own_segmentor():
    parts = pixelclip_config()
    clip = parts['clip']
    encoder = dict(type='OpenCLIPTextEncoder', **clip)
    model = MODELS.build(
        ConfigDict(
            type='EncoderDecoder',
            backbone=dict(parts['backbone'], **clip),
            decode_head=dict(type='LanguageHead', text_encoder=encoder, templates='single'),
            test_cfg=dict(mode='slide', crop_size=(32, 32), stride=(16, 16)),
        )
    )
    for names in (('cat', 'dog', 'sky'), ('cat', 'dog')):
        DatasetVocabularyHook().before_test(fake_runner(model, test=names))
        assert model.decode_head.vocabulary.names == names
        # Sliding windows are allocated by the segmentor's own number.
        logits = model.inference(torch.zeros(1, 3, 32, 48), [dict(ori_shape=(32, 48))])
        assert logits.shape == (1, len(names), 32, 48)


def test_a_head_without_words_is_refused():
    model = MODELS.build(ConfigDict(pixelclip_config()))
    model.decode_head = nn.Identity()
    with pytest.raises(ValueError, match='LanguageHead, got PixelCLIP with a Identity'):
        DatasetVocabularyHook().before_test(fake_runner(model, test=('cat', 'dog')))


@pytest.mark.parametrize('classes', [None, ()])
def test_dataset_without_classes_is_an_error(classes):
    with pytest.raises(ValueError, match=r'names no classes.*decode_head\.vocabulary'):
        DatasetVocabularyHook().before_test(fake_runner(pixelclip(), test=classes))


@pytest.mark.parametrize('hook', [DatasetVocabularyHook(), LogitCenteringHook(SCENES)])
def test_other_models_are_refused(hook):
    runner = fake_runner(nn.Linear(2, 2), test=('cat', 'dog'))
    with pytest.raises(TypeError, match=f'{type(hook).__name__} needs a model with .* got Linear'):
        hook.before_test(runner)
