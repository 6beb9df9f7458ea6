"""Model and optimizer of the official PixelCLIP, built with the code of a checkout."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
import yaml
from official_stand_ins import provide_stand_ins
from torch import Tensor, nn

CONFIG = 'configs/pixelclip_vit_base.yaml'


class OfficialCode:
    """The official code, imported without registering its datasets, and its ViT-B/16 config.

    The code is not changed, except for this process: tensors go to ``device`` where it says
    ``cuda()``, and CLIP's weights are read from a file instead of being downloaded.

    Args:
        checkout: Folder of the checkout.
        device: Device of the model.

    Attributes:
        cfg: Its config; sections and values are attributes.
        stand_ins: Libraries that are not installed, see ``official_stand_ins.py``.
    """

    def __init__(self, checkout: Path, device: str) -> None:
        self.device = torch.device(device)
        self.stand_ins = provide_stand_ins()
        package = sys.modules['pixelclip'] = ModuleType('pixelclip')
        package.__path__ = [str(checkout / 'pixelclip')]
        Tensor.cuda = lambda tensor, *args, **kwargs: tensor.to(self.device)
        self.cfg = _read_config(checkout)

    def build_model(self, sizes: dict[str, int], weights: str, names: str) -> nn.Module:
        """Build the model for training.

        Args:
            sizes: ``clusters``, ``input`` and ``masks``, the sides of the CLIP input and the masks.
            weights: Weights of CLIP, a state dict in OpenAI's format.
            names: JSON file of class names, of which the constructor encodes the texts.
        """
        from pixelclip.modeling.heads.pixelclip_head import PixelCLIPHead
        from pixelclip.modeling.transformer.pixelclip_predictor import PixelCLIPPredictor
        from pixelclip.pixelclip import PixelCLIP
        from pixelclip.third_party import clip

        cfg = self.cfg.MODEL
        clip.load = lambda *args, **kwargs: (
            clip.build_model(torch.load(weights, weights_only=True)).to(self.device),
            None,
        )
        predictor = PixelCLIPPredictor(
            train_class_json=names,
            test_class_json=names,
            clip_pretrained=cfg.SEM_SEG_HEAD.CLIP_PRETRAINED,
            prompt_ensemble_type=cfg.PROMPT_ENSEMBLE_TYPE,
            prompt_length=cfg.SEM_SEG_HEAD.PROMPT_LENGTH,
            num_classes=sizes['clusters'],
        )
        head = PixelCLIPHead(
            num_classes=sizes['clusters'],
            ignore_value=cfg.SEM_SEG_HEAD.IGNORE_VALUE,
            transformer_predictor=predictor,
        )
        model = PixelCLIP(
            sem_seg_head=head,
            pixel_mean=cfg.PIXEL_MEAN,
            pixel_std=cfg.PIXEL_STD,
            clip_pixel_mean=cfg.CLIP_PIXEL_MEAN,
            clip_pixel_std=cfg.CLIP_PIXEL_STD,
            clip_finetune=cfg.SEM_SEG_HEAD.CLIP_FINETUNE,
            eps=cfg.EPS,
            dino=cfg.DINO,
            max_masks=cfg.MAX_MASKS,
            clip_resolution=(sizes['input'],) * 2,
            mask_resolution=(sizes['masks'],) * 2,
        )
        return model.to(self.device).train()

    def build_optimizer(self, model: nn.Module) -> torch.optim.AdamW:
        """Build the optimizer with the settings of ``train_net.py``: a group for each parameter.

        ``train_net.py`` itself imports much of detectron2. Its rules for towers, embeddings and
        normalizations that the ViT model does not train are left out.
        """
        cfg = self.cfg.SOLVER
        groups = []
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            factor = 1.0
            if 'clip_model' in name:
                factor = cfg.CLIP_MULTIPLIER
            elif name.endswith('prompt_tokens'):
                factor = cfg.PROMPT_MULTIPLIER
            module = model.get_submodule(name.rpartition('.')[0])
            decay = 0.0 if isinstance(module, nn.GroupNorm | nn.LayerNorm) else cfg.WEIGHT_DECAY
            groups.append(
                {'params': [parameter], 'lr': cfg.BASE_LR * factor, 'weight_decay': decay}
            )
        return torch.optim.AdamW(groups, cfg.BASE_LR)


def _read_config(checkout: Path) -> SimpleNamespace:
    """Read the ViT-B/16 config over the defaults of the checkout."""
    from pixelclip.config import add_pixelclip_config

    empty = {'DATASETS': {}, 'INPUT': {'CROP': {}}, 'MODEL': {'SEM_SEG_HEAD': {}}, 'SOLVER': {}}
    cfg = _sections(empty)
    add_pixelclip_config(cfg)
    _merge(cfg, yaml.safe_load((checkout / CONFIG).read_text()))
    return cfg


def _sections(content: dict[str, Any]) -> SimpleNamespace:
    """Return nested dicts as objects with attributes."""
    return json.loads(json.dumps(content), object_hook=lambda section: SimpleNamespace(**section))


def _merge(cfg: SimpleNamespace, content: dict[str, Any]) -> None:
    """Override values of a config, section by section."""
    for key, value in content.items():
        if isinstance(value, dict) and hasattr(cfg, key):
            _merge(getattr(cfg, key), value)
        else:
            setattr(cfg, key, _sections(value) if isinstance(value, dict) else value)
