"""Options of a test that apply to any config, benchmark and protocol."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

from mmengine.config import Config

from .test_changes import GROUND_TRUTH, add_metric, classified_masks, use_corruption, use_masks


@dataclass(frozen=True)
class EvaluationOptions:
    """Options of a test.

    Attributes:
        masks: Classify these masks instead of pixels: ``'ground_truth'``, or a folder of
            SA-1B-style mask files, see ``use_masks``.
        boundary_iou: Also compute the Boundary IoU, see ``BoundaryIoUMetric``.
        corruption: Corrupt the images, e.g. by ``'fog'``, see ``Corrupt``.
        severity: Severity of the corruption, 1 to 5.

    Raises:
        ValueError: Only one of ``corruption`` and ``severity`` is given.
    """

    masks: str | None = None
    boundary_iou: bool = False
    corruption: str | None = None
    severity: int | None = None

    def __post_init__(self) -> None:
        if (self.corruption is None) != (self.severity is None):
            raise ValueError(
                f'--corruption is {self.corruption} and --severity {self.severity}: give both, '
                'e.g. --corruption fog --severity 3.'
            )

    @classmethod
    def from_arguments(cls, args: argparse.Namespace) -> EvaluationOptions:
        """Read the parsed options of a command."""
        return cls(args.masks, args.boundary_iou, args.corruption, args.severity)

    def with_masks_of(self, cfg: Config) -> EvaluationOptions:
        """Return these options with the masks of a config, unless they name others.

        Another benchmark replaces the test pipeline of the config, and so its masks.
        """
        return self if self.masks is not None else replace(self, masks=classified_masks(cfg))

    def apply(self, cfg: Config) -> None:
        """Change how a config tests, in place.

        Raises:
            FileNotFoundError: The folder of masks does not exist.
            ValueError: An option does not fit the config.
        """
        if self.masks is not None:
            use_masks(cfg, self.masks)
        if self.boundary_iou:
            add_metric(cfg, 'BoundaryIoUMetric')
        if self.corruption is not None:
            use_corruption(cfg, self.corruption, self.severity)


def add_evaluation_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of :class:`EvaluationOptions` to a command."""
    parser.add_argument(
        '--masks',
        metavar='SOURCE',
        help=f'classify masks instead of pixels: "{GROUND_TRUTH}" for the segments of the label '
        'maps, or a folder of SA-1B-style mask files in the folder tree of the images',
    )
    parser.add_argument('--boundary-iou', action='store_true', help='also compute the Boundary IoU')
    parser.add_argument(
        '--corruption',
        metavar='NAME',
        help='corrupt the images, e.g. by gaussian_noise, motion_blur, fog or jpeg_compression '
        '(ImageNet-C; needs the extra "corruptions")',
    )
    parser.add_argument(
        '--severity', type=int, choices=range(1, 6), help='severity of the corruption'
    )
