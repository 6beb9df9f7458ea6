"""``torch.compile`` of parts of the model, and training without it."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch

from mmseg_langseg.engine.hooks import CompileHook
from tests.tiny import loss_of, pixelclip, training_batch


def no_compiler(graph, inputs):
    raise RuntimeError('no C++ compiler\nand a long trace')


def no_model(graph, inputs):
    """Compile the trial function of the hook, and nothing larger."""
    if len(list(graph.graph.nodes)) > 10:
        raise RuntimeError('no kernel for this model')
    return graph.forward


def train_step(part=None, **options):
    """Return loss, gradients and the warnings of the log of a step under the hook."""
    torch.compiler.reset()
    model = pixelclip().train()
    names = list(model.state_dict())
    runner = SimpleNamespace(model=model, logger=Mock())
    hook = CompileHook([part], **options) if part else None
    if hook is not None:
        hook.before_train(runner)
    loss = loss_of(model, training_batch())
    loss.backward()
    if hook is not None:
        hook.after_train(runner)
    assert list(model.state_dict()) == names
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return loss.detach(), gradients, [call.args[0] for call in runner.logger.warning.mock_calls]


@pytest.mark.parametrize(
    ('part', 'backend', 'warning'),
    [
        ('backbone', 'eager', None),
        ('backbone', no_compiler, 'no C++ compiler'),
        ('decode_head.mask_decoder', no_model, None),
    ],
)
def test_same_loss_and_gradients(part, backend, warning):
    expected = train_step()[:2]
    *got, warnings = train_step(part, backend=backend)
    torch.testing.assert_close(tuple(got), expected, rtol=1e-5, atol=1e-6)
    assert not torch._dynamo.config.suppress_errors
    if warning is None:
        assert not warnings
    else:
        assert warnings == [f'Nothing is compiled, the training is slower: {warning}']


def test_unknown_parts():
    runner = SimpleNamespace(model=pixelclip(), logger=Mock())
    with pytest.raises(ValueError, match="a PixelCLIP, has no module 'neck'; it has data_prepr"):
        CompileHook(['neck']).before_train(runner)
    with pytest.raises(ValueError, match="parts='backbone': expected a list"):
        CompileHook('backbone')
