"""What runs an exported model: ONNX Runtime, OpenVINO or torch, by the ending of its file."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segkd_mm.segmentors.libraries import library

# The key of the metadata, JSON, in whatever a format has for such.
METADATA = 'segkd_mm'
EXTRA = 'deploy'


class Runtime:
    """An exported model.

    Attributes:
        path: Its file.
        metadata: What tools/export.py wrote into it: ``classes``, ``palette``, ``mean``, ``std``,
            ``bgr_to_rgb``, ``test_cfg`` (of mmseg's preprocessor), ``input`` ('normalised' or
            'image'), ``output`` ('logits' or 'labels'), ``align_corners``, ``precision``,
            ``parameters``, ``config``, ``checkpoint``, ``versions``.
        engine: What runs it, on what and how, in words.
    """

    path: Path
    metadata: dict
    engine: str

    def __call__(self, images: Tensor) -> Tensor:
        """Logits or labels, by ``metadata['output']``.

        Args:
            images: [N, 3, H, W] on any device; where the input is 'normalised', float32 as the
                model's preprocessor gives them; where it is 'image', uint8 in the order of channels
                that mmcv and OpenCV read, BGR.

        Returns:
            On the CPU: float32 logits [N, C, h, w] at the model's own stride, or int64 labels
            [N, H, W].
        """
        kind = torch.uint8 if self.metadata['input'] == 'image' else torch.float32
        found = self._run(images.to('cpu', kind).contiguous())
        return found.long() if self.metadata['output'] == 'labels' else found

    def _run(self, images: Tensor) -> Tensor:
        raise NotImplementedError


class ONNXRuntime(Runtime):
    """An .onnx file, on a GPU where ONNX Runtime has one, else on the CPU."""

    def __init__(self, path: Path, threads: int) -> None:
        ort = library('onnxruntime', EXTRA)
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        here = ort.get_available_providers()
        providers = ['CUDAExecutionProvider', 'CPUExecutionProvider']
        providers = [provider for provider in providers if provider in here]
        self.path = path
        self._session = ort.InferenceSession(path, options, providers)
        properties = self._session.get_modelmeta().custom_metadata_map
        self.metadata = _metadata(path, properties.get(METADATA))
        self.engine = f'ONNX Runtime {ort.__version__}, {self._session.get_providers()[0]}'
        self._input = self._session.get_inputs()[0].name

    def _run(self, images: Tensor) -> Tensor:
        return torch.from_numpy(self._session.run(None, {self._input: images.numpy()})[0])


@cache
def openvino_core() -> Any:
    """The one ``openvino.Core`` of this process; everything of ours takes it.

    A core gives the process a stack for its signals, and takes it away as it goes. Of several the
    last to go puts back one that is freed by then, and the next signal, such as that a worker of a
    data loader has ended, ends the process without a word (seen with OpenVINO 2026.4).
    """
    return library('openvino', EXTRA).Core()


class OpenVINO(Runtime):
    """An .xml file with its .bin, on the CPU; in bf16 unless the metadata say fp32."""

    def __init__(self, path: Path, threads: int) -> None:
        core = openvino_core()
        model = core.read_model(path)
        has = model.has_rt_info(METADATA)
        self.path = path
        self.metadata = _metadata(path, model.get_rt_info(METADATA).astype(str) if has else None)
        # Without the hint OpenVINO takes bf16 wherever the processor has it. Of int8 it is for the
        # layers that stay in float.
        hint = 'f32' if self.metadata['precision'] == 'fp32' else 'bf16'
        options = {
            'INFERENCE_PRECISION_HINT': hint,
            'INFERENCE_NUM_THREADS': threads,
            'NUM_STREAMS': 1,
        }
        self._compiled = core.compile_model(model, 'CPU', options)
        floats = self._compiled.get_property('INFERENCE_PRECISION_HINT').to_string()
        version = library('openvino', EXTRA).__version__.split('-')[0]
        self.engine = f'OpenVINO {version}, CPU, floats as {floats}'

    def _run(self, images: Tensor) -> Tensor:
        found = self._compiled({0: images.numpy()}, share_inputs=True)
        return torch.from_numpy(found[0])


class TorchExport(Runtime):
    """A .pt2 file of torch.export, on the CPU."""

    def __init__(self, path: Path, threads: int | None) -> None:
        if threads:
            torch.set_num_threads(threads)
        extra = {METADATA: ''}
        program = torch.export.load(path, extra_files=extra)
        self.path = path
        self.metadata = _metadata(path, extra[METADATA])
        self._program = program.module()
        self.engine = f'torch {torch.__version__}, CPU'

    @torch.no_grad()
    def _run(self, images: Tensor) -> Tensor:
        return self._program(images)


def load_runtime(path: str | os.PathLike, threads: int | None = None) -> Runtime:
    """Load what tools/export.py wrote.

    Args:
        path: A file that ends in .onnx, .xml (its .bin beside it) or .pt2.
        threads: Of ONNX Runtime and OpenVINO, 1 unless said otherwise: pools of several threads get
            in each other's way when a process has several, torch's among them. Of a .pt2, torch's
            own, which are left alone unless said otherwise.

    Raises:
        FileNotFoundError: No such file.
        ImportError: Its runtime is not installed.
        ValueError: Another ending, or not from tools/export.py.
    """
    path = Path(path)
    if not is_artefact(path):
        raise ValueError(f'{path} is no exported model; expected an ending of {_endings()}')
    if not path.is_file():
        raise FileNotFoundError(f'No exported model at {path} (looked in {Path.cwd()})')
    if path.suffix == '.pt2':
        return TorchExport(path, threads)
    return _RUNTIMES[path.suffix](path, threads or 1)


def is_artefact(path: str | os.PathLike) -> bool:
    """Whether the name is that of an exported model."""
    return Path(path).suffix in _RUNTIMES


_RUNTIMES = {'.onnx': ONNXRuntime, '.xml': OpenVINO, '.pt2': TorchExport}


def _endings() -> str:
    return ', '.join(_RUNTIMES)


def _metadata(path: Path, text: str | None) -> dict:
    if not text:
        raise ValueError(f'{path} has no metadata of segkd_mm; write it by tools/export.py')
    return json.loads(text)
