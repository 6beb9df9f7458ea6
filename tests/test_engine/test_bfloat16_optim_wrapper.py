"""Mixed precision in bfloat16: losses and gradients stay close to those in float32."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper

from tests import tiny_timm
from tests.tiny import clips4, pixelclip, training_batch, view_batch

# A ResNet with random weights amplifies any rounding: its gradients move by 40 % if only its
# weights are rounded to bfloat16. The students here are ViTs.
TRAINED = dict(type='CLIPImageTower', trainable='all')
SIGLIP = dict(clip=dict(arch=tiny_timm.SIGLIP, pretrained=None))
TEACHER = dict(type='CLIPImageTower')
CASES = {
    'pixelclip': (pixelclip, dict(seed=1), training_batch),
    'pixelclip siglip': (pixelclip, dict(SIGLIP, backbone=TRAINED), training_batch),
    'pixelclip without clusters': (pixelclip, dict(prompts=None, clusterer=None), training_batch),
    'clips4': (clips4, dict(backbone=TRAINED, neck=None), view_batch),
    'clips4 siglip': (
        clips4,
        dict(SIGLIP, backbone=TRAINED, neck=None, teacher=TEACHER),
        view_batch,
    ),
}
DEVICES = ['cpu', *(['cuda'] if torch.cuda.is_available() else [])]


def step(kind, case, device):
    """Return the losses of a step by name and its gradients."""
    build, options, batch = CASES[case]
    model = build(**options).train().to(device)
    wrapper = build_optim_wrapper(model, dict(type=kind, optimizer=dict(type='SGD', lr=0.1)))
    with wrapper.optim_context(model):
        logged = model(**model.data_preprocessor(batch(), True), mode='loss')
    losses = {name: value for name, value in logged.items() if 'loss' in name}
    wrapper.backward(sum(losses.values()))
    gradients = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return losses, torch.cat(gradients)


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('case', CASES)
def test_distance_to_float32(case, device):
    expected, exact = step('OptimWrapper', case, device)
    losses, gradient = step('BFloat16OptimWrapper', case, device)
    for name, loss in losses.items():
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, expected[name], rtol=0.03, atol=0.003)
    assert not torch.equal(gradient, exact)
    assert gradient.dtype == torch.float32
    assert (gradient - exact).norm() < 0.08 * exact.norm()
