"""Packaging of segkd_mm: the library, and with it the configs and the command-line tools."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = (HERE / 'segkd_mm' / 'version.py').read_text(encoding='utf-8').split("'")[1]

TRANSFORMERS = ['transformers>=5']
SMP = ['segmentation_models_pytorch>=0.6']
DEPLOY = [
    'onnx>=1.17',
    'onnxscript>=0.5',
    'onnxruntime>=1.20',
    'openvino>=2025.0',
    'nncf>=2.14',
    'ncnn>=1.0.20250503',
    'pnnx>=20250503',
]
# They pin torch below 2.15 and bring jax: for an environment of their own.
LITERT = ['litert-torch>=0.10', 'ai-edge-litert>=2.0']
# Tried with torch 2.14. It brings coremltools.
EXECUTORCH = ['executorch>=1.5.1']
COREML = ['coremltools>=9.0']
PRUNE = ['torch-pruning>=1.6']
# Any one of them will do: `segkd train --tracker NAME`.
TRACKERS = ['tensorboard>=2.14', 'wandb>=0.18', 'mlflow>=2.16']
# For --copy-to s3://... and gs://...; they pin one version of fsspec.
STORES = ['s3fs>=2024.6', 'gcsfs>=2024.6']
LARGE = ['rasterio>=1.3']
COMPLETION = ['shtab>=1.7']
SERVE = ['fastapi>=0.110', 'uvicorn>=0.29', 'python-multipart>=0.0.12', 'prometheus-client>=0.17']
# The site, from Python 3.11 on: an older mkdocstrings does not go with a new pymdown-extensions.
# mkdocs stays below 2 by mkdocs-material's own bound. ruff wraps the signatures.
DOCS = ['mkdocs-material>=9.8', 'mkdocstrings[python]>=1.0.8', 'ruff>=0.9']

setup(
    name='segkd_mm',
    version=VERSION,
    description='Knowledge distillation of small, fast semantic-segmentation models for mmseg',
    long_description=(HERE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='The segkd_mm developers',
    license='Apache-2.0',
    python_requires='>=3.10',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    keywords='semantic segmentation, knowledge distillation, mmsegmentation, MobileNetV3',
    # The configs and tools live at the top level of the repository and travel in the wheel as
    packages=[*find_packages(include=['segkd_mm', 'segkd_mm.*']), 'segkd_mm.tools'],
    package_dir={'segkd_mm.tools': 'tools'},
    package_data={
        'segkd_mm': [
            'scaffold/*.json',
            'deploy/demo/page/*',
            'visualize/report/page/*',
            'datasets/splits/*.txt',
            'datasets/splits/*/*.txt',
            '.mim/model-index.yml',
            '.mim/configs/*.md',
            '.mim/configs/*.yml',
            '.mim/configs/**/*.py',
        ],
    },
    install_requires=[
        'torch>=2.6',
        'torchvision>=0.21',
        'timm>=1.0',
        'onedl-mmengine>=0.10.12',
        'onedl-mmcv>=2.3.6',
        'onedl-mmsegmentation>=1.4.2',
        'filelock>=3.12',
        'fsspec>=2024.2',
        'huggingface_hub>=0.25',
        'jinja2>=3.1',
        'matplotlib>=3.8',
        'pycocotools>=2.0.8',
        'rich>=13',
        'scipy>=1.10',
    ],
    entry_points={'console_scripts': ['segkd = segkd_mm.cli.main:main']},
    extras_require={
        'completion': COMPLETION,
        'transformers': TRANSFORMERS,
        'smp': SMP,
        'deploy': DEPLOY,
        'docs': DOCS,
        'litert': LITERT,
        'executorch': EXECUTORCH,
        'coreml': COREML,
        'large': LARGE,
        'prune': PRUNE,
        'stores': STORES,
        'serve': SERVE,
        'trackers': TRACKERS,
        'test': [
            *TRANSFORMERS,
            *SMP,
            *DEPLOY,
            *LARGE,
            *PRUNE,
            *COMPLETION,
            *SERVE,
            TRACKERS[0],
            'httpx2>=2',  # of FastAPI's test client
            'hypothesis>=6.100',
            'pytest>=8',
            'pytest-xdist>=3.6',
            'ruff>=0.9',
            'pre-commit>=4',
        ],
    },
)
