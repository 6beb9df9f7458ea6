"""Sides of benchmark_official.py: this package, or a checkout of PixelCLIP, in its own process.

Commands, see ``peer_measurement.py``: ``first FILE`` (a training step that writes its gradients),
``step`` (a training step that is measured) and ``weights FILE`` (write the trained weights).
"""

import contextlib
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from peer_measurement import Answer, can_reset, load_peak_memory, measured, run_side
from torch import Tensor, nn


class OwnSide:
    """This package.

    Args:
        settings: See ``benchmark_official.write_settings``.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        import mmseg_langseg  # noqa: F401 - not in the process of the other side

        from mmengine.config import Config
        from mmengine.logging import MMLogger
        from mmengine.optim import build_optim_wrapper
        from mmengine.registry import init_default_scope
        from mmseg.registry import MODELS
        from mmseg.structures import SegDataSample

        MMLogger.get_instance('mmengine', log_level='ERROR')
        init_default_scope('mmseg')
        cfg = Config.fromfile(settings['config'])
        torch.backends.cudnn.benchmark = cfg.env_cfg.cudnn_benchmark
        torch.set_float32_matmul_precision(cfg.matmul_precision)
        self.model = MODELS.build(cfg.model)
        decoder = torch.load(settings['decoder'], weights_only=True)
        self.model.decode_head.mask_decoder.load_state_dict(decoder)
        self.model = self.model.to(settings['device']).train()
        self.optim_wrapper = build_optim_wrapper(self.model, cfg.optim_wrapper)
        self.optimizer = self.optim_wrapper.optimizer
        inputs = torch.load(settings['own_inputs'], weights_only=True)
        samples = [SegDataSample() for _ in inputs['masks']]
        for sample, masks in zip(samples, inputs['masks'], strict=True):
            sample.set_field(masks, 'masks', dtype=Tensor)
        # Images of OpenCV are BGR.
        views = {view: list(inputs[view].flip(1)) for view in ('weak', 'strong')}
        self.batch = {'inputs': views, 'data_samples': samples}

    def step(self) -> dict[str, float]:
        """Train on the batch; return the loss and the number of clusters that have masks."""
        losses = self.model.train_step(self.batch, self.optim_wrapper)
        clusters = len(self.model.decode_head.last_assignment.unique())
        return {'loss': float(losses['loss']), 'clusters': clusters}

    def name(self, name: str) -> str:
        """Return the name of a parameter in this package."""
        return name


class OfficialSide:
    """Official code, imported from its checkout.

    Args:
        settings: See ``benchmark_official.write_settings``.
    """

    NAMES = {
        'sem_seg_head.predictor.prompt_tokens': 'decode_head.prompts.tokens',
        'sem_seg_head.predictor.clip_model.visual.': 'backbone.visual.',
        'teacher_encoder.visual.': 'teacher.module.visual.',
        'head.': 'decode_head.mask_decoder.',
    }

    def __init__(self, settings: dict[str, Any]) -> None:
        from official_checkout import OfficialCode

        code = OfficialCode(Path(settings['checkout']), settings['device'])
        self.stand_ins = code.stand_ins
        torch.backends.cudnn.benchmark = code.cfg.CUDNN_BENCHMARK
        torch.set_float32_matmul_precision('high')  # as train_net.py
        self.model = code.build_model(settings['sizes'], settings['weights'], settings['names'])
        self.model.head.load_state_dict(torch.load(settings['decoder'], weights_only=True))
        self.optimizer = code.build_optimizer(self.model)
        self.max_norm = code.cfg.SOLVER.CLIP_GRADIENTS.CLIP_VALUE
        self.precision = contextlib.nullcontext
        if settings['amp']:
            kind = torch.device(settings['device']).type
            self.precision = partial(torch.autocast, kind, torch.bfloat16)
        inputs = torch.load(settings['official_inputs'], weights_only=True)
        self.batch = [
            # Its data loader makes a float image of the strong view.
            {'image': weak, 'image_strong': strong.float(), 'instances': _Instances(masks)}
            for weak, strong, masks in zip(
                inputs['weak'], inputs['strong'], inputs['masks'], strict=True
            )
        ]

    def step(self) -> dict[str, float]:
        """Train on the batch, in the order of detectron2's trainer; return the loss."""
        with self.precision():
            loss = sum(self.model(self.batch).values())
        self.optimizer.zero_grad()
        loss.backward()
        trained = [group['params'][0] for group in self.optimizer.param_groups]
        nn.utils.clip_grad_norm_(trained, self.max_norm)
        self.optimizer.step()
        return {'loss': loss.item()}

    def name(self, name: str) -> str:
        """Return the name of a parameter in this package."""
        for prefix, own in self.NAMES.items():
            if name.startswith(prefix):
                return own + name.removeprefix(prefix)
        return name


class _Instances:
    """Masks ``(N, H, W)`` bool of an image, where the official model looks for them."""

    def __init__(self, masks: Tensor) -> None:
        self.gt_masks = SimpleNamespace(tensor=masks)

    def to(self, device: torch.device) -> '_Instances':
        return _Instances(self.gt_masks.tensor.to(device))


SIDES = {'own': OwnSide, 'official': OfficialSide}


def write_weights(side: OwnSide | OfficialSide, path: Path) -> None:
    """Write the trained weights and those of the teacher, by the names of this package."""
    parameters = {side.name(name): value for name, value in side.model.named_parameters()}
    trained = {name for name, value in parameters.items() if value.requires_grad}
    tensors = {
        name: value.detach().cpu()
        for name, value in parameters.items()
        if name.replace('teacher.module.', 'backbone.') in trained
    }
    torch.save(tensors, path)


def write_gradients(side: OwnSide | OfficialSide, path: Path) -> None:
    """Write the gradients of the trained weights, by the names of this package."""
    tensors = {
        side.name(name): parameter.grad.cpu()
        for name, parameter in side.model.named_parameters()
        if parameter.grad is not None
    }
    torch.save(tensors, path)


def first_step(side: OwnSide | OfficialSide, path: Path) -> dict[str, float]:
    """Train on the batch and write the gradients, after they are clipped."""
    hook = side.optimizer.register_step_pre_hook(lambda *_: write_gradients(side, path))
    figures = side.step()
    hook.remove()
    return figures


def serve(name: str, settings: dict[str, Any], answer: Answer) -> None:
    """Load a side, then run its steps as commanded."""
    memory, device, out = load_peak_memory(), settings['device'], Path(settings['out'])
    on_gpu = device.startswith('cuda')
    resets = on_gpu or can_reset(memory)
    side = SIDES[name](settings)
    figures, _ = measured(memory, lambda: None, device)
    answer({**figures, 'resets': resets, 'stand_ins': getattr(side, 'stand_ins', [])})
    for line in sys.stdin:
        command, _, file = line.strip().partition(' ')
        if command == 'weights':
            write_weights(side, out / f'{name}_{file}.pt')
            answer({})
        elif command == 'first':
            answer(first_step(side, out / f'{name}_{file}.pt'))
        else:
            if on_gpu:
                side.step()  # not measured: allocates the memory that was given back
            figures, results = measured(memory, side.step, device)
            answer({**figures, **results})
        if on_gpu:
            torch.cuda.empty_cache()  # both sides share the GPU


if __name__ == '__main__':
    run_side(SIDES, serve)
