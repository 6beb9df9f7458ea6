import pytest
import torch
from mmengine.config import Config
from mmengine.model import PretrainedInit
from mmengine.runner import Runner
from mmseg.registry import MODELS

from mmseg_langseg.apis import run_training
from mmseg_langseg.engine.pretrained_fit import PretrainedWatch


def initialize(backbone):
    model = MODELS.build(backbone)
    watch = PretrainedWatch(model)
    model.init_weights()
    watch.check()
    return model


def resnet(**init_cfg):
    return dict(
        type='ResNetV1c',
        depth=18,
        base_channels=4,
        stem_channels=4,
        init_cfg=dict(dict(type='Pretrained'), **init_cfg),
    )


@pytest.fixture
def foreign(tmp_path):
    torch.save({'state_dict': {'a.weight': torch.zeros(3)}}, tmp_path / 'foreign.pth')
    return str(tmp_path / 'foreign.pth')


NOTHING = (
    r"Nothing of '.*foreign\.pth' was loaded into backbone \(FastSCNN\), .*the file has a\.weight,"
    r' the module learning_to_downsample\.\S+, .*prefix='
)


@pytest.mark.parametrize('load_from', [False, True])
def test_a_training_that_would_start_from_random_weights_ends(
    foreign, tiny_config, tmp_path, load_from
):
    cfg = Config.fromfile(tiny_config)
    if load_from:
        model = MODELS.build(cfg.model)
        torch.save({'state_dict': model.state_dict()}, tmp_path / 'whole.pth')
        cfg.load_from = str(tmp_path / 'whole.pth')
    cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=foreign)
    with pytest.raises(ValueError, match=NOTHING):
        run_training(cfg, str(tmp_path / 'work'))
    assert not list(tmp_path.rglob('iter_*.pth'))


def test_a_runner_of_the_toolbox_has_the_check_from_the_config(foreign, tiny_config, tmp_path):
    cfg = Config.fromfile(tiny_config)
    cfg.work_dir = str(tmp_path / 'work')
    cfg.model.backbone.init_cfg = [dict(type=PretrainedInit, checkpoint=foreign)]
    with pytest.raises(ValueError, match=NOTHING):
        Runner.from_cfg(cfg).train()


def test_a_prefix_selects_the_part(foreign, tiny_config, tmp_path):
    cfg = Config.fromfile(tiny_config)
    model = MODELS.build(cfg.model)
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'whole.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'whole.pth'))
    cfg.model.backbone.init_cfg = dict(init_cfg, prefix='backbone.')
    run_training(cfg, str(tmp_path / 'good'))
    cfg.model.backbone.init_cfg = dict(init_cfg, prefix='neck')
    with pytest.raises(ValueError, match=r"whole\.pth' was .*file has backbone\.\S+, .*'neck'"):
        run_training(cfg, str(tmp_path / 'wrong'))
    cfg.model.backbone.init_cfg = init_cfg
    with pytest.raises(ValueError, match=r"whole\.pth' was .*file has backbone\.\S+, .*prefix="):
        run_training(cfg, str(tmp_path / 'none'))


def test_one_tensor_of_the_right_shape_is_enough(tmp_path):
    path = str(tmp_path / 'a.pth')
    torch.save({'module.layer1.0.conv1.weight': torch.ones(4, 4, 3, 3), 'b': 1}, path)
    assert initialize(resnet(checkpoint=path)).layer1[0].conv1.weight.eq(1).all()
    torch.save({'layer1.0.conv1.weight': torch.ones(4, 4, 1, 1)}, path)
    with pytest.raises(ValueError, match=r'into ResNetV1c, .*has layer1\.0\.conv1\.weight, the'):
        initialize(resnet(checkpoint=path))


def test_a_part_that_is_loaded_with_the_whole_is_not_asked(tmp_path):
    """The model's own file may leave the backbone to the backbone's file."""
    part = dict(type='Pretrained', checkpoint=str(tmp_path / 'part.pth'))
    model = MODELS.build(
        dict(
            type='EncoderDecoder',
            backbone=dict(resnet(), init_cfg=part),
            decode_head=dict(
                type='FCNHead', in_channels=32, channels=4, num_classes=2, num_convs=1
            ),
            init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'head.pth')),
        )
    )
    torch.save(model.backbone.state_dict(), tmp_path / 'part.pth')
    head = {k: v for k, v in model.state_dict().items() if k.startswith('decode_head')}
    torch.save(head, tmp_path / 'head.pth')
    watch = PretrainedWatch(model)
    model.init_weights()
    watch.check()


@pytest.mark.parametrize('backbone', ['swin', 'vit'])
def test_backbones_that_read_and_rename_by_themselves(backbone, tmp_path):
    path = str(tmp_path / 'a.pth')
    init_cfg = dict(type='Pretrained', checkpoint=path)
    if backbone == 'swin':
        config = dict(
            type='SwinTransformer',
            pretrain_img_size=32,
            embed_dims=8,
            depths=(1, 1, 1, 1),
            num_heads=(1, 1, 1, 1),
            window_size=2,
            init_cfg=init_cfg,
        )
    else:
        config = dict(
            type='VisionTransformer',
            img_size=32,
            embed_dims=8,
            num_layers=1,
            num_heads=1,
            out_indices=0,
            init_cfg=init_cfg,
        )
    torch.save({'state_dict': MODELS.build(dict(config, init_cfg=None)).state_dict()}, path)
    initialize(config)
    torch.save({'state_dict': {'a.weight': torch.zeros(3)}}, path)
    with pytest.raises(ValueError, match='Nothing of'):
        initialize(config)
