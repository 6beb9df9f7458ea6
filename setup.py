"""Packaging of mmseg_langseg.

MMSegmentation, MMEngine and MMCV exist as two sets of distributions with the same import names.
Requiring one set would break the other, so the base requires neither: the extras do.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent

BASE = [
    'filelock>=3.10',
    'numpy>=1.26',
    'open_clip_torch>=2.24',
    'opencv-python>=4.8',
    'pillow>=10.1',
    'pycocotools>=2.0.7',
    'scikit-image>=0.22',
    'scipy>=1.11',
    'timm>=1.0.9',
    'torch>=2.1',
    'torchvision>=0.16',
    'tqdm>=4.60',
]

EXTRAS = {
    # The default stack: current torch, no compiled mmcv operators needed. Both stacks include
    # MMPretrain for its self-supervised backbones; this package itself does not import it.
    'maintained': [
        'onedl-mmcv>=2.3.6,<2.4',
        'onedl-mmengine>=0.10.12,<0.11',
        'onedl-mmpretrain>=1.3.0,<1.4',
        'onedl-mmsegmentation>=1.4.2,<1.5',
    ],
    # mmengine 0.10.7 cannot read its own checkpoints on torch 2.6 and later; mmcv 2.1.0 needs
    # pkg_resources, which setuptools 81 removed.
    'classic': [
        'mmcv==2.1.0',
        'mmengine==0.10.7',
        'mmpretrain==1.2.0',
        'mmsegmentation==1.2.2',
        'setuptools<81',
        'torch>=2.1,<2.6',
        'torchvision>=0.16,<0.21',
    ],
    'tests': [
        'codespell==2.4.3',
        'hypothesis>=6.100',
        'pytest>=7.4',
        'pytest-xdist>=3.5',
        'rasterio>=1.3',
        'ruff==0.17.6',
        'segment-anything>=1.0',
    ],
    'geo': ['rasterio>=1.3'],
    'sam': ['segment-anything>=1.0'],
}


def read_version() -> str:
    """Return the version without importing the package, which needs its dependencies."""
    text = (ROOT / 'mmseg_langseg' / 'version.py').read_text(encoding='utf-8')
    return re.search(r"__version__ = '([^']+)'", text).group(1)


setup(
    name='mmseg_langseg',
    version=read_version(),
    description='Language-driven segmentation without labels for MMSegmentation',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmseg_langseg', 'mmseg_langseg.*']),
    package_data={'mmseg_langseg': ['synthetic/assets/*', 'vocabularies/*.json']},
    python_requires='>=3.10',
    install_requires=BASE,
    extras_require=EXTRAS,
    entry_points={'console_scripts': ['langseg = mmseg_langseg.cli:main']},
    classifiers=[
        'Intended Audience :: Science/Research',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
)
