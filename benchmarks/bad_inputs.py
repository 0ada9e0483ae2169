"""Commands that get bad input, in this process: each must say what is wrong, or go on rightly.

Example:
  python benchmarks/bad_inputs.py --out results/reliability/bad_inputs.json

A case is a change to a small experiment in a folder of its own, a command that meets it, and what
the command must say. A case passes if the command ends with the exit code and the message expected,
without a traceback; where the exit code is 0, the input is right or the message is a warning.
"""

import io
import json
import logging
import math
import os
import pickle
import re
import shlex
import shutil
import signal
import struct
import sys
import time
import traceback
import warnings
import zlib
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch
from zlib import crc32

import cv2
import numpy as np
import torch
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import init_default_scope
from mmengine.visualization import Visualizer
from mmseg.registry import MODELS
from mmseg.visualization import SegLocalVisualizer
from PIL import Image
from safetensors.torch import load_file, save_file

from segkd_mm.cli.main import main as segkd
from segkd_mm.config import config_dir, load_config
from segkd_mm.datasets.orientation import orientation_of
from segkd_mm.results.files import write_result
from segkd_mm.whole_image import store

SIDE, IMAGES = 32, 4
LIMIT = 60  # seconds for a command
SHOWN = 170  # characters of a message in the result
EXPERIMENT = """
_base_ = {base!r}
classes = ('road', 'car', 'tree')
data = dict(type='FolderDataset', images='images', masks='masks', classes=classes)
quick = dict(num_workers=0, persistent_workers=False)
crop = dict(type='RandomResizeCropFlip', crop_size=(32, 32), scale=(32, 32), ratio_range=(1, 1))
pipeline = [*_base_.load_seeded, crop, *_base_.distort_and_pack]
train_dataloader = dict(batch_size=2, dataset=dict(**data, pipeline=pipeline), **quick)
val_dataloader = dict(dataset=dict(**data, pipeline=_base_.test_pipeline), **quick)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=1, val_interval=1)
param_scheduler = dict(end=1)
log_level = 'WARNING'
# mmengine keeps state by this name.
experiment_name = __import__('uuid').uuid4().hex
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(**_base_.preprocessor, size=(32, 32)),
    backbone=dict(
        type='ResNet', depth=18, stem_channels=4, base_channels=4, num_stages=2,
        out_indices=(0, 1), strides=(1, 2), dilations=(1, 1), norm_cfg=dict(type='BN'),
    ),
    decode_head=dict(
        type='FCNHead', in_channels=8, in_index=1, channels=4, num_convs=1, num_classes=3,
        norm_cfg=dict(type='BN'), loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    test_cfg=dict(mode='whole'),
)
"""
DISTILLATION = """
_base_ = './plain.py'
teacher = dict(type='Teacher', model=_base_.model, checkpoint='teacher.pth')
loss = dict(type='PixelKLLoss', temperature=2.0, loss_weight=1.0)
tap = 'decode_head.conv_seg'
terms = dict(logits=dict(student=tap, teacher=tap, loss=loss))
model = dict(
    _delete_=True, type='SegDistiller', student=_base_.model, teacher=teacher, terms=terms,
)
"""
CACHED = """
_base_ = './kd.py'
cached = dict(_delete_=True, type='CachedTeacher', cache='cache', teacher=_base_.model.teacher)
model = dict(teacher=cached)
data = dict(type='FolderDataset', images='images', masks='masks', classes=_base_.classes)
data.update(pipeline=_base_.train_dataloader.dataset.pipeline)
train_dataloader = dict(
    dataset=dict(_delete_=True, type='WithTeacherCache', dataset=data, cache='cache'),
)
"""
Change = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """A bad input, the command that meets it, and how that must end.

    Attributes:
        given: What the user gave, in words.
        words: The command.
        says: A regular expression of what must be in the message.
        changes: Calls in the folder of the experiment that make the input.
        exit: The exit code.
        always: Whether the sample of the tests has it, whatever its hash.
    """

    given: str
    words: str
    says: str
    changes: tuple[Change, ...] = ()
    exit: int = 1
    always: bool = False

    @property
    def in_sample(self) -> bool:
        """Whether the tests run it: about one in sixteen, and those that no other test has."""
        return self.always or crc32(self.given.encode()) % 16 == 0


def case(given: str, words: str, says: str, *changes: Change, exit: int = 1, always=False) -> Case:
    """A case, with the changes last."""
    return Case(given, words, says, changes, exit, always)


# ---- how an input is made


def text(path: str, content: str | bytes) -> Change:
    """A file with that content."""
    return partial(_write, path, content)


def _write(path: str, content: str | bytes) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(content if isinstance(content, bytes) else content.encode())


def mine(lines: str, base: str = 'kd') -> Change:
    """The config mine.py: those lines over another config."""
    return text('mine.py', f"_base_ = './{base}.py'\n{lines}\n")


def gone(path: str) -> Change:
    return partial(_remove, path)


def _remove(path: str) -> None:
    shutil.rmtree(path) if Path(path).is_dir() else Path(path).unlink()


def cut(path: str, share: float = 0.5) -> Change:
    """The file as an interrupted copy leaves it."""
    return partial(_edit, path, lambda content: content[: int(len(content) * share)])


def edited(path: str, old: str, new: str) -> Change:
    """The text file with something replaced."""
    return partial(_replace, path, old, new)


def _replace(path: str, old: str, new: str) -> None:
    content = Path(path).read_text(encoding='utf-8')
    assert old in content, f'{path} has no {old!r}'
    Path(path).write_text(content.replace(old, new), encoding='utf-8')


def _edit(path: str, change: Callable[[bytes], bytes]) -> None:
    Path(path).write_bytes(change(Path(path).read_bytes()))


def in_json(path: str, change: Callable[[dict], object]) -> Change:
    """The JSON file with its content changed in place."""
    return partial(_edit_json, path, change)


def _edit_json(path: str, change: Callable[[dict], object]) -> None:
    content = json.loads(Path(path).read_text(encoding='utf-8'))
    change(content)
    Path(path).write_text(json.dumps(content), encoding='utf-8')


def picture(path: str, mode: str = 'RGB', size: tuple = (SIDE, SIDE), **options: object) -> Change:
    """An image file of one colour."""
    return lambda: Image.new(mode, size).save(path, **options)


def pixels(path: str, values: object, dtype: type = np.uint8) -> Change:
    """An image file of these pixels; a number stands for all of them."""
    array = np.asarray(values, dtype)
    array = np.full((SIDE, SIDE), array) if array.ndim == 0 else array
    return lambda: Image.fromarray(array).save(path)


def noise(path: str, **options: object) -> Change:
    """An image file of noise, which does not compress."""
    array = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8)
    return lambda: Image.fromarray(array).save(path, **options)


def turned(path: str, size: tuple[int, int], orientation: int) -> Change:
    tag = Image.Exif()
    tag[0x112] = orientation
    return picture(path, size=size, exif=tag)


def png_header(path: str, side: int) -> Change:
    """A PNG that states a size and has next to no content."""
    parts = (
        b'IHDR' + struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0),
        b'IDAT' + b'x\x9c',
        b'IEND',
    )
    chunks = (struct.pack('>I', len(p) - 4) + p + struct.pack('>I', zlib.crc32(p)) for p in parts)
    return text(path, b'\x89PNG\r\n\x1a\n' + b''.join(chunks))


def weights(path: str, change: Callable[[dict], object], base: str = 'student.pth') -> Change:
    """A file of weights: what a change makes of those of the student."""
    return lambda: torch.save(change(torch.load(base)), path)


class Payload:
    """A pickle of it writes a file when it is read."""

    def __reduce__(self) -> tuple:
        return os.system, ('touch ran',)


def shard(change: Callable[[dict], object]) -> Change:
    """The cache with the tensors of its shard changed in place."""
    return partial(_edit_shard, change)


def _edit_shard(change: Callable[[dict], object]) -> None:
    path = 'cache/shard_00000.safetensors'
    tensors = {key: value.clone() for key, value in load_file(path).items()}
    with store.safe_open(path, framework='pt') as file:
        metadata = file.metadata()
    change(tensors)
    save_file(tensors, path, metadata)


def metadata(change: Callable[[dict], object]) -> Change:
    """The exported .onnx file with its metadata changed."""
    return partial(_edit_metadata, change)


def _edit_metadata(change: Callable[[dict], object]) -> None:
    import onnx

    model = onnx.load('student.onnx')
    (entry,) = model.metadata_props
    content = json.loads(entry.value)
    found = change(content)
    entry.value = found if isinstance(found, str) else json.dumps(content)
    onnx.save(model, 'student.onnx')


def frames(path: str, count: int) -> Change:
    return partial(_write_video, path, count)


def _write_video(path: str, count: int) -> None:
    file = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*'mp4v'), 10, (64, 64))
    for number in range(count):
        file.write(np.full((64, 64, 3), 10 * number, np.uint8))
    file.release()


# ---- the cases, by what is given: one a line, however long
# fmt: off
# ruff: noqa: E501

TRAIN, TEST, PREDICT = 'train mine.py', 'test plain.py', 'predict plain.py student.pth'
TERM = 'model = dict(terms=dict(logits=dict({})))'
OPTION = 'train kd.py --cfg-options'


def config_cases() -> list[Case]:
    head = 'model = dict(decode_head=dict({}))'
    plain = partial(mine, base='plain')
    return [
        case('a config that does not exist', 'train plan.py', 'No config plan.py'),
        case('a config that is a folder', 'train images', 'No config images'),
        case('a config with a syntax error', TRAIN, r'mine\.py.*is not Python: line 2', mine('model = dict(')),
        case('a config that is no text', TRAIN, r'mine\.py', text('mine.py', b'\xff\xfe\x00\x80')),
        case('a config that ends in .txt', 'train mine.txt', r'mine\.txt', text('mine.txt', 'a = 1')),
        case('a JSON config that is cut short', 'train mine.json', r'mine\.json', text('mine.json', '{"model": ')),
        case('a YAML config that is cut short', 'train mine.yaml', r'mine\.yaml', text('mine.yaml', 'a: [1')),
        case('a YAML config that builds Python objects', 'train mine.yaml', r'mine\.yaml.*ConstructorError', text('mine.yaml', '!!python/object/apply:os.system ["touch ran"]'), always=True),
        case('a YAML base that builds Python objects', TRAIN, 'ConstructorError', text('mine.py', "_base_ = './a.yml'"), text('a.yml', 'a: !!python/object/apply:os.system ["touch ran"]')),
        case('a base that does not exist', TRAIN, r'nix\.py', mine('', 'nix')),
        case('a config that is its own base', TRAIN, r'mine\.py', mine('', 'mine')),
        case('a config that raises an error as it is read', TRAIN, r'mine\.py', plain('a = 1 / 0')),
        case('a config that names what it does not define', TRAIN, r'mine\.py', plain('a = b + 1')),
        case('a config without a model', TRAIN, 'model', text('mine.py', 'work_dir = "w"')),
        case('a model without a type', TRAIN, r'type', plain('model = dict(_delete_=True, a=1)')),
        case('a model that is a list', TRAIN, r'model', plain('model = [1]')),
        case('a model of an unknown type', TRAIN, r"no model is registered as 'EncoderDecodr' \(did you mean", plain("model = dict(type='EncoderDecodr')")),
        case('an unknown keyword of a head', TRAIN, r"no keyword 'chanels' \(did you mean", plain(head.format('chanels=4'))),
        case('an unknown loss of a head', TRAIN, "no model is registered as 'CrossEntropy'", plain(head.format("loss_decode=dict(type='CrossEntropy')"))),
        case('a number of classes in words', TRAIN, 'num_classes', plain(head.format("num_classes='three'"))),
        case('a head of 0 classes', TRAIN, 'num_classes', plain(head.format('num_classes=0'))),
        case('a head of more classes than the data have', TRAIN, 'num_classes', plain(head.format('num_classes=7'))),
        case('a head of fewer classes than the data have', TRAIN, 'num_classes', plain(head.format('num_classes=2'))),
        case('a head of other channels than the backbone gives', TRAIN, 'in_channels', plain(head.format('in_channels=16'))),
        case('a head of a stage that does not exist', TRAIN, 'in_index', plain(head.format('in_index=5'))),
        case('class weights of another number than the classes', TRAIN, 'class_weight', plain(head.format('loss_decode=dict(class_weight=[1.0, 2.0])'))),
        case('a negative weight of the loss of the labels', TRAIN, 'loss_weight', plain(head.format('loss_decode=dict(loss_weight=-1.0)'))),
        case('a NaN weight of the loss of the labels', TRAIN, 'loss', plain(head.format("loss_decode=dict(loss_weight=float('nan'))"))),
        case('a mean of four channels', TRAIN, 'mean', plain('model = dict(data_preprocessor=dict(mean=[0.0] * 4))')),
        case('a standard deviation of 0', TRAIN, 'std', plain('model = dict(data_preprocessor=dict(std=[0.0] * 3))')),
        case('a teacher without a type', TRAIN, 'teacher', mine("model = dict(teacher=dict(_delete_=True, checkpoint='teacher.pth'))")),
        case('a teacher without a checkpoint', TRAIN, 'checkpoint', mine('model = dict(teacher=dict(checkpoint=None))')),
        case('a teacher that is no dict', TRAIN, 'teacher', mine("model = dict(teacher='teacher.pth')")),
        case('a teacher whose file does not exist', TRAIN, r'nix\.pth', mine("model = dict(teacher=dict(checkpoint='nix.pth'))")),
        case('a teacher of another model', TRAIN, r'teacher\.pth does not fit', mine('model = dict(teacher=dict(model=dict(decode_head=dict(channels=8))))')),
        case('a teacher of other classes without a class map', TRAIN, 'classes', mine('model = dict(teacher=dict(model=dict(decode_head=dict(num_classes=5)), checkpoint=\'other.pth\'))'),
             weights('other.pth', lambda s: {k: torch.cat([v, v])[:5] if 'conv_seg' in k else v for k, v in s.items()})),
        case('a distillation without a teacher', TRAIN, 'teacher', mine('model = dict(_delete_=True, type="SegDistiller", student=_base_.model.student, terms=_base_.model.terms)')),
        case('a distillation without a student', TRAIN, 'student', mine('model = dict(_delete_=True, type="SegDistiller", teacher=_base_.model.teacher, terms=_base_.model.terms)')),
        case('terms that are a list', TRAIN, 'terms', mine('model = dict(terms=[_base_.terms.logits])')),
        case("a student's tap that does not exist", TRAIN, r"decode_head.conv_sge.*did you mean", mine(TERM.format("student='decode_head.conv_sge'"))),
        case("a teacher's tap that does not exist", TRAIN, r"decode_head.conv_sge.*did you mean", mine(TERM.format("teacher='decode_head.conv_sge'"))),
        case('a term without a student', TRAIN, r'logits.*student', mine('model = dict(terms=dict(logits=dict(_delete_=True, teacher=_base_.tap, loss=_base_.loss)))')),
        case('a term without a teacher', TRAIN, r'logits.*teacher', mine('model = dict(terms=dict(logits=dict(_delete_=True, student=_base_.tap, loss=_base_.loss)))')),
        case('a term without a loss', TRAIN, r'logits.*loss', mine('model = dict(terms=dict(logits=dict(_delete_=True, student=_base_.tap, teacher=_base_.tap)))')),
        case('a term that is no dict', TRAIN, r'logits', mine('model = dict(terms=dict(logits=3))')),
        case('a term with an unknown keyword', TRAIN, "no keyword 'weigth'", mine(TERM.format('weigth=2'))),
        case('a term of an unknown loss', TRAIN, "'PixelKL'.*did you mean", mine(TERM.format("loss=dict(type='PixelKL')"))),
        case('a term with a negative weight', TRAIN, 'loss_weight', mine(TERM.format('loss=dict(loss_weight=-1.0)')), always=True),
        case('a term with a NaN weight', TRAIN, 'loss_weight', mine(TERM.format("loss=dict(loss_weight=float('nan'))"))),
        case('a term with a weight in words', TRAIN, 'loss_weight', mine(TERM.format("loss=dict(loss_weight='1')"))),
        case('a temperature of 0', TRAIN, 'temperature', mine(TERM.format('loss=dict(temperature=0)'))),
        case('a negative temperature', TRAIN, 'temperature', mine(TERM.format('loss=dict(temperature=-1.0)'))),
        case('a term with an unknown adapter', TRAIN, 'adapter', mine(TERM.format("adapter='conv'"))),
        case('a learning rate of NaN', TRAIN, r'\blr\b', mine("optim_wrapper = dict(optimizer=dict(lr=float('nan')))")),
        case('a negative learning rate', TRAIN, r'learning rate|\blr\b', mine('optim_wrapper = dict(optimizer=dict(lr=-0.1))')),
        case('a learning rate in words', TRAIN, r'\blr\b', mine("optim_wrapper = dict(optimizer=dict(lr='0.1'))")),
        case('an unknown optimizer', TRAIN, "'AdamX'", mine("optim_wrapper = dict(optimizer=dict(type='AdamX'))")),
        case('an unknown schedule', TRAIN, "'PolyLRX'", mine("param_scheduler = dict(type='PolyLRX')")),
        case('a batch size of 0', TRAIN, 'batch_size', mine('train_dataloader = dict(batch_size=0)')),
        case('a batch size in words', TRAIN, 'batch_size', mine("train_dataloader = dict(batch_size='two')")),
        case('a batch that is larger than the data', TRAIN, 'batch_size of 99', mine('train_dataloader = dict(batch_size=99)')),
        case('a negative number of workers', TRAIN, 'num_workers', mine('train_dataloader = dict(num_workers=-1)')),
        case('0 epochs', TRAIN, 'max_epochs', mine('train_cfg = dict(max_epochs=0)'), always=True),
        case('a negative number of epochs', TRAIN, 'max_epochs', mine('train_cfg = dict(max_epochs=-3)')),
        case('a negative number of iterations', TRAIN, 'max_iters', mine("train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=-3)\ntrain_dataloader = dict(sampler=dict(type='ReplayInfiniteSampler'))")),
        case('a validation every 0 epochs', TRAIN, 'val_interval', mine('train_cfg = dict(val_interval=0)')),
        case('a config without training data', TRAIN, 'train_dataloader', mine('train_dataloader = None')),
        case('a config without an optimizer', TRAIN, 'optim_wrapper', mine('optim_wrapper = None')),
        case('an unknown data set', TRAIN, "'FolderDatset'", mine("train_dataloader = dict(dataset=dict(type='FolderDatset'))")),
        case('an unknown keyword of the data set', TRAIN, "no keyword 'mask'", mine("train_dataloader = dict(dataset=dict(mask='m'))")),
        case('an unknown step of the pipeline', TRAIN, "'Pad2'", mine("train_dataloader = dict(dataset=dict(pipeline=[dict(type='Pad2')]))")),
        case('a pipeline that does not pack its samples', TRAIN, 'PackSegInputs', mine('train_dataloader = dict(dataset=dict(pipeline=_base_.pipeline[:-1]))')),
        case('a pipeline without an image', TRAIN, 'LoadImageFromFile', mine('train_dataloader = dict(dataset=dict(pipeline=_base_.pipeline[2:]))')),
        case('a pipeline that is empty', TRAIN, 'pipeline', mine('train_dataloader = dict(dataset=dict(pipeline=[]))')),
        case('a crop of 0 pixels', TRAIN, 'crop_size', mine("train_dataloader = dict(dataset=dict(pipeline=[*_base_.load_seeded, dict(_base_.crop, crop_size=(0, 32)), *_base_.distort_and_pack]))")),
        case('a crop that is larger than the images', TRAIN, 'Done', mine("train_dataloader = dict(dataset=dict(pipeline=[*_base_.load_seeded, dict(_base_.crop, crop_size=(64, 64)), *_base_.distort_and_pack]))\nmodel = dict(student=dict(data_preprocessor=dict(size=(64, 64))))"), exit=0),
        case('classes with a name twice', TRAIN, "road", mine("train_dataloader = dict(dataset=dict(classes=['road', 'car', 'road']))")),
        case('classes that are empty', TRAIN, 'classes', mine('train_dataloader = dict(dataset=dict(classes=[]))')),
        case('an unknown split', TRAIN, 'tarin', mine("train_dataloader = dict(dataset=dict(split='tarin', shares=(0.5, 0.5)))")),
        case('shares that are more than all', TRAIN, 'shares', mine("train_dataloader = dict(dataset=dict(split='train', shares=(0.8, 0.3)))")),
        case('an unknown hook', TRAIN, "'EMA2Hook'", mine("custom_hooks = [dict(type='EMA2Hook')]")),
        case('a best checkpoint by an unknown score', TRAIN, 'save_best', mine("default_hooks = dict(checkpoint=dict(save_best='mIuO'))")),
        case('an import of a module that does not exist', TRAIN, 'nix_module', mine("custom_imports = dict(imports=['nix_module'])")),
        case('a checkpoint to start from that does not exist', TRAIN, r'nix\.pth', mine("load_from = 'nix.pth'")),
        case('a level of the log that does not exist', TRAIN, 'log_level', mine("log_level = 'LOUD'")),
    ]


def list_cases() -> list[Case]:
    words = 'test plain.py student.pth --cfg-options +test_dataloader.dataset.split=list.txt'
    names = partial(text, 'list.txt')
    return [
        case('a list of names that does not exist', words, r'list\.txt does not exist'),
        case('an empty list of names', words, r'list\.txt is empty', names('')),
        case('a list of blank lines', words, r'list\.txt is empty', names('\n \n\n')),
        case('a list with line ends of Windows', words, 'mIoU', names('0\r\n1\r\n'), exit=0),
        case('a list with blank lines between the names', words, 'mIoU', names('0\n\n1\n\n'), exit=0),
        case('a list with a byte order mark', words, 'mIoU', names(b'\xef\xbb\xbf0\n1\n'), exit=0),
        case('a list in another encoding than UTF-8', words, r'list\.txt', names('straße\n'.encode('latin-1'))),
        case('a list that is an image', words, r'list\.txt', lambda: shutil.copy('images/0.png', 'list.txt')),
        case('a list with a name twice', words, r"list\.txt.*'1'", names('0\n1\n1\n'), always=True),
        case('a list with a name that is no image', words, r"no image 'nine'", names('0\nnine\n')),
        case('a list with names that have a suffix', words, r"'0\.png'", names('0.png\n1.png\n')),
        case('a list with absolute paths', words, "no image '/etc/passwd'", names('/etc/passwd\n')),
        case('a list with paths out of the folder', words, r"no image '\.\./images/0'", names('../images/0\n')),
        case('a list that is a folder', words, r'list\.txt', lambda: Path('list.txt').mkdir()),
    ]


def image_cases() -> list[Case]:
    one = f'{PREDICT} a.png'
    return [
        case('an image that does not exist', one, r'a\.png does not exist'),
        case('a folder without images', f'{PREDICT} empty', 'No images in .*empty', lambda: Path('empty').mkdir()),
        case('an image of 0 bytes', one, r'a\.png: found an empty file', text('a.png', '')),
        case('a JPEG that is cut short', f'{PREDICT} a.jpg', r'a\.jpg: found \d+ bytes that cannot be decoded', noise('a.jpg'), cut('a.jpg')),
        case('a PNG that is cut short', one, r'a\.png: found \d+ bytes', noise('a.png'), cut('a.png')),
        case('a WebP that is cut short', f'{PREDICT} a.webp', r'a\.webp: found \d+ bytes', noise('a.webp'), cut('a.webp')),
        case('a text file named .jpg', f'{PREDICT} a.jpg', r'a\.jpg: found \d+ bytes', text('a.jpg', 'no image')),
        case('an image of one pixel', one, 'Pictures of 1 images', picture('a.png', size=(1, 1)), exit=0),
        case('a CMYK image', f'{PREDICT} a.jpg', 'Pictures of 1 images', picture('a.jpg', 'CMYK'), exit=0),
        case('a 16-bit image for a model of 8 bits', one, '16', pixels('a.png', 40000, np.uint16), always=True),
        case('a float TIFF for a model of 8 bits', f'{PREDICT} a.tif', r'a\.tif', pixels('a.tif', 0.5, np.float32)),
        case('an image with transparency', one, 'Pictures of 1 images', picture('a.png', 'RGBA'), exit=0),
        case('a grey image', one, 'Pictures of 1 images', picture('a.png', 'L'), exit=0),
        case('a palette image', one, 'Pictures of 1 images', picture('a.png', 'P'), exit=0),
        case('an animated GIF', f'{PREDICT} a.gif', 'a.gif', lambda: Image.new('RGB', (8, 8)).save('a.gif', save_all=True, append_images=[Image.new('RGB', (8, 8), 'red')])),
        case('a PNG of a few bytes that states 60,000 x 60,000 pixels', one, r'a\.png', png_header('a.png', 60000)),
        case('a PNG of a few bytes that states 6,000 x 6,000 pixels', one, r'a\.png', png_header('a.png', 6000)),
        case('a folder named .png among the images', f'{PREDICT} images', r'a\.png', lambda: Path('images/a.png').mkdir()),
        case('a pipe named .png among the images', f'{PREDICT} images', r'a\.png', lambda: os.mkfifo('images/a.png'), always=True),
        case('a link to nowhere among the images', f'{PREDICT} images', r'a\.png', lambda: os.symlink('nowhere', 'images/a.png')),
        case('a name that is not ASCII', f'{PREDICT} straße-漢字.png', 'Pictures of 1 images', noise('straße-漢字.png'), exit=0),
        case('a name that is not UTF-8', f'{PREDICT} more', 'Pictures of 1 images', lambda: os.mkdir('more'), lambda: shutil.copy(b'images/0.png', b'more/\xff.png'), exit=0),
        case('a good image beside a bad one', f'{PREDICT} images', r'1 of 5 could not be read:\n.*a\.png', text('images/a.png', 'x')),
        case('an image of 0 bytes in a training', 'train plain.py', r'images/3\.png: found an empty file', text('images/3.png', '')),
        case('an image of one pixel in a training', 'train plain.py', r'images/3\.png: found 1 x 1', picture('images/3.png', size=(1, 1)), pixels('masks/3.png', [[0]])),
        case('a training on a folder of images that does not exist', 'train plain.py', r'images does not exist', gone('images')),
        case('a training on an empty folder of images', 'train plain.py', r'images holds no images', gone('images'), lambda: Path('images').mkdir()),
        case('two images of one name', 'train plain.py', r'same name but for the suffix', picture('images/0.jpg')),
        case('a turned image (EXIF) with a mask that is not turned, of another shape', TEST + ' student.pth', 'mIoU', turned('images/0.png', (32, 16), 6), pixels('masks/0.png', np.zeros((16, 32))), exit=0),
        case('a turned image (EXIF) that is square', TEST + ' student.pth', r'images/0\.png: found the EXIF orientation 6', turned('images/0.png', (32, 32), 6)),
    ]


def mask_cases() -> list[Case]:
    words = TEST + ' student.pth'
    mask = partial(pixels, 'masks/0.png')
    colours = np.zeros((SIDE, SIDE, 3))
    colours[..., 1] = 7
    half = np.zeros((SIDE, SIDE))
    half[:4] = 3
    return [
        case('a folder of masks that does not exist', words, 'masks does not exist', gone('masks')),
        case('a mask that is missing', words, r"no mask '0'", gone('masks/0.png')),
        case('a mask without an image', words, r"no image '0'", gone('images/0.png')),
        case('a mask of another size', words, r'masks/0\.png: found 16 x 16', mask(np.zeros((16, 16)))),
        case('a mask of colours', words, r'masks/0\.png: found 3 channels with the colours \(0, 7, 0\)', mask(colours)),
        case('a mask with transparency', words, r'masks/0\.png: found \d channels', picture('masks/0.png', 'RGBA')),
        case('a mask with ids that are no classes', words, r'masks/0\.png: found the ids 3 \(128 pixels\), expected 0 to 2', mask(half)),
        case('a mask with ids that are no classes, in a training', 'train plain.py', r'masks/0\.png: found the ids 3', mask(half)),
        case('a mask of floats (TIFF)', words, r'masks/0\.tif: found float32', gone('masks/0.png'), pixels('masks/0.tif', 0.5, np.float32)),
        case('a mask of 16 bits with large ids', words, r'masks/0\.png: found the ids 300', mask(300, np.uint16)),
        case('a mask of 16 bits with ids of classes', words, 'mIoU', mask(2, np.uint16), exit=0),
        case('a mask with a palette', words, 'mIoU', picture('masks/0.png', 'P'), exit=0),
        case('a mask of one bit', words, 'mIoU', picture('masks/0.png', '1'), exit=0),
        case('a mask saved as JPEG', words, r'masks/0\.jpg: found a JPEG', gone('masks/0.png'), lambda: Image.fromarray(np.random.default_rng(0).integers(0, 3, (SIDE, SIDE)).astype(np.uint8)).save('masks/0.jpg', quality=30), always=True),
        case('a mask of 0 bytes', words, r'masks/0\.png: found an empty file', text('masks/0.png', '')),
        case('a mask that is cut short', words, r'masks/0\.png: found \d+ bytes', noise('masks/0.png'), cut('masks/0.png')),
        case('a mask that is a text', words, r'masks/0\.png: found \d+ bytes', text('masks/0.png', 'ids')),
        case('a mask that states 60,000 x 60,000 pixels', words, r'masks/0\.png', png_header('masks/0.png', 60000)),
        case('masks that are void everywhere, in a training', 'train plain.py', 'No pixel of any class', *(pixels(f'masks/{i}.png', 255) for i in range(IMAGES)), always=True),
        case('masks that are void everywhere, in a test', words, 'No pixel of a class in the masks of 4 images', *(pixels(f'masks/{i}.png', 255) for i in range(IMAGES)), always=True),
        case('two masks of one name', words, 'same name but for the suffix', pixels('masks/0.bmp', 0)),
        case('a folder named .png among the masks', words, r'a\.png', lambda: Path('masks/a.png').mkdir()),
    ]


def weight_cases() -> list[Case]:
    def of(given: str, says: str, change: Callable[[dict], object], **options: object) -> Case:
        return case(given, TEST + ' bad.pth', says, weights('bad.pth', change), **options)

    def nan(state: dict) -> dict:
        state['decode_head.conv_seg.bias'][1] = math.nan
        return state

    bad = TEST + ' bad.pth'
    hostile = lambda state: {'state_dict': state, 'meta': Payload()}  # noqa: E731
    return [
        case('weights that do not exist', bad, r'No file of weights at bad\.pth'),
        case('weights of 0 bytes', bad, r'bad\.pth is no file of weights', text('bad.pth', '')),
        case('weights that are cut short', TEST + ' student.pth', r'student\.pth', cut('student.pth')),
        case('weights that are a web page', bad, r'bad\.pth is no file of weights.*web page', text('bad.pth', '<!DOCTYPE html>')),
        case('a pointer of Git LFS for weights', bad, r'bad\.pth is no file of weights', text('bad.pth', 'version https://git-lfs.github.com/spec/v1')),
        case('a zip file that is no checkpoint', bad, r'bad\.pth', lambda: shutil.make_archive('bad', 'zip', 'images'), lambda: os.rename('bad.zip', 'bad.pth')),
        case('a pickle that would run code', bad, r'bad\.pth holds more than tensors.*posix.system', weights('bad.pth', hostile)),
        case('a bare pickle that would run code', bad, r'bad\.pth', lambda: Path('bad.pth').write_bytes(pickle.dumps(Payload()))),
        case('a pickle that would run code, of a teacher', 'train kd.py', r'teacher\.pth holds more than tensors', weights('teacher.pth', hostile)),
        case('a pickle that would run code, to resume from', 'train plain.py --resume bad.pth', r'bad\.pth', weights('bad.pth', hostile)),
        case('a pickle that would run code, to start from', 'train plain.py --cfg-options load_from=bad.pth', r'bad\.pth', weights('bad.pth', hostile)),
        of('weights with NaN', r'bad\.pth holds NaN or infinity in 1 of', nan),
        case('a teacher with NaN', 'train kd.py', r'teacher\.pth holds NaN', weights('teacher.pth', nan)),
        of('weights that lack a key', r'missing: decode_head\.conv_seg\.bias', lambda s: {k: v for k, v in s.items() if k != 'decode_head.conv_seg.bias'}),
        of('weights with a key too many', r'unexpected: x\.weight', lambda s: {**s, 'x.weight': torch.ones(1)}),
        of('weights of other shapes', r'shape \(1,\) in the file', lambda s: {**s, 'decode_head.conv_seg.bias': torch.ones(1)}),
        of('weights of whole numbers', r'bad\.pth', lambda s: {k: v.to(torch.int32) for k, v in s.items()}, always=True),
        of('weights of complex numbers', r'bad\.pth', lambda s: {k: v.to(torch.complex64) if v.is_floating_point() else v for k, v in s.items()}, always=True),
        of('an empty dict for weights', r'bad\.pth holds no state dict', lambda s: {}),
        of('a list for weights', r'bad\.pth holds no state dict, but a list', lambda s: [1, 2]),
        of('a single tensor for weights', r'bad\.pth holds no state dict, but a Tensor', lambda s: torch.ones(3)),
        of('sparse weights', r'bad\.pth', lambda s: {k: v.to_sparse() if v.ndim == 1 else v for k, v in s.items()}),
        case('a safetensors file that is cut short', TEST + ' bad.safetensors', r'bad\.safetensors is damaged', lambda: save_file(torch.load('student.pth'), 'bad.safetensors'), cut('bad.safetensors')),
        case('a safetensors file whose header states more than there is', TEST + ' bad.safetensors', r'bad\.safetensors is damaged', text('bad.safetensors', b'\xff' * 8 + b'{}')),
        case('a folder without weights', TEST + ' images', 'images has no weights'),
        case('an index of weights that is cut short', TEST + ' w', r'damaged', text('w/model.safetensors.index.json', '{"weight')),
        case('an index of weights without a map', TEST + ' w', r'model\.safetensors\.index\.json', text('w/model.safetensors.index.json', '{}')),
        case('an index of weights that names a file out of its folder', TEST + ' w', r'\.\./student', text('w/model.safetensors.index.json', '{"weight_map": {"a": "../student.pth"}}')),
        case('a model of torchvision that does not exist', TEST + ' torchvision://fcn_resnet5', "no model fcn_resnet5 .*did you mean"),
        case('resuming from weights without a state of the optimizer', 'train plain.py --resume student.pth', r'student\.pth', always=True),
        case('resuming where the newest checkpoint is cut short', 'train plain.py --work-dir w --resume', r'warning: w/epoch_2\.pth is not whole', text('w/epoch_2.pth', b'PK\x03\x04'), text('w/last_checkpoint', 'w/epoch_2.pth'), exit=0),
        case('resuming from a file that does not exist', 'train plain.py --resume nix.pth', r'nix\.pth'),
    ]


def flag_cases() -> list[Case]:
    test, bench = TEST + ' student.pth', 'benchmark plain.py --size 32 32 --repeats 2'
    return [
        case('a command that does not exist', 'tran kd.py', "invalid choice: 'tran'", exit=2),
        case('a command without its arguments', 'train', 'required: config', exit=2),
        case('an option that does not exist', 'train kd.py --epoch 2 --nix', 'unrecognized arguments: --nix', exit=2),
        case('an option near one that exists', 'train kd.py --epocs 3', r"--epocs 3 \(did you mean '--epochs'", exit=2),
        case('0 epochs on the command line', 'train kd.py --epochs 0', '--epochs: 0: expected a whole number of 1 or more', exit=2),
        case('epochs in words', 'train kd.py --epochs two', r'--epochs: two: expected a whole number of 1 or more', exit=2),
        case('a negative seed', 'train kd.py --seed -1', 'seed', exit=2),
        case('an option of the config that does not exist', f'{OPTION} model.techer.checkpoint=a.pth', 'has no key model.techer.checkpoint.*did you mean'),
        case('an option of the config without a value', f'{OPTION} data_root', 'data_root', exit=2),
        case('an option of the config that only its file reads', f'{OPTION} tap=a', 'tap is a variable of'),
        case('an option of the config inside a value that is no dict', f'{OPTION} log_level.a=1', 'log_level.a'),
        case('a work directory that is a file', 'train plain.py --work-dir student.pth', r'student\.pth'),
        case('a work directory in a file', 'train plain.py --work-dir student.pth/a', r'student\.pth'),
        case('a work directory where none can be made', 'train plain.py --work-dir /proc/a', r'/proc/a'),
        case('a tracker that does not exist', 'train kd.py --tracker tensorboad', "invalid choice: 'tensorboad'", exit=2),
        case('a negative window', f'{test} --window -32', '--window: -32: expected a whole number of 1 or more', exit=2),
        case('a window that is no multiple of 32', f'{test} --window 40', 'Windows of 40 pixels.*multiples of 32'),
        case('an overlap that is larger than the window', f'{test} --window 32 --overlap 64', 'overlap'),
        case('a negative overlap', f'{test} --window 64 --overlap -32', 'overlap'),
        case('an overlap without a window', f'{test} --overlap 32', '--overlap', exit=2, always=True),
        case('a number of pictures without a folder', f'{test} --num-pictures 3', '--num-pictures needs --pictures', exit=2),
        case('a result file in a folder that is a file', f'{test} --out student.pth/a.json', r'student\.pth'),
        case('a result file that is a folder', f'{test} --out images', r'images'),
        case('pictures into a file', f'{test} --pictures student.pth', r'student\.pth'),
        case('predictions into a file', f'{PREDICT} images --out student.pth', r'student\.pth'),
        case('predictions over the images', f'{PREDICT} images --out images', 'would be overwritten'),
        case('a device that does not exist', f'{PREDICT} images --device gpu', '--device gpu: it cannot be used.*Expected one of cpu'),
        case('a GPU that is not there', f'{PREDICT} images --device cuda:99', '--device cuda:99: it cannot be used'),
        case('a benchmark of 0 pixels', 'benchmark plain.py --size 0 0', '--size', exit=2),
        case('a benchmark of a negative size', 'benchmark plain.py --size -32 32', '--size', exit=2),
        case('a benchmark of an empty batch', f'{bench} --batch 0', '--batch', exit=2),
        case('a benchmark of 0 calls', f'{bench} --repeats 0', '--repeats', exit=2),
        case('a benchmark on 0 threads', f'{bench} --threads 0', '--threads', exit=2),
        case('a benchmark on an image that does not exist', f'{bench} --image nix.png', r'nix\.png'),
        case('a benchmark into a file of another kind', f'{bench} --out a.txt', r'a\.txt: expected a name that ends in \.json', exit=2),
        case('a negative number of images of the doctor', 'doctor kd.py --images -1', '--images', exit=2),
        case('0 masks of the doctor', 'doctor kd.py --masks 0', '--masks', exit=2),
        case('0 samples to browse', 'browse plain.py --count 0', '--count: 0: expected a whole number of 1 or more', exit=2, always=True),
        case('an export to an unknown format', 'export plain.py student.pth --to tflite', "invalid choice: 'tflite'", exit=2),
        case('an export to a name of another format', 'export plain.py student.pth --to onnx --out a.xml', r'a\.xml', exit=2),
        case('an export that is compared on 0 images', 'export plain.py student.pth --to onnx --num-images 0', '--num-images', exit=2),
        case('an export in a precision that the format lacks', 'export plain.py student.pth --to onnx --precision bf16', 'bf16', exit=2),
        case('a part of a cache that does not exist', 'cache cached.py --part 3/2', '3/2: expected I/N', exit=2),
        case('a negative number of workers of a cache', 'cache cached.py --workers -1', '--workers', exit=2),
        case('a cache with an error of NaN', 'cache cached.py --max-kl nan', '--max-kl', exit=2),
        case('a cache of a config without one', 'cache kd.py', 'expected CachedTeacher'),
        case('a new config over an old one', 'new --images images --masks masks --out plain.py', r'plain\.py: expected a new file', exit=2),
        case('a new config of images that are not there', 'new --images nix --masks masks --out a.py --classes a', 'nix does not exist'),
        case('a new config with too few classes', 'new --images images --masks masks --out a.py --classes road', 'which are no class'),
        case('a new config with a size of 0', 'new --images images --masks masks --out a.py --latency-ms 3 --size 0 0', '--size: 0', exit=2),
        case('a new config for a student that does not exist', 'new --images images --masks masks --out a.py --classes a b c --student mnv9', 'mnv9'),
        case('curves of a folder without a training', 'curves images', r'images.*scalars\.json: no such file'),
        case('a report of a folder without a training', 'report images', 'images'),
        case('a comparison with options that are no options', 'compare kd.py --results r --check --cfg-options nix', 'nix', exit=2),
        case('a conversion that does not exist', 'convert pascal --annotations a --out b', "invalid choice: 'pascal'", exit=2),
        case('a port that does not exist', 'demo student.onnx --port 99999', '--port: 99999: expected a number below', exit=2),
    ]


def cache_cases() -> list[Case]:
    train, index = 'train cached.py', 'cache/index.json'
    one = partial(in_json, index)

    def nan(tensors: dict) -> None:
        for tensor in tensors.values():
            if tensor.is_floating_point():
                tensor.view(-1)[0] = math.nan

    def wrong_ids(tensors: dict) -> None:
        for key in tensors:
            tensors[key] = tensors[key].repeat(1, 2, 2)

    return [
        case('a cache that was not made', train, r'cache/index\.json does not exist.*cache', gone('cache')),
        case('a cache whose index is cut short', train, r'cache/index\.json', cut(index)),
        case('a cache whose index is a list', train, r'cache/index\.json', text(index, '[]')),
        case('a cache whose index lacks a key', train, r'cache/index\.json.*taps', one(lambda c: c.pop('taps'))),
        case('a cache whose index has a word for a number', train, r'cache/index\.json', one(lambda c: [t.update(channels='three') for t in c['taps'].values()])),
        case('a cache whose index names a shard out of its folder', train, r'cache/index\.json', one(lambda c: [i.update(shard='../student.pth') for i in c['images'].values()])),
        case('a cache whose index has no size of an image', train, r'cache/index\.json', one(lambda c: [i.pop('size') for i in c['images'].values()])),
        case('a cache whose index is not UTF-8', train, r'cache/index\.json', text(index, b'\xff\xfe')),
        case('a cache that lacks a shard', train, r'shard_00000\.safetensors', gone('cache/shard_00000.safetensors')),
        case('a cache with a shard that is cut short', train, r'shard_00000\.safetensors', cut('cache/shard_00000.safetensors')),
        case('a cache with a shard that is no safetensors', train, r'shard_00000\.safetensors', text('cache/shard_00000.safetensors', 'x')),
        case('a cache with a shard that lacks an image', train, r'shard_00000\.safetensors', shard(lambda t: [t.pop(k) for k in [*t] if ':0.png' in k])),
        case('a cache with NaN', train, r'shard_00000\.safetensors.*NaN', shard(nan), always=True),
        case('a cache with logits of another size', train, r'shard_00000\.safetensors', shard(wrong_ids)),
        case('a cache with logits of another number of classes', train, r'shard_00000\.safetensors', shard(lambda t: t.update({k: v[:1].contiguous() for k, v in t.items()}))),
        case('a cache of another teacher', train, 'was made from something else', weights('teacher.pth', lambda s: {k: v + 1 for k, v in s.items()})),
        case('a cache of another version of the format', train, 'is of format 1, that of another version', one(lambda c: c['made_from'].update(format=1))),
        case('a cache of other images', train, 'is of other images: 1 of 4 have changed', noise('images/0.png')),
        case('a cache that lacks a new image', train, 'is of other images: 1 of 5 are not in it', noise('images/9.png'), pixels('masks/9.png', 1)),
        case('a cache with a shard that is cut short, to be completed', 'cache cached.py --workers 0', r'shard_00000\.safetensors', gone(index), cut('cache/shard_00000.safetensors')),
        case('a cache that is a file', train, 'cache', gone('cache'), text('cache', 'x')),
    ]


def export_cases() -> list[Case]:
    onnx, xml, pt2 = (f'{TEST} student.{suffix}' for suffix in ('onnx', 'xml', 'pt2'))
    return [
        case('an exported file that does not exist', TEST + ' nix.onnx', r'No exported model at nix\.onnx'),
        case('an .onnx file that is cut short', onnx, r'student\.onnx', cut('student.onnx')),
        case('an .onnx file of 0 bytes', onnx, r'student\.onnx', text('student.onnx', '')),
        case('a text named .onnx', onnx, r'student\.onnx', text('student.onnx', 'no model')),
        case('an .onnx file without metadata', onnx, r'student\.onnx has no metadata', metadata(lambda m: '')),
        case('an .onnx file whose metadata is cut short', onnx, r'student\.onnx', metadata(lambda m: json.dumps(m)[:40])),
        case('an .onnx file whose metadata is a list', onnx, r'student\.onnx', metadata(lambda m: '[1]')),
        case('an .onnx file whose metadata lacks a key', onnx, r'student\.onnx.*output', metadata(lambda m: m.pop('output') and None)),
        case('an .onnx file whose metadata has a wrong type', onnx, r'student\.onnx.*mean', metadata(lambda m: m.update(mean='0'))),
        case('an .onnx file whose metadata has a data type that is none', onnx, r'student\.onnx.*input_dtype', metadata(lambda m: m.update(input_dtype='load'))),
        case('an .onnx file of other classes', onnx, r"student\.onnx has the classes \['a'", metadata(lambda m: m.update(classes=['a', 'b', 'c']))),
        case('an .onnx file whose graph gives fewer classes than it states', onnx, r'student\.onnx', metadata(lambda m: m.update(classes=['road', 'car', 'tree', 'sky'], palette=[[0, 0, 0]] * 4)),
             edited('plain.py', "'tree')", "'tree', 'sky')")),
        case('an .onnx file of other channels than the images', onnx, r'student\.onnx', metadata(lambda m: m.update(channels=5))),
        case('an .onnx file for a page, cut short', 'demo student.onnx --out page', r'student\.onnx', cut('student.onnx')),
        case('an .xml file without its .bin', xml, r'student\.(xml|bin)', gone('student.bin')),
        case('an .xml file whose .bin is cut short', xml, r'student\.(xml|bin)', cut('student.bin')),
        case('an .xml file that is cut short', xml, r'student\.xml', cut('student.xml')),
        case('an .xml file of something else', xml, r'student\.xml', text('student.xml', '<html></html>')),
        case('a .pt2 file that is cut short', pt2, r'student\.pt2', text('student.pt2', b'PK\x03\x04abc')),
        case('a text named .pt2', pt2, r'student\.pt2', text('student.pt2', 'no model')),
        case('a .pt2 file that is another zip', pt2, r'student\.pt2', lambda: shutil.copy('student.pth', 'student.pt2')),
    ]


def result_cases() -> list[Case]:
    table = 'results-table page.md'
    page = text('page.md', '<!-- table: a.json -->\n<!-- /table -->\n')
    result = partial(text, 'results/a.json')
    report, curves = 'report run', 'curves run'
    folder = text('page.md', '<!-- table: a/b -->\n<!-- /table -->\n')
    scalars = partial(text, 'run/20260101_000000/vis_data/scalars.json')
    train = text('run/train.json', json.dumps({'config': 'plain.py', 'seed': 0, 'date': '2026-01-01', 'command': 'x', 'seconds': 1, 'environment': {}}))
    line = '{"iter": 1, "loss": 1.0, "lr": 0.1, "time": 0.1, "data_time": 0.0, "step": 1}\n'
    return [
        case('a table of a result that does not exist', table, r'results/a\.json', page),
        case('a result file that is cut short', table, r'results/a\.json: not a result file', page, result('{"table": [')),
        case('a result file that is a list', table, r'results/a\.json: .*found a JSON list', page, result('[]')),
        case('a result file that is not UTF-8', table, r'results/a\.json', page, result(b'\xff\xfe')),
        case('a result file without a table', table, r'results/a\.json', page, result('{}')),
        case('a result file whose table is a number', table, r'results/a\.json', page, result('{"table": 3}')),
        case('a result file whose table has rows that are numbers', table, r'results/a\.json', page, result('{"table": [3]}')),
        case('a result of a test without scores', table, r'results/a/b/0\.json', folder, text('results/a/b/0.json', '{"parameters": 1}')),
        case('a result of a test whose score is a text', table, r'results/a/b/0\.json', folder, text('results/a/b/0.json', '{"parameters": 1, "training": null, "metrics": {"mIoU": "a", "aAcc": 1}, "per_class": {}}')),
        case('a page that does not exist', 'results-table nix.md', r'nix\.md'),
        case('a page with a table that is not closed', table, r'page\.md', text('page.md', '<!-- table: a.json -->\n'), result('{"table": [{"a": 1}]}')),
        case('a log of a training whose last line is cut short', curves, 'Curves', scalars(line + '{"iter": 2'), exit=0),
        case('a log of a training with a line that is no JSON', curves, r'scalars\.json, line 2', scalars(line + '{"iter"\n')),
        case('a log of a training that is not UTF-8', curves, r'scalars\.json, line 2', scalars(line.encode() + b'{"a": "\xff"}\n')),
        case('a log of a training with a line that is a list', curves, r'scalars\.json, line 2', scalars(line + '[3]\n')),
        case('a log of a training with a text for a number', curves, r'scalars\.json, line 2', scalars(line + '{"iter": "a", "loss": 1.0}\n')),
        case('a log of a training with a validation without a step', curves, r'scalars\.json, line 2', scalars(line + '{"mIoU": 3.0}\n')),
        case('a report of a training whose record is cut short', report, r'run/train\.json', scalars(line), text('run/train.json', '{"config"')),
        case('a report of a training whose record is empty', report, r'run/train\.json', scalars(line), text('run/train.json', '{}')),
        case('a report of a test without scores', report, r'run/test_test\.json', scalars(line), train, text('run/test_test.json', '{"checkpoint": "a.pth"}')),
        case('a report of a test whose scores are a list', report, r'run/test_test\.json', scalars(line), train, text('run/test_test.json', '{"checkpoint": "a.pth", "metrics": [], "per_class": 3}')),
        case('a comparison with a result that is cut short', 'compare plain.py --results results/a --check --seeds 0', r'results/a/plain/0\.json', text('results/a/plain/0.json', '{')),
        case('a comparison with a result without scores', 'compare plain.py --results results/a --check --seeds 0', r'results/a/plain/0\.json', text('results/a/plain/0.json', '{}')),
        case('a record of the settings that is cut short, to resume', 'train plain.py --work-dir w --resume', r'w/config\.json', text('w/config.json', '{'), weights('w/epoch_1.pth', lambda s: {'meta': {'iter': 1}, 'state_dict': s}) ),
    ]


def video_cases() -> list[Case]:
    one = f'{PREDICT} a.mp4'
    return [
        case('a video that does not exist', one, r'a\.mp4 does not exist'),
        case('a video of 0 bytes', one, r'a\.mp4: damaged', text('a.mp4', '')),
        case('a text named .mp4', one, r'a\.mp4: damaged', text('a.mp4', 'no video')),
        case('a video that is cut short', one, r'a\.mp4: damaged', frames('a.mp4', 9), cut('a.mp4')),
        case('a video of 0 frames', one, r'a\.mp4', frames('a.mp4', 0)),
        case('a folder named .mp4', one, r'a\.mp4 does not exist', lambda: Path('a.mp4').mkdir()),
        case('a camera that does not exist', f'{PREDICT} camera:99', 'camera:99: no such camera'),
        case('a camera without a number', f'{PREDICT} camera:front', 'camera:front: expected camera: and a number'),
        case('a video that its own overlay would replace', f'{PREDICT} a.mp4 --out .', 'would be overwritten', frames('a.mp4', 1)),
    ]


def annotation_cases() -> list[Case]:
    coco = 'convert coco --annotations a.json --images images --out out'
    entry = {'id': 1, 'file_name': '0.png', 'height': SIDE, 'width': SIDE}

    def file(**changes: object) -> Change:
        shape = {'id': 1, 'image_id': 1, 'category_id': 1, 'segmentation': [[0, 0, 9, 0, 9, 9]]}
        content = {'images': [entry], 'categories': [{'id': 1, 'name': 'a'}], 'annotations': [shape]}
        return text('a.json', json.dumps({**content, **changes}))

    yolo = 'convert yolo --annotations labels --images images --out out --classes a b'
    voc = 'convert voc --annotations masks --images images --out out --classes a b c'
    return [
        case('COCO annotations that do not exist', coco, r'a\.json does not exist'),
        case('COCO annotations that are cut short', coco, r'a\.json: found no JSON', text('a.json', '{"images": [')),
        case('COCO annotations that are a list', coco, r'a\.json', text('a.json', '[]')),
        case('COCO annotations nested 100,000 deep', coco, r'a\.json: found no JSON', text('a.json', '[' * 100000)),
        case('COCO annotations with an image out of the folder', coco, r"file_name '\.\./student\.pth'", file(images=[{**entry, 'file_name': '../student.pth'}])),
        case('COCO annotations of another size', coco, r'the size 9 x 32', file(images=[{**entry, 'width': 9}])),
        case('COCO annotations of a category that does not exist', coco, 'category_id 1', file(categories=[])),
        case('YOLO labels with a class that does not exist', yolo, r'labels/0\.txt: line 1: found the class 7', text('labels/0.txt', '7 0 0 1 0 1 1\n')),
        case('YOLO labels with NaN', yolo, r'labels/0\.txt: line 1', text('labels/0.txt', '0 nan 0 1 0 1 1\n')),
        case('YOLO labels that are no text', yolo, r'labels/0\.txt', text('labels/0.txt', b'\xff\xfe')),
        case('a data.yaml that builds Python objects', yolo + ' --names data.yaml', r'data\.yaml: found no YAML', text('labels/0.txt', ''), text('data.yaml', '!!python/object/apply:os.system ["touch ran"]')),
        case('labelme annotations that are cut short', 'convert labelme --annotations l --images images --out out', r'l/a\.json: found no JSON', text('l/a.json', '{')),
        case('VOC masks with ids without a name', voc, r'masks/1\.png|ids', pixels('masks/1.png', 9)),
        case('a conversion into a folder that is not empty', voc.replace('--out out', '--out images'), 'images'),
    ]


GROUPS: dict[str, Callable[[], list[Case]]] = {
    'config': config_cases, 'list': list_cases, 'image': image_cases, 'mask': mask_cases,
    'weights': weight_cases, 'command line': flag_cases, 'cache': cache_cases,
    'exported file': export_cases, 'result file': result_cases, 'video': video_cases,
    'annotations': annotation_cases,
}  # fmt: skip


@cache
def cases() -> dict[str, list[Case]]:
    """The cases by group."""
    return {group: make() for group, make in GROUPS.items()}


# fmt: on
# ---- how they are run


def make_experiment(folder: Path) -> None:
    """Write the small experiment that the cases change: data, configs, weights, cache, exports."""
    with working_in(folder):
        for name, content in (('plain', EXPERIMENT), ('kd', DISTILLATION), ('cached', CACHED)):
            base = str(config_dir() / '_base_' / 'folder_experiment.py')
            Path(f'{name}.py').write_text(
                content.format(base=base) if name == 'plain' else content, encoding='utf-8'
            )
        _make_data()
        init_default_scope('mmseg')
        torch.manual_seed(0)
        model = load_config('plain.py').model
        for name in ('student', 'teacher'):
            torch.save(MODELS.build(deepcopy(model)).state_dict(), f'{name}.pth')
        outcome = run_command('cache cached.py --workers 0')
        assert outcome.exit == 0, outcome
        _make_exports()


def _make_data() -> None:
    for kind in ('images', 'masks'):
        Path(kind).mkdir()
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        ids = np.zeros((SIDE, SIDE), np.uint8)
        ids[4:20, 4:20] = 1 + number % 2
        colours = ids[..., None] * 100 + rng.integers(0, 30, (SIDE, SIDE, 3))
        Image.fromarray(colours.astype(np.uint8)).save(f'images/{number}.png')
        Image.fromarray(ids).save(f'masks/{number}.png')


def _make_exports() -> None:
    """The .onnx file and the .xml file of one convolution, as segkd export writes them."""
    import onnx
    from onnx import helper, numpy_helper

    from segkd_mm.deploy.export import save_onnx, save_openvino

    shape = ['n', 3, 'h', 'w']
    kernel = numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), 'kernel')
    graph = helper.make_graph(
        [helper.make_node('Conv', ['images', 'kernel'], ['logits'])], 'graph',
        [helper.make_tensor_value_info('images', onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info('logits', onnx.TensorProto.FLOAT, shape)], [kernel],
    )  # fmt: skip
    opset = [helper.make_opsetid('', 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    about = {
        'classes': ['road', 'car', 'tree'], 'palette': [[0, 0, 0], [9, 9, 9], [99, 99, 99]],
        'mean': [0.0] * 3, 'std': [1.0] * 3, 'bgr_to_rgb': True, 'test_cfg': {},
        'input': 'normalised', 'input_dtype': 'float32', 'channels': 3, 'output': 'logits',
        'loader': {'type': 'LoadImageFromFile'}, 'align_corners': False, 'precision': 'fp32',
        'parameters': 9, 'config': 'plain.py', 'checkpoint': 'student.pth', 'versions': {},
    }  # fmt: skip
    save_onnx(model, Path('student.onnx'), about)
    save_openvino(model, Path('student.xml'), about)


@dataclass
class Outcome:
    """How a command ended: its exit code, None for a traceback, and what it printed."""

    exit: int | None
    said: str


def run_case(one: Case, experiment: Path, folder: Path) -> Outcome:
    """Make the input of a case in an empty folder and run its command there."""
    shutil.copytree(experiment, folder, dirs_exist_ok=True)
    with working_in(folder):
        for change in one.changes:
            change()
        outcome = run_command(one.words)
        if Path('ran').exists():
            return Outcome(None, 'the code of a file was run')
    return outcome


def run_command(words: str) -> Outcome:
    """Run ``segkd`` in this process."""
    out, code = io.StringIO(), 0
    with quick(), redirect_stdout(out), redirect_stderr(out), at_most(LIMIT):
        try:
            code = segkd(shlex.split(words))
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
            if isinstance(exit_.code, str):  # as the interpreter prints it
                print(exit_.code)
        except Exception:
            code = None
            traceback.print_exc()
    return Outcome(code, out.getvalue())


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Context that raises a TimeoutError after some seconds: a command may wait for ever."""

    def end(*_: object) -> None:
        raise RuntimeError('the command did not end')

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def quick() -> Iterator[None]:
    """Context in which configs are logged unformatted; what a run leaves behind is put back."""
    disabled, show, log = (
        logging.root.manager.disable,
        warnings.showwarning,
        MMLogger._instance_dict,
    )
    with ExitStack() as stack:
        stack.enter_context(patch('yapf.yapflib.yapf_api.FormatCode', lambda t, **_: (t, True)))
        stack.enter_context(patch('mmengine.runner.runner.collect_env', dict))
        stack.enter_context(patch.object(sys, 'orig_argv', ['python', 'segkd']))
        stack.enter_context(warnings.catch_warnings())
        store._open.cache_clear()
        orientation_of.cache_clear()
        yield
    logging.disable(disabled)
    warnings.showwarning = show
    for name in [name for name in log if name != 'mmengine']:
        for handler in log.pop(name).handlers:
            handler.close()
    for kept in (Visualizer, SegLocalVisualizer, MessageHub):
        kept._instance_dict.clear()


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def fault(one: Case, outcome: Outcome) -> str | None:
    """What is wrong with how a case ended; None if it passed."""
    if outcome.exit is None:
        return f'a traceback: {outcome.said.strip().splitlines()[-1]}'
    if 'Traceback' in outcome.said:
        return 'a traceback in what was printed'
    if outcome.exit != one.exit:
        return f'exit code {outcome.exit}, expected {one.exit}'
    if not re.search(one.says, outcome.said, re.DOTALL):
        return f'the message has no {one.says!r}'
    return None


def message(outcome: Outcome) -> str:
    """The message of a command, without what was printed before it, in one line."""
    lines = outcome.said.splitlines()
    text = '\n'.join(line for line in lines if line.startswith('warning: '))
    if outcome.exit != 0:
        text = re.split(r'^(?:segkd.*: )?error: ', outcome.said, flags=re.MULTILINE)[-1]
        text = re.sub(r'.*(?=\d+ of \d+ could not be read)', '', text, flags=re.DOTALL)
    line = ' '.join(text.split()).replace(f'{config_dir().parent}{os.sep}', '').replace('|', '/')
    line = line.replace('<!--', '(').replace('-->', ')')  # which would be markers of the guide
    return line if len(line) <= SHOWN else f'{line[:SHOWN]} ...'


def measure(groups: Sequence[str], verbose: bool) -> list[dict]:
    """Run the cases of some groups; gives a row for each."""
    rows = []
    with TemporaryDirectory() as place:
        experiment = Path(place, 'experiment')
        experiment.mkdir()
        make_experiment(experiment)
        for group in groups:
            for number, one in enumerate(cases()[group]):
                folder, start = Path(place, f'{group}_{number}'), time.process_time()
                outcome = run_case(one, experiment, folder)
                rows.append({
                    'group': group, 'input': one.given, 'command': f'segkd {one.words}',
                    'exit': outcome.exit, 'message': message(outcome).replace(str(folder), '.'),
                    'fault': fault(one, outcome), 'seconds': time.process_time() - start,
                })  # fmt: skip
                shutil.rmtree(folder)
                report(rows[-1], verbose)
    return rows


def report(row: dict, verbose: bool) -> None:
    """Print a case that failed; or any."""
    if row['fault'] or verbose:
        print(f'{row["group"]}: {row["input"]}: {row["fault"]}\n    {row["message"]}', flush=True)


def table(rows: list[dict]) -> list[dict]:
    """The rows as the guide shows them."""
    shown = []
    for row in rows:
        how = f'exit {row["exit"]}' if row['exit'] else 'goes on, rightly'
        happens = ': '.join(filter(None, [how, row['message']]))
        shown.append({'input': f'{row["group"]}: {row["input"]}', 'what happens': happens})
    return shown


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', default='work_dirs/bad_inputs.json', metavar='JSON')
    parser.add_argument('--groups', nargs='+', choices=GROUPS, default=[*GROUPS])
    parser.add_argument('--verbose', action='store_true', help='print each message')
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = measure(args.groups, args.verbose)
    failed = [row for row in rows if row['fault']]
    seconds = sum(row['seconds'] for row in rows)
    print(f'{len(rows) - len(failed)} of {len(rows)} cases passed, {seconds:.0f} s of CPU.')
    write_result(args.out, {'cases': rows, 'passed': len(rows) - len(failed), 'table': table(rows)})
    sys.exit(bool(failed))


if __name__ == '__main__':
    main()
