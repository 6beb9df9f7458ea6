"""Packaging of mmseg_langseg.

MMSegmentation, MMEngine and MMCV exist as two sets of distributions with the same import names.
Requiring one set would break the other, so the base requires neither: the extras do.
"""

import re
import shutil
import tempfile
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent

# Copied into mmseg_langseg/.mim of a wheel, where mim and MMEngine look for them; in a checkout,
# mmseg_langseg/apis/resources.py finds the originals. MANIFEST.in lists the same for the sdist.
RESOURCES = {
    'configs': ('.md', '.py', '.yml'),
    'tools': ('.py', '.sh'),
    'demo': ('.ipynb', '.py'),
    'docs': ('.json', '.md'),
}
INDEX = 'model-index.yml'

BASE = [
    'filelock>=3.10',
    'numpy>=1.26',
    # 3.2 is the first with all models of docs/image_text_models.md; 4 will have another API.
    'open_clip_torch>=3.2,<4',
    'opencv-python>=4.8',
    'packaging>=22',
    'pillow>=10.1',
    'pycocotools>=2.0.7',
    'scikit-image>=0.22',
    'scipy>=1.11',
    # Before 1.0.25, its import prints a warning of torch 2.14.
    'timm>=1.0.25',
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
    # t-SNE of tools/analysis_tools/plot_class_prompts.py. UMAP would add numba and LLVM.
    'analysis': ['scikit-learn>=1.3', 'threadpoolctl>=3.1'],
    'tests': [
        'codespell==2.4.3',
        'gradio>=6.31,<7',
        'hypothesis>=6.100',
        'imagecorruptions-imaug>=1.1.4,<2',
        'onnx>=1.16',
        'onnxruntime>=1.19',
        'playwright>=1.50',
        'pytest>=7.4',
        'pytest-xdist>=3.5',
        'rasterio>=1.3',
        'ruff==0.17.6',
        'scikit-learn>=1.3',
        'segment-anything>=1.0',
        'setuptools>=70.1',  # builds wheels without another package
        'threadpoolctl>=3.1',
    ],
    # Tars in remote storage: S3 and Google Cloud; other services need another package of fsspec's.
    'cloud': ['fsspec>=2024.2', 'gcsfs>=2024.2', 's3fs>=2024.2'],
    # The maintained fork of imagecorruptions, which fails with numpy 2 and current scikit-image.
    'corruptions': ['imagecorruptions-imaug>=1.1.4,<2'],
    'docs': ['furo>=2025.7', 'myst-nb>=1.3', 'sphinx>=8.1'],
    'geo': ['rasterio>=1.3'],
    'onnx': ['onnx>=1.16', 'onnxruntime>=1.19'],
    'ray': ['ray>=2.60,<3'],
    'sam': ['segment-anything>=1.0'],
    # Tokenizers of SigLIP and others, and text towers of Hugging Face.
    'transformers': ['transformers>=4.48'],
    'web': ['gradio>=6.31,<7'],
}


def read_version() -> str:
    """Return the version without importing the package, which needs its dependencies."""
    text = (ROOT / 'mmseg_langseg' / 'version.py').read_text(encoding='utf-8')
    return re.search(r"__version__ = '([^']+)'", text).group(1)


def resource_files() -> list[Path]:
    """Return the files for ``mmseg_langseg/.mim``, relative to this folder."""
    files = [
        path.relative_to(ROOT)
        for folder, suffixes in RESOURCES.items()
        for path in sorted((ROOT / folder).rglob('*'))
        if path.suffix in suffixes and path.is_file()
    ]
    return [Path(INDEX), *(f for f in files if not any(p.startswith('.') for p in f.parts))]


class BuildWithResources(build_py):
    """Build the package, with configs, tools, demo and docs unless the install is editable."""

    def run(self) -> None:
        """Copy the modules and the resources into the build folder."""
        super().run()
        if getattr(self, 'editable_mode', False):
            return
        target = Path(self.build_lib, 'mmseg_langseg', '.mim')
        for file in resource_files():
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, target / file)  # with its mode


# A build leaves nothing in the checkout, and finds no files of an earlier one there.
with tempfile.TemporaryDirectory(prefix='mmseg_langseg_build_') as scratch:
    setup(
        name='mmseg_langseg',
        version=read_version(),
        description='Language-driven segmentation without labels for MMSegmentation',
        long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
        long_description_content_type='text/markdown',
        license='Apache-2.0',
        packages=find_packages(include=['mmseg_langseg', 'mmseg_langseg.*']),
        package_data={'mmseg_langseg': ['py.typed', 'synthetic/assets/*', 'vocabularies/*.json']},
        cmdclass={'build_py': BuildWithResources},
        options={'build': {'build_base': scratch}, 'egg_info': {'egg_base': scratch}},
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
