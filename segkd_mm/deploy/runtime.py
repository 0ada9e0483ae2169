"""Runtimes of exported models, such as ONNX Runtime, by the ending of the file."""

import os
import zipfile
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segkd_mm.commands import command
from segkd_mm.deploy.executorch_files import load_executorch, set_threads
from segkd_mm.deploy.program_files import load_program
from segkd_mm.formats import BOUNDS, NOT_RUN, SUFFIXES, endings, files_of, is_exported_model
from segkd_mm.json_files import JsonFileError, parsed_object
from segkd_mm.libraries import import_library
from segkd_mm.normalisation import CHANNELS
from segkd_mm.weights import WeightsError

MEMBER = 'segkd_mm.json'  # of the archive at the end of a .tflite file
METADATA = 'segkd_mm'  # key of the JSON metadata in a file of any format
# The types of what the metadata have, the values of some, and what they cannot lack.
NONE = type(None)
KINDS = {
    'classes': list, 'palette': list, 'mean': (list, NONE), 'std': (list, NONE), 'bgr_to_rgb': bool,
    'test_cfg': (dict, NONE), 'channels': int, 'size': (list, NONE), 'loader': dict,
    'resize': (dict, NONE),
    'align_corners': bool, 'parameters': int, 'config': str, 'checkpoint': str, 'versions': dict,
}  # fmt: skip
ALLOWED = {
    'input': ('normalised', 'image'), 'output': ('logits', 'labels'),
    'input_dtype': ('uint8', 'float32', 'bfloat16', 'float16'),
    'precision': tuple(BOUNDS),
}  # fmt: skip
NEEDED = 'input', 'output', 'precision'
EXTRA = 'deploy'  # of pip install 'segkd_mm[...]'


class ImageSizeError(ValueError):
    """Error of an image of a size that an exported program does not hold for.

    Attributes:
        size: Its (width, height) in pixels.
    """

    def __init__(self, file: str, size: tuple[int, int]) -> None:
        width, height = self.size = size
        super().__init__(
            f'{file} does not hold for images of {width} x {height} pixels. Enlarge them if they '
            'are small, or export to another format.'
        )


class Runtime:
    """Base of exported models that are called on images.

    Attributes:
        path: The file of the model.
        metadata: Written by tools/export.py: ``classes``, ``palette``, ``mean``, ``std``,
            ``bgr_to_rgb``, ``test_cfg`` (of mmseg's preprocessor), ``input`` ('normalised' or
            'image'), ``input_dtype`` ('uint8' or 'float32'), ``channels``, ``loader`` and
            ``resize`` (of images, as in a pipeline), ``output`` ('logits' or 'labels'),
            ``align_corners``, ``precision``, ``size`` (of images, if the file takes one size only),
            ``parameters``, ``config``, ``checkpoint``, ``versions``.
        engine: Description of the runtime, its version and device.
    """

    path: Path
    metadata: dict
    engine: str

    def __call__(self, images: Tensor) -> Tensor:
        """Compute logits or label maps, by ``metadata['output']``.

        Args:
            images: [N, channels, H, W] on any device. If ``metadata['input']`` is 'normalised':
                normalised by the model's preprocessor; if 'image': as ``metadata['loader']`` loads
                them, such as BGR as mmcv and OpenCV read it.

        Returns:
            float32 logits [N, C, h, w] at the model's own stride, or int64 label maps [N, H, W]; on
            the CPU.

        Raises:
            ImageSizeError: A .pt2 file does not hold for this size.
            ValueError: The images have another number of channels, or the file takes 8 bits and
                they have more.
        """
        if images.shape[1] != self.channels:
            raise ValueError(
                f'{self.path} takes images of {self.channels} channels, found {images.shape[1]}.'
            )
        inputs = self._resized(self._cast(images)).contiguous()
        if self.metadata.get('size'):  # then the file takes one image at a time
            output = torch.cat([self._run(image) for image in inputs.split(1)])
        else:
            output = self._run(inputs)
        return _labels_of(output, images) if self.metadata['output'] == 'labels' else output

    @property
    def channels(self) -> int:
        """Number of channels of its images."""
        return self.metadata.get('channels', CHANNELS)  # not in older files

    def _cast(self, images: Tensor) -> Tensor:
        """The images on the CPU in the data type that the file takes."""
        default = 'uint8' if self.metadata['input'] == 'image' else 'float32'
        dtype = getattr(torch, self.metadata.get('input_dtype', default))
        cast = images.to('cpu', dtype)
        # A value above 255 would wrap to another one.
        if dtype == torch.uint8 != images.dtype and not torch.equal(
            cast.float(), images.cpu().float()
        ):
            raise ValueError(
                f'{self.path} takes images of 8 bits, found {images.dtype} from '
                f'{images.float().min():g} to {images.float().max():g}: export it from a config '
                "that loads such images (dict(type='LoadBands', ...)), or without --image-in."
            )
        return cast

    def _resized(self, images: Tensor) -> Tensor:
        """The images at the size that the file takes, if it takes one size only."""
        size = self.metadata.get('size')
        if size is None or list(images.shape[2:]) == size:
            return images
        return F.interpolate(images, size, mode='bilinear', antialias=True)

    def _run(self, images: Tensor) -> Tensor:
        raise NotImplementedError


class ONNXRuntime(Runtime):
    """An .onnx file in ONNX Runtime, on a GPU if that supports one, otherwise on the CPU."""

    def __init__(self, path: Path, threads: int) -> None:
        ort = import_library('onnxruntime', EXTRA)
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        available = ort.get_available_providers()
        providers = ['CUDAExecutionProvider', 'CPUExecutionProvider']
        providers = [provider for provider in providers if provider in available]
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
    """The only ``openvino.Core`` of this process, shared by all its users.

    A core sets a stack for signal handlers and restores the previous one when it is deleted. With
    several cores, the last one restores a stack that is already freed, and the next signal, such as
    the exit of a data loader worker, ends the process without a message (OpenVINO 2026.4).
    """
    return import_library('openvino', EXTRA).Core()


class OpenVINO(Runtime):
    """An .xml file with its .bin in OpenVINO on the CPU; bf16 unless exported as fp32."""

    def __init__(self, path: Path, threads: int) -> None:
        core = openvino_core()
        model = core.read_model(path)
        has_metadata = model.has_rt_info(METADATA)
        self.path = path
        text = model.get_rt_info(METADATA).astype(str) if has_metadata else None
        self.metadata = _metadata(path, text)
        # Without the hint OpenVINO uses bf16 if the processor supports it. For int8 it applies to
        # the layers that stay in float.
        hint = 'f32' if self.metadata['precision'] == 'fp32' else 'bf16'
        options = {
            'INFERENCE_PRECISION_HINT': hint,
            'INFERENCE_NUM_THREADS': threads,
            'NUM_STREAMS': 1,
        }
        self._compiled = core.compile_model(model, 'CPU', options)
        floats = self._compiled.get_property('INFERENCE_PRECISION_HINT').to_string()
        version = import_library('openvino', EXTRA).__version__.split('-')[0]
        self.engine = f'OpenVINO {version}, CPU, floats as {floats}'

    def _run(self, images: Tensor) -> Tensor:
        outputs = self._compiled({0: images.numpy()}, share_inputs=True)
        return torch.from_numpy(outputs[0])


class NCNN(Runtime):
    """A .ncnn.param file with its .ncnn.bin in ncnn on the CPU, one image after the other."""

    def __init__(self, path: Path, threads: int) -> None:
        ncnn = import_library('ncnn', EXTRA)
        lines = path.read_text(encoding='utf-8').splitlines()
        texts = [line[len(METADATA) :] for line in lines if line.startswith(f'{METADATA} ')]
        self.path = path
        self.metadata = _metadata(path, texts[-1] if texts else None)
        self._net, is_half = ncnn.Net(), self.metadata['precision'] == 'fp16'
        self._net.opt.num_threads = threads
        for option in ('use_fp16_packed', 'use_fp16_storage', 'use_fp16_arithmetic'):
            setattr(self._net.opt, option, is_half)
        loaders = self._net.load_param, self._net.load_model
        for load, file in zip(loaders, files_of(path), strict=True):
            if load(str(file)):
                raise ValueError(f'ncnn cannot read {file.name}')
        self._mat = ncnn.Mat
        self.engine = f'ncnn {ncnn.__version__}, CPU, {"fp16 if it has it" if is_half else "fp32"}'

    def _run(self, images: Tensor) -> Tensor:
        return torch.stack([self._logits(image) for image in images])

    def _logits(self, image: Tensor) -> Tensor:
        extractor = self._net.create_extractor()
        # A Mat of an array has no memory of its own.
        extractor.input('in0', self._mat(image.numpy()).clone())
        failed, output = extractor.extract('out0')
        if failed:
            raise RuntimeError(f'{self.path}: ncnn failed with code {failed} (out of memory?).')
        return torch.from_numpy(np.array(output))


class LiteRT(Runtime):
    """A .tflite file in LiteRT on the CPU, for images of one size."""

    def __init__(self, path: Path, threads: int) -> None:
        name = 'ai_edge_litert.interpreter'
        interpreter = import_library(name, 'litert').Interpreter(str(path), num_threads=threads)
        with zipfile.ZipFile(path) as file:
            self.metadata = _metadata(path, file.read(MEMBER).decode())
        interpreter.allocate_tensors()
        self.path = path
        self._interpreter = interpreter
        self._input = interpreter.get_input_details()[0]['index']
        self._output = interpreter.get_output_details()[0]['index']
        self.engine = f'LiteRT {version("ai-edge-litert")}, CPU'

    def _run(self, image: Tensor) -> Tensor:
        self._interpreter.set_tensor(self._input, image.numpy())
        self._interpreter.invoke()
        return torch.from_numpy(self._interpreter.get_tensor(self._output))


class ExecuTorch(Runtime):
    """A .pte file in ExecuTorch on the CPU, for images of one size.

    All in a process share one pool of threads: their number is that of the first.
    """

    threads: ClassVar[int] = 0

    def __init__(self, path: Path, threads: int) -> None:
        if not ExecuTorch.threads:
            set_threads(threads)
            ExecuTorch.threads = threads
        self._program = load_executorch(path)  # which holds the memory of its methods
        has_metadata = METADATA in self._program.method_names
        text = self._program.load_method(METADATA).execute([])[0] if has_metadata else None
        self.path = path
        self.metadata = _metadata(path, text)
        self._method = self._program.load_method('forward')
        name = f'ExecuTorch {version("executorch")}, XNNPACK'
        self.engine = f'{name}, CPU, threads: {ExecuTorch.threads}'

    def _run(self, image: Tensor) -> Tensor:
        return self._method.execute([image])[0]


class TorchExport(Runtime):
    """A .pt2 file of torch.export, on the CPU."""

    def __init__(self, path: Path, threads: int | None) -> None:
        if threads:
            torch.set_num_threads(threads)
        extra = {METADATA: ''}
        program = load_program(path, extra)
        self.path = path
        self.metadata = _metadata(path, extra[METADATA])
        self._program = program.module()
        self.engine = f'torch {torch.__version__}, CPU'

    @torch.no_grad()
    def _run(self, images: Tensor) -> Tensor:
        try:
            return self._program(images)
        except (AssertionError, RuntimeError) as error:
            # The program has other operations where a feature map is a single cell; and with
            # align_corners it holds for one size alone.
            if not str(error).startswith(('Guard failed', 'Expected input at')):
                raise
            height, width = images.shape[2:]
            raise ImageSizeError(self.path.name, (width, height)) from error


def load_runtime(path: str | os.PathLike, threads: int | None = None) -> Runtime:
    """Load a model that tools/export.py wrote.

    Args:
        path: A file with an ending of ``SUFFIXES``; .xml and .ncnn.param with their .bin beside.
        threads: Number of threads. By default 1, since several thread pools in a process, such as
            torch's, slow each other down; for a .pt2 file torch's setting is kept, and for a .pte
            file that of the first one in this process.

    Raises:
        FileNotFoundError: The file does not exist.
        ImportError: Its runtime is not installed.
        ValueError: Another ending, a format that does not run here, or a file that is not from
            tools/export.py.
    """
    path = Path(path)
    if not is_exported_model(path):
        raise ValueError(f'{path} is no exported model; expected a name that ends in {endings()}.')
    if path.suffix in (SUFFIXES[to] for to in NOT_RUN):
        raise ValueError(
            f'{path} runs on Apple devices alone: give the checkpoint, or a file of another format.'
        )
    if not path.is_file():
        raise FileNotFoundError(f'No exported model at {path} (looked in {Path.cwd()}).')
    try:
        if path.suffix == '.pt2':
            return TorchExport(path, threads)
        return _RUNTIMES[path.suffix](path, threads or 1)
    except (ImportError, JsonFileError, OSError, WeightsError):
        raise
    except Exception as error:  # each library has errors of its own
        beside = ', or its .bin beside it is missing or damaged' * (len(files_of(path)) > 1)
        raise ValueError(
            f'{path} cannot be loaded: it is no {path.suffix} file of `{command("export")}` or is '
            f'damaged{beside} ({_last_line(error)}). Export it again, or copy it again.'
        ) from error


_RUNTIMES = {
    '.onnx': ONNXRuntime, '.xml': OpenVINO, '.param': NCNN, '.tflite': LiteRT, '.pte': ExecuTorch,
}  # fmt: skip


def _labels_of(labels: Tensor, images: Tensor) -> Tensor:
    """Label maps at the size of the images, which a file of one size gives at its own."""
    if labels.shape[1:] == images.shape[2:]:
        return labels.long()
    resized = F.interpolate(labels[:, None].float(), images.shape[2:], mode='nearest-exact')
    return resized[:, 0].long()


def _metadata(path: Path, text: str | None) -> dict:
    advice = f'Export it again with `{command("export")}`.'
    if not text:
        raise JsonFileError(
            f'{path} has no metadata of segkd_mm; export it with `{command("export")}`.'
        )
    metadata = parsed_object(text, f'{path}, its metadata', advice)
    metadata.check(KINDS)
    for key, allowed in ALLOWED.items():
        if metadata.get(key, allowed[0]) not in allowed:
            raise JsonFileError(
                f'{path}, its metadata: found {key}={metadata[key]!r:.60}, expected one of '
                f'{allowed}. {advice}'
            )
    for key in NEEDED:
        _ = metadata[key]  # which names it where it is missing
    return metadata


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f'{type(error).__name__}: {lines[-1].strip()[:200]}' if lines else type(error).__name__
