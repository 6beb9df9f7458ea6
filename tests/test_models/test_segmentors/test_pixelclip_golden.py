"""PixelCLIP training and inference against golden outputs of the official implementation."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import nn

from mmseg_langseg.models.decode_heads import union_of_masks
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.utils import cosine_map, mask_pool
from tests import golden

NAMES = {
    'sem_seg_head.predictor.prompt_tokens': 'decode_head.prompts.tokens',
    'sem_seg_head.predictor.clip_model.visual.': 'backbone.visual.',
    'head.': 'decode_head.mask_decoder.',
}


@pytest.fixture(autouse=True)
def _float32_convolutions(monkeypatch):
    """On a GPU, torch computes convolutions in TF32 unless told otherwise."""
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)


def ours(name):
    for theirs, own in NAMES.items():
        if name.startswith(theirs):
            return own + name[len(theirs) :]
    raise KeyError(name)


def build(folder, tower, scale, resolution, templates='single'):
    convnext = tower == 'convnext'
    file = golden.convnext_file(folder) if convnext else golden.vit_file(folder)
    arch = golden.convnext_arch() if convnext else golden.vit_arch()
    backbone = dict(type='CLIPVisionTransformer', trainable='attention')
    if convnext:
        backbone = dict(type='CLIPTimmTower', trainable='all')
    model = MODELS.build(
        dict(
            type='PixelCLIP',
            clip=dict(arch=arch, pretrained=file),
            data_preprocessor=dict(
                type='CLIPDataPreProcessor', bgr_to_rgb=False, input_size=(resolution,) * 2
            ),
            backbone=backbone,
            decode_head=dict(
                type='PixelCLIPHead',
                templates=templates,
                prompts=dict(type='ClassPrompts', num_clusters=8, length=4),
                clusterer=dict(type='SinkhornClusterer', scale=scale),
            ),
            test_cfg=ConfigDict(mode='whole'),
        )
    )
    model.decode_head.mask_decoder.load_state_dict(golden.head_state_dict(convnext))
    with torch.no_grad():
        model.decode_head.prompts.tokens.copy_(golden.prompt_tokens(convnext))
    teacher = golden.convnext_state_dict(True) if convnext else golden.vit_state_dict(True)
    model.teacher.module.load_state_dict(teacher)
    model.teacher.steps.fill_(1)  # the first update copies; the goldens start from other weights
    return model.to(golden.DEVICE).train()


def batch(strong=False):
    arrays = golden.load('pixelclip_vit_inputs')
    weak = torch.from_numpy(arrays['images_u8'])
    views = dict(
        weak=list(weak),
        strong=list(torch.from_numpy(arrays['images_strong_u8']) if strong else weak),
    )
    masks = torch.from_numpy(arrays['masks_u8'])[:, None].float()
    masks = F.interpolate(masks, size=(40, 40), mode='nearest')[:, 0] > 0
    samples = []
    for part in masks.split(arrays['mask_counts'].tolist()):
        sample = SegDataSample()
        sample.set_field(part, 'masks', dtype=torch.Tensor)
        samples.append(sample)
    return dict(inputs=views, data_samples=samples)


def close(result, expected, atol):
    np.testing.assert_allclose(result.detach().cpu().numpy(), expected, rtol=0, atol=atol)


def check_gradients(model, arrays, prefix):
    parameters = dict(model.named_parameters())
    names = [str(name) for name in arrays[f'{prefix}.grad_norm_names']]
    trained = {name for name, p in parameters.items() if p.requires_grad}
    assert {ours(name) for name in names} == trained
    expected = arrays[f'{prefix}.grad_norms']
    norms = torch.stack([parameters[ours(name)].grad.norm() for name in names])
    close(norms, expected, 2e-4 * expected.max())
    for key in arrays:
        if key.startswith(f'{prefix}.grad.'):
            want = torch.from_numpy(arrays[key])
            difference = parameters[ours(key[len(prefix) + 6 :])].grad.cpu() - want
            assert difference.abs().max() <= 5e-3 * want.abs().max(), key
            assert difference.norm() <= 3e-3 * want.norm(), key


def train_step(model, strong=False):
    data = model.data_preprocessor(batch(strong), True)
    losses = model(**data, mode='loss')
    (loss,) = losses.values()
    loss.backward()
    return data, loss


@pytest.mark.parametrize('prefix, scale', [('eps100', 100.0), ('eps1', 1.0), ('strong', 100.0)])
def test_vit_training(tmp_path, prefix, scale):
    arrays = golden.load('pixelclip_vit_training')
    model = build(tmp_path, 'vit', scale, 80)
    data, loss = train_step(model, prefix == 'strong')
    close(loss, arrays[f'{prefix}.loss'], 5e-6)
    assert model.decode_head.last_assignment.tolist() == arrays[f'{prefix}.hard'].tolist()
    check_gradients(model, arrays, prefix)
    if prefix == 'eps100':
        close(data['inputs']['strong'], arrays['eps100.student_input'], 5e-5)
        teacher = dict(model.teacher.module.named_parameters())
        for key in arrays:
            if key.startswith('teacher_after.'):
                close(teacher[key[len('teacher_after.') :]], arrays[key], 1e-7)


def test_vit_steps(tmp_path):
    """All intermediate results of one step."""
    arrays = golden.load('pixelclip_vit_training')
    model = build(tmp_path, 'vit', 100.0, 80)
    data, _ = train_step(model)
    head = model.decode_head
    student = model.extract_feat(data['inputs']['strong'])[0]
    teacher = model.teacher(data['inputs']['weak'])[0]
    close(student.permute(0, 2, 3, 1), arrays['eps100.student_dense'], 2e-5)
    close(teacher, arrays['eps100.teacher_dense'], 2e-5)

    masks, image_index = model.gather_masks(data['inputs'], data['data_samples'])
    kept = masks[masks.flatten(1).sum(1) > 1]
    assert torch.equal(kept.cpu(), torch.from_numpy(arrays['eps100.mask_resized_u8']) > 0)
    index = image_index[masks.flatten(1).sum(1) > 1]
    pooled = mask_pool(teacher, kept, index)
    close(pooled, arrays['eps100.mask_feats'], 2e-5)
    embeddings = head.prompts(head.text_encoder)
    close(head.clusterer.logits(pooled, embeddings), arrays['eps100.logits'], 3e-4)
    ids = torch.from_numpy(arrays['eps100.hard']).long().to(golden.DEVICE)
    targets = union_of_masks(kept, index * 8 + ids, 24).unflatten(0, (3, 8))
    assert torch.equal(targets.byte().cpu(), torch.from_numpy(arrays['eps100.targets_u8']))
    valid = torch.from_numpy(arrays['eps100.valid_u8']) > 0
    assert torch.equal(targets.amax(1).cpu() > 0, valid)
    volume = cosine_map(student, embeddings)
    close(volume.flatten(0, 1)[:, None], arrays['eps100.cost_volume'], 2e-5)
    decoded = head.mask_decoder(volume)
    close(decoded.flatten(0, 1)[:, None], arrays['eps100.head_out'], 1e-4)
    resized = F.interpolate(decoded, size=(40, 40), mode='bilinear', align_corners=False)
    close(resized, arrays['eps100.mask_preds'], 1e-4)


class GoldenEmbeddings(nn.Module):
    """Ensemble embeddings of the official code, with its misaligned placeholders (quirk 2)."""

    num_clusters = 8

    def forward(self, text_encoder):
        return golden.tensor('pixelclip_vit_features', 'prompt.text_ensemble').to(golden.DEVICE)


def test_vit_training_from_the_ensemble_embeddings_of_the_release(tmp_path):
    arrays = golden.load('pixelclip_vit_training')
    model = build(tmp_path, 'vit', 100.0, 80)
    model.decode_head.prompts = GoldenEmbeddings()
    _, loss = train_step(model)
    close(loss, arrays['ensemble.loss'], 5e-6)
    assert model.decode_head.last_assignment.tolist() == arrays['ensemble.hard'].tolist()


def test_convnext_training(tmp_path):
    arrays = golden.load('pixelclip_convnext')
    model = build(tmp_path, 'convnext', 1.0, 128)
    _, loss = train_step(model)
    close(loss, arrays['eps1.loss'], 5e-6)
    assert model.decode_head.last_assignment.tolist() == arrays['eps1.hard'].tolist()
    check_gradients(model, arrays, 'eps1')


@pytest.mark.parametrize('tower, resolution', [('vit', 80), ('convnext', 128)])
@pytest.mark.parametrize('templates', ['single', 'imagenet_select'])
@pytest.mark.parametrize('index', [0, 1, 2])
def test_inference(tmp_path, tower, resolution, templates, index):
    file = 'pixelclip_convnext' if tower == 'convnext' else 'pixelclip_vit_inference'
    arrays = golden.load(file)
    if f'infer{index}.{templates}.logits64' not in arrays:
        pytest.skip('no such golden')
    inputs = golden.load('pixelclip_vit_inputs')
    image = torch.from_numpy(inputs[f'infer{index}.image_u8'])
    model = build(tmp_path, tower, 1.0, resolution, templates).eval()
    model.test_cfg['keep_logits'] = True
    model.set_vocabulary(Vocabulary.from_names([str(name) for name in inputs['class_names']]))
    sample = SegDataSample()
    out_size = tuple(int(n) for n in inputs[f'infer{index}.out_size'])
    sample.set_metainfo(dict(ori_shape=out_size, img_shape=tuple(image.shape[1:])))
    data = model.data_preprocessor(dict(inputs=[image], data_samples=[sample]), False)
    with torch.no_grad():
        logits = model.encode_decode(data['inputs'], [sample.metainfo])
        (result,) = model(**data, mode='predict')
    close(logits[0], arrays[f'infer{index}.{templates}.logits64'], 2e-5)
    expected = arrays[f'infer{index}.{templates}.sem_seg']
    if min(image.shape[1:]) >= 64:
        close(result.seg_logits.data, expected, 2e-5)
    else:
        # Quirk 3: the official code crops its 64x64 map to images with a shorter side. We do not.
        crop = logits[:, :, : image.shape[1], : image.shape[2]]
        crop = F.interpolate(crop, size=out_size, mode='bilinear', align_corners=False)
        close(crop[0], expected, 2e-5)
