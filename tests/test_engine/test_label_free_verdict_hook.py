"""Verdicts during a training: what they say, what they keep, and that they change nothing."""

import copy
import json
import shutil
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.runner.checkpoint import _load_checkpoint
from mmseg.registry import DATASETS, HOOKS

from mmseg_langseg.apis import run_training
from mmseg_langseg.datasets.image_pipeline import ImagePipeline
from mmseg_langseg.engine.hooks import LabelFreeVerdictHook, label_free_verdict_hook
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.synthetic.renderer import CLASSES
from mmseg_langseg.verdict import compare, judge, measure
from mmseg_langseg.verdict.dataset_photos import dataset_photos
from mmseg_langseg.verdict.untrained_features import untrained_features
from tests.test_engine.runners import CONFIG
from tests.tiny import clips4, pixelclip, pixelclip_config

PHOTOS = dict(
    type='SyntheticScenesDataset',
    split='tune',
    num_scenes=9,
    pipeline=[dict(type='LoadSyntheticScene', with_masks=True)],
)


@HOOKS.register_module()
class KeepUntrained(Hook):
    def before_train(self, runner):
        self.model = copy.deepcopy(runner.model)


def config(folder, iters=4, verdict=True, **changes):
    """A training with random views and a validation after its third iteration."""
    cfg = Config.fromfile(CONFIG)
    cfg.model = pixelclip_config()
    cfg.model['data_preprocessor'] = dict(type='CLIPDataPreProcessor', strong_view={})
    cfg.experiment_name = f'{folder.name}_{iters}_{len(changes)}'
    steps = [step for step in cfg.train_pipeline if step.type != 'StrongView']
    cfg.custom_hooks = [dict(type='DatasetVocabularyHook'), dict(type='KeepUntrained')]
    options = {
        'train_cfg.max_iters': iters,
        'train_cfg.val_interval': 3,
        'optim_wrapper.optimizer.lr': 0.01,
        'param_scheduler': [],
        'train_dataloader.batch_size': 2,
        'train_dataloader.dataset.num_scenes': 5,
        'train_dataloader.dataset.pipeline': steps,
        'val_dataloader.dataset.num_scenes': 2,
        'default_hooks.checkpoint.interval': 2,
        'default_hooks.checkpoint.max_keep_ckpts': -1,
        'default_hooks.logger.interval': 1,
    }
    if verdict:
        hook = dict(type='LabelFreeVerdictHook', dataset=PHOTOS, interval=2, num_photos=5)
        options['default_hooks.verdict'] = {**hook, **changes}
        options['default_hooks.checkpoint.save_best'] = ['verdict/gain', 'mIoU']
        options['default_hooks.checkpoint.rule'] = 'greater'
    cfg.merge_from_dict(options)
    return cfg


def content(path):
    return _load_checkpoint(str(path), map_location='cpu')


def verdicts(work):
    """Return the logged verdicts by iteration."""
    lines = [line for path in work.glob('*/vis_data/scalars.json') for line in path.open()]
    found = [json.loads(line) for line in lines]
    return {one['step']: one['verdict/gain'] for one in found if 'verdict/gain' in one}


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    work = tmp_path_factory.mktemp('trained')
    return work, run_training(config(work), str(work))


def test_the_training_is_the_same_without_it(trained, tmp_path):
    run_training(config(tmp_path, verdict=False), str(tmp_path))
    ours, others = (content(work / 'iter_4.pth') for work in (trained[0], tmp_path))
    for key in ('state_dict', 'optimizer', 'param_schedulers'):
        torch.testing.assert_close(ours[key], others[key], rtol=0, atol=0)
    first = content(tmp_path / 'iter_2.pth')['state_dict']
    assert any(not torch.equal(others['state_dict'][key], first[key]) for key in first)
    with pytest.raises(ValueError, match='written without LabelFreeVerdictHook'):
        run_training(config(tmp_path, iters=6), str(tmp_path), resume=True)


def test_the_logged_verdict_is_that_of_the_two_models(trained):
    work, runner = trained
    untrained = next(h for h in runner.hooks if isinstance(h, KeepUntrained)).model.eval()
    photos = dataset_photos(DATASETS.build(PHOTOS), 5)
    assert [photo.name for photo in photos] == [f'tune_00000{i}.png' for i in (0, 2, 4, 6, 8)]
    prepare = ImagePipeline(runner.cfg)
    for model in (untrained, runner.model.eval()):
        model.set_vocabulary(Vocabulary.from_names(CLASSES))
    judged = judge(untrained, prepare, photos).classes
    evidence = [measure(model, prepare, photos) for model in (untrained, runner.model)]
    logged = verdicts(work)
    assert logged[4] == pytest.approx(compare(judged, *evidence).gain, abs=1e-4)
    assert len(set(logged.values())) == 2 and list(logged) == [2, 4]
    best = max(logged, key=logged.get)
    assert (work / 'best_mIoU_iter_3.pth').is_file() and 'verdict' in content(work / 'iter_4.pth')
    (kept,) = work.glob('best_verdict_gain_*.pth')
    assert kept.name == f'best_verdict_gain_iter_{best}.pth' and 'verdict' not in content(kept)
    same = content(work / f'iter_{best}.pth')['state_dict']
    torch.testing.assert_close(content(kept)['state_dict'], same, rtol=0, atol=0)


def test_a_resumed_training_compares_with_the_model_before_the_training(trained, tmp_path):
    shutil.copy(trained[0] / 'iter_2.pth', tmp_path)
    run_training(config(tmp_path), str(tmp_path), resume=True)
    assert verdicts(tmp_path) == verdicts(trained[0])
    with pytest.raises(ValueError, match='other photos, masks, texts'):
        run_training(config(tmp_path, iters=6, num_photos=4), str(tmp_path), resume=True)


def test_errors_say_what_to_give(tmp_path):
    with pytest.raises(ValueError, match='interval=0'):
        LabelFreeVerdictHook(PHOTOS, interval=0)
    with pytest.raises(ValueError, match='num_photos=0'):
        dataset_photos(DATASETS.build(PHOTOS), 0)
    no_masks = {**PHOTOS, 'pipeline': [dict(type='LoadSyntheticScene')]}
    with pytest.raises(ValueError, match=r'img_path.* needs img and mask_rles'):
        dataset_photos(DATASETS.build(no_masks), 3)
    runner = SimpleNamespace(
        model=pixelclip(), cfg=Config(dict()), val_loop=None, train_loop=None, iter=0
    )
    with pytest.raises(ValueError, match='needs interval'):
        LabelFreeVerdictHook(PHOTOS).before_train(runner)
    with pytest.raises(ValueError, match='has no class names: give texts'):
        LabelFreeVerdictHook(PHOTOS, interval=2).before_train(runner)


def test_the_untrained_student_of_clips4_is_replaced_by_its_teacher():
    model = clips4(teacher=dict(type='CLIPVisionTransformer', readout='value')).eval()
    images = torch.rand(1, 3, 32, 32)
    before = model.extract_feat(images)
    with untrained_features(model), torch.no_grad():
        (features,) = model.extract_feat(images)
        torch.testing.assert_close(features, model.teacher(images))
    torch.testing.assert_close(model.extract_feat(images), before)
    model.teacher = None
    with pytest.raises(ValueError, match='teacher=None'), untrained_features(model):
        pass


def test_other_processes_wait_for_the_verdict_of_the_first(monkeypatch):
    def receive(values):
        values[:] = [1.5, 0.5, 2.5]

    monkeypatch.setattr(label_free_verdict_hook, 'is_main_process', lambda: False)
    monkeypatch.setattr(label_free_verdict_hook, 'broadcast_object_list', receive)
    hub = MessageHub.get_instance('other_process')
    hook = LabelFreeVerdictHook(dict(type='no such dataset'), interval=3)
    runner = SimpleNamespace(
        model=pixelclip(), iter=3, hooks=[], message_hub=hub, logger=Mock(), visualizer=Mock()
    )
    hook.before_train(runner)
    hook.before_train_iter(runner, 3)
    assert hub.get_scalar('verdict/low').current() == 0.5
    assert hub.get_info('best_verdict') == dict(iter=3, scores=[1.5, 0.5, 2.5])
