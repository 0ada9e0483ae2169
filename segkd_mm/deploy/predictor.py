"""Label maps of images in Python, from a checkpoint or an exported file: ``segkd_mm.load``."""

import os
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmseg.models.segmentors.base import BaseSegmentor

from segkd_mm.commands import command
from segkd_mm.config import image_pipeline, load_config, plain_student
from segkd_mm.datasets.eight_bits import check_eight_bits, reduces_bits
from segkd_mm.datasets.sample_error import SampleError, named_image_errors, sample_error
from segkd_mm.deploy.image_steps import PACKING, known_loader, known_resize
from segkd_mm.deploy.loading import check_classes, class_names, deployable, load_model
from segkd_mm.deploy.model_folder import (
    WEIGHTS,
    is_model_folder,
    local_model_folder,
    read_model_folder,
)
from segkd_mm.deploy.prediction import without_logits
from segkd_mm.deploy.runtime import ImageSizeError
from segkd_mm.deploy.runtime_segmentor import RuntimeSegmentor
from segkd_mm.formats import is_exported_model

Image = str | os.PathLike | np.ndarray


class Predictor:
    """A segmentor with its test pipeline, which predicts the label maps of images.

    Attributes:
        model: The segmentor, in eval mode.
        classes: Names of the classes; the ids in a label map are their indices.
        palette: Colour of each class, RGB.
    """

    def __init__(
        self,
        model: BaseSegmentor,
        pipeline: Sequence[dict],
        classes: Sequence[str],
        palette: Sequence[Sequence[int]],
    ) -> None:
        self.model = model.eval()
        self.classes = tuple(classes)
        self.palette = [tuple(map(int, colour)) for colour in palette]
        self._pipeline = pipeline

    def predict(self, images: Image | Sequence[Image]) -> np.ndarray | list[np.ndarray]:
        """Predict the label map of an image, or a list of them for a list or tuple of images.

        Args:
            images: A file, or uint8 [H, W, 3], BGR as OpenCV and mmcv read it; if the images are
                loaded by ``LoadBands``, an array [H, W, channels] of any numbers.

        Returns:
            Class ids at the size of the image, uint8 [H, W]; uint16 for more than 256 classes.

        Raises:
            FileNotFoundError: No such file.
            SampleError: The file cannot be decoded, has another number of bands, or more bits than
                its loader keeps; or a .pt2 file does not hold for its size.
            TypeError: An image of another kind, such as one of PIL.
            ValueError: An array of another shape or type.
        """
        if isinstance(images, list | tuple):
            return [self.predict(image) for image in images]
        sample = self._load(images)
        batch = {'inputs': [sample['inputs']], 'data_samples': [sample['data_samples']]}
        try:
            with torch.inference_mode(), without_logits(self.model):
                (result,) = self.model.test_step(batch)
        except ImageSizeError as error:
            raise _wrong_size(images, error.size) from error
        ids = result.pred_sem_seg.data[0].cpu().numpy()
        return ids.astype(np.min_scalar_type(len(self.classes) - 1))

    def _load(self, image: Image) -> dict:
        if isinstance(image, np.ndarray) and self._takes_bands:
            with named_image_errors('the array'):
                return self._of_file({'img': image})
        if isinstance(image, np.ndarray):
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                raise ValueError(
                    f'The image is {image.dtype} {list(image.shape)}, expected uint8 [H, W, 3] in '
                    'the order BGR, as OpenCV and mmcv read images.'
                )
            with named_image_errors('the array'):
                return self._of_array({'img': image})
        if not isinstance(image, str | os.PathLike):
            raise TypeError(
                f'The image is a {type(image).__name__}, expected a file, a uint8 array [H, W, 3] '
                'in the order BGR, or a list of these. Of a PIL image that array is '
                "np.array(image.convert('RGB'))[..., ::-1]."
            )
        with named_image_errors(image):
            if reduces_bits(self._of_file.transforms):
                check_eight_bits(image)
            return self._of_file({'img_path': os.fspath(image)})

    @property
    def _takes_bands(self) -> bool:
        return self._pipeline[0]['type'] == 'LoadBands'

    @cached_property
    def _of_file(self) -> Compose:
        return Compose(self._pipeline)

    @cached_property
    def _of_array(self) -> Compose:
        first, *others = self._pipeline
        return Compose([{**first, 'type': 'LoadImageFromNDArray'}, *others])


def _wrong_size(image: Image, size: tuple[int, int]) -> SampleError:
    """The error of an image, or of a window of it, whose (width, height) the model cannot take."""
    width, height = size
    return sample_error(
        'the array' if isinstance(image, np.ndarray) else image,
        f'{width} x {height} pixels at once', 'a size for which this .pt2 file holds',
        'Enlarge it if it is small, or export the model to another format.',
    )  # fmt: skip


def load(
    model: str | os.PathLike | Config,
    checkpoint: str | os.PathLike | None = None,
    device: str = 'cpu',
) -> Predictor:
    """Load a trained model for prediction, with the same label maps as tools/test.py gives.

    Args:
        model: A config, its file or a name of ``python -m segkd_mm configs``; its test pipeline
            prepares the images. Of a distillation config the student is loaded. Or alone: a
            file of ``segkd export``, which names how images are loaded and resized; or a folder or
            ``hf://OWNER/NAME`` of ``segkd push``, which are read as data.
        checkpoint: The weights of the config's model: what
            :func:`segkd_mm.weights.read_state_dict` reads, or an exported file.
        device: Device of a checkpoint's model; an exported file has that of its runtime.

    Raises:
        FileNotFoundError: No such config or exported file.
        ValueError: A config without a checkpoint, another model with one, an exported file of
            other classes, or a shared folder that is damaged or names other code than registered
            components.
        WeightsError: The checkpoint cannot be read or does not fit (``terms.*`` is ignored).
    """
    init_default_scope('mmseg')
    if not isinstance(model, Config) and is_exported_model(model):
        return _from_exported(model, checkpoint)
    if not isinstance(model, Config) and is_model_folder(model):
        return _from_folder(model, checkpoint, device)
    config = plain_student(model if isinstance(model, Config) else load_config(model))
    if checkpoint is None:
        raise ValueError(
            f'{config.filename} names no weights: give a checkpoint, too, as in '
            "segkd_mm.load(CONFIG, 'best.pth')."
        )
    meta = class_names(config)
    if is_exported_model(checkpoint):
        segmentor = RuntimeSegmentor(os.fspath(checkpoint))
        check_classes(segmentor.runtime, meta['classes'])
    else:
        segmentor = deployable(load_model(config, os.fspath(checkpoint), device))
    return Predictor(segmentor, image_pipeline(config), meta['classes'], meta['palette'])


def _check_alone(model: str | os.PathLike, checkpoint: str | os.PathLike | None) -> None:
    if checkpoint is not None:
        raise ValueError(
            f'{model} holds its weights: leave {checkpoint} out, or give a config in place of '
            f'{model}'
        )


def _from_folder(
    source: str | os.PathLike, checkpoint: str | os.PathLike | None, device: str
) -> Predictor:
    _check_alone(source, checkpoint)
    folder = local_model_folder(source)
    content = read_model_folder(folder)
    config = Config(dict(model=content['model']))
    segmentor = deployable(load_model(config, os.fspath(folder / WEIGHTS), device))
    return Predictor(segmentor, content['pipeline'], content['classes'], content['palette'])


def _from_exported(file: str | os.PathLike, checkpoint: str | os.PathLike | None) -> Predictor:
    _check_alone(file, checkpoint)
    segmentor = RuntimeSegmentor(os.fspath(file))
    metadata = segmentor.runtime.metadata
    try:  # older files name neither
        images = known_loader(metadata.get('loader')), known_resize(metadata.get('resize'))
    except ValueError as error:
        advice = f'Export it again with `{command("export")}`.'
        raise ValueError(f'{file}, its metadata: {error} {advice}') from None
    pipeline = [*filter(None, images), dict(type=PACKING)]
    return Predictor(segmentor, pipeline, metadata['classes'], metadata['palette'])
