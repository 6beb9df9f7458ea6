"""Loading of precomputed dense CLIP features."""

from __future__ import annotations

import io

import mmengine.fileio as fileio
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmseg_langseg.fileio.errors import FeatureFileError, raise_machine_fault


@TRANSFORMS.register_module()
class LoadCLIPFeatures(BaseTransform):
    """Load precomputed dense CLIP features of the whole, unaugmented image.

    They replace the frozen teacher's forward pass. There must be no crop or flip before the views,
    as the features would not match.

    Required keys: ``feature_path`` (.npy).

    Added keys: ``clip_features``, float16 (D, h0, w0).

    Args:
        backend_args: MMEngine file backend.
    """

    def __init__(self, backend_args: dict | None = None) -> None:
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add the features.

        Raises:
            ValueError: The dataset has no feature files.
            FeatureFileError: The file is missing, damaged, or contains something else.
            OSError: Too many files are open or memory is exhausted, which is not this file's fault.
        """
        path = results.get('feature_path')
        if path is None:
            raise ValueError(
                f'the sample of {results.get("img_path")} has no feature file; set '
                "data_prefix=dict(feature_path='folder') of the dataset"
            )
        results['clip_features'] = self._read(path)
        return results

    def _read(self, path: str) -> np.ndarray:
        try:
            content = fileio.get(path, backend_args=self.backend_args)
        except (OSError, ValueError) as error:
            raise_machine_fault(error)
            raise FeatureFileError(f'{path}: features cannot be read ({error})') from error
        try:
            features = np.load(io.BytesIO(content), allow_pickle=False)
        except Exception as error:  # A damaged header fails in many ways.
            raise FeatureFileError(
                f'{path}: features cannot be decoded, perhaps truncated ({error})'
            ) from error
        shape = getattr(features, 'shape', None)
        if shape is None or len(shape) != 3 or features.dtype != np.float16:
            raise FeatureFileError(
                f'{path}: expected one float16 array (D, h, w), got '
                f'{type(features).__name__} of shape {shape}, dtype '
                f'{getattr(features, "dtype", None)}'
            )
        return features

    def __repr__(self) -> str:
        """Return the class name and arguments."""
        return f'{type(self).__name__}(backend_args={self.backend_args})'
