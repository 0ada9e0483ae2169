"""Which light students distil here: each is built beside a small teacher and takes one step.

Examples:
  python benchmarks/students.py mmseg --out results/benchmark/mmseg_students.json
  python benchmarks/students.py timm --out results/benchmark/timm_trunks.json
  python benchmarks/students.py timm repvit_m0_9 starnet_s1

`mmseg` builds the light models of mmseg's own configs as they are. `timm` builds light trunks of
timm with the head of `mnv3s_slim`, which takes all of the trunk's taps, as they are and with
`output_stride=16`. The step is forward, backward and optimizer on two images of noise, with a term
on the logits; weights are random, and nothing is downloaded. Of a student that fails, the table
has the error.
"""

import argparse
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory

import mmseg
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS

from segkd_mm.backbones import Tap, TimmTapBackbone
from segkd_mm.config import load_config
from segkd_mm.hints import did_you_mean
from segkd_mm.measure.step_cost import random_batch
from segkd_mm.results.files import write_result
from segkd_mm.results.tables import console_table, wide_console

CONFIGS = Path(mmseg.__file__).parent / '.mim' / 'configs'
CROP = (128, 192)
LOGITS = 'decode_head.conv_seg'
# mmseg's light models: their config.
MMSEG = {
    'BiSeNetV1-R18': 'bisenetv1/bisenetv1_r18-d32_4xb4-160k_cityscapes-1024x1024.py',
    'BiSeNetV2': 'bisenetv2/bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024.py',
    'CGNet': 'cgnet/cgnet_fcn_4xb4-60k_cityscapes-680x680.py',
    'DDRNet-23-slim': 'ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py',
    'ERFNet': 'erfnet/erfnet_fcn_4xb4-160k_cityscapes-512x1024.py',
    'Fast-SCNN': 'fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py',
    'ICNet-R18': 'icnet/icnet_r18-d8_4xb2-80k_cityscapes-832x832.py',
    'LR-ASPP MobileNetV3-Large': (
        'mobilenet_v3/mobilenet-v3-d8-scratch_lraspp_4xb4-320k_cityscapes-512x1024.py'
    ),
    'LR-ASPP MobileNetV3-Small': (
        'mobilenet_v3/mobilenet-v3-d8-scratch-s_lraspp_4xb4-320k_cityscapes-512x1024.py'
    ),
    'DeepLabV3+ MobileNetV2': (
        'mobilenet_v2/mobilenet-v2-d8_deeplabv3plus_4xb2-80k_cityscapes-512x1024.py'
    ),
    'FCN MobileNetV2': 'mobilenet_v2/mobilenet-v2-d8_fcn_4xb2-80k_cityscapes-512x1024.py',
    'PSPNet MobileNetV2': 'mobilenet_v2/mobilenet-v2-d8_pspnet_4xb2-80k_cityscapes-512x1024.py',
    'OCRNet-HR18s': 'ocrnet/ocrnet_hr18s_4xb2-40k_cityscapes-512x1024.py',
    'PIDNet-S': 'pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes.py',
    'SegFormer-B0': 'segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py',
    'SegNeXt-T': 'segnext/segnext_mscan-t_1xb16-adamw-160k_ade20k-512x512.py',
    'STDC1': 'stdc/stdc1_4xb12-80k_cityscapes-512x1024.py',
    'STDC2': 'stdc/stdc2_4xb12-80k_cityscapes-512x1024.py',
    'U-Net': 'unet/unet-s5-d16_fcn_4xb4-160k_cityscapes-512x1024.py',
}
# What some of them need beyond the config.
TAPS = {'OCRNet-HR18s': 'decode_head.1.conv_seg'}
LRASPP = 'crops with sides of 385 pixels or more'
NEEDS = {
    'LR-ASPP MobileNetV3-Large': LRASPP,
    'LR-ASPP MobileNetV3-Small': LRASPP,
    'PIDNet-S': '`GenerateEdge` in the training pipeline',
}
CROPS = dict.fromkeys([name for name, needed in NEEDS.items() if needed is LRASPP], (416, 448))

TIMM = (
    'mobilenetv4_conv_small', 'mobilenetv4_conv_medium', 'repvit_m0_9', 'repvit_m1',
    'tf_efficientnet_lite0', 'edgenext_xx_small', 'edgenext_x_small', 'starnet_s1', 'starnet_s2',
    'starnet_s3', 'hgnetv2_b0', 'fastvit_t8', 'efficientvit_b0', 'efficientvit_b1',
    'efficientvit_m0', 'mobileone_s0', 'repghostnet_100', 'ghostnet_100', 'ghostnetv2_100',
    'ghostnetv3_100', 'mobilenetv3_small_100', 'mobilenetv3_large_100', 'mobilenetv2_100',
    'mobilenetv1_100', 'lcnet_050', 'lcnet_100', 'convnext_atto', 'convnext_femto',
    'convnextv2_atto', 'inception_next_atto', 'fasternet_t0', 'efficientformerv2_s0',
    'swin_tiny_patch4_window7_224', 'vit_tiny_patch16_224', 'vit_small_patch16_dinov3', 'shvit_s1',
    'tinynet_a', 'tinynet_e', 'mnasnet_small', 'semnasnet_075', 'mixnet_s', 'rexnet_100',
    'regnetx_002', 'efficientnet_b0', 'cs3darknet_s', 'darknet17', 'poolformer_s12',
    'mobilevit_xxs', 'mambaout_femto', 'swiftformer_xs', 'pvt_v2_b0', 'tiny_vit_5m_224',
    'hrnet_w18_small', 'resnet10t', 'resnet18', 'repvgg_a0',
)  # fmt: skip
OPTIONS = {'efficientformerv2_s0': {'img_size': CROP}}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('library', choices=['mmseg', 'timm'], help='where the students are from')
    parser.add_argument('names', nargs='*', help='of models of mmseg, or trunks (default: all)')
    parser.add_argument(
        '--out', default='work_dirs/students.json', metavar='JSON', help='default: %(default)s'
    )
    return parser.parse_args()


def mmseg_row(name: str, folder: Path) -> dict:
    """Build and step a model of mmseg.

    Raises:
        ValueError: Not one of ``MMSEG``.
    """
    if name not in MMSEG:
        raise ValueError(f'No {name!r}{did_you_mean(name, MMSEG)}; expected one of {list(MMSEG)}.')
    student = Config.fromfile(CONFIGS / MMSEG[name]).model
    tap, crop = TAPS.get(name, LOGITS), CROPS.get(name, CROP)
    found = distil(student, folder, tap, crop)
    note = found.pop('note') or NEEDS.get(name)
    return {
        'student': name,
        **found,
        'tap of the logits': f'`{tap}`',
        'it needs': note,
        "mmseg's config": f'`{MMSEG[name]}`',
    }


def timm_row(arch: str, folder: Path) -> dict:
    """Build and step a slim student on a trunk of timm, also with output_stride=16.

    Raises:
        ValueError: timm has no such model.
    """
    backbone = dict(type='TimmTapBackbone', arch=arch, options=OPTIONS.get(arch))
    with torch.device('meta'):
        taps = TimmTapBackbone(arch, options=OPTIONS.get(arch)).taps
    found = distil(slim(backbone, taps), folder, LOGITS, CROP)
    at_16 = distil(slim({**backbone, 'output_stride': 16}, taps), folder, LOGITS, CROP)
    note = found.pop('note') or (f'`options=dict({keywords(arch)})`' if arch in OPTIONS else None)
    return {
        'trunk': f'`{arch}`',
        **found,
        'taps': ', '.join(f'{tap.name} {tap.channels}' for tap in taps),
        'at strides': ', '.join(str(tap.stride) for tap in taps),
        'output_stride=16': at_16['distils'],
        'it needs': note,
    }


def keywords(arch: str) -> str:
    """The options of a trunk as they are written in a config."""
    return ', '.join(f'{key}={value}' for key, value in OPTIONS[arch].items())


def slim(backbone: dict, taps: tuple[Tap, ...]) -> dict:
    """A student on a trunk with the slim head on all its taps, from deep to shallow."""
    student = load_config('_base_/students/mnv3s_slim.py').student
    skips = list(range(len(taps) - 1))[::-1]
    indices = [*skips, len(taps) - 1]
    student.backbone = backbone
    student.decode_head.update(
        in_channels=[taps[index].channels for index in indices],
        in_index=indices,
        skip_channels=[32 for _ in skips],
    )
    return student


def distil(student: dict, folder: Path, tap: str, crop: tuple[int, int]) -> dict:
    """What came of building and stepping a student: parameters, whether it distils, the error."""
    student.data_preprocessor = {**load_config('_base_/datasets/voc.py').preprocessor, 'size': crop}
    torch.manual_seed(0)
    try:
        model = MODELS.build(distiller(student, folder, tap)).train()
        step(model, crop)
    except Exception as error:  # whatever a library raises belongs in the table
        return {'parameters': None, 'distils': 'no', 'note': f'{type(error).__name__}: {error}'}
    count = sum(parameter.numel() for parameter in model.student.parameters())
    return {'parameters': count, 'distils': 'yes', 'note': None}


def distiller(student: dict, folder: Path, tap: str) -> dict:
    """The config of a distillation of a student's logits."""
    head = student.decode_head
    classes = (head[-1] if isinstance(head, list) else head).num_classes
    loss = dict(type='PixelKLLoss', temperature=2.0, loss_weight=1.0)
    term = dict(student=tap, teacher=LOGITS, loss=loss)
    teacher = small_teacher(classes, folder)
    return dict(type='SegDistiller', student=student, teacher=teacher, terms=dict(logits=term))


def step(model: torch.nn.Module, crop: tuple[int, int]) -> None:
    """One training step.

    Raises:
        ValueError: A loss is not finite, or the term is 0.
    """
    wrapper = build_optim_wrapper(model, dict(optimizer=dict(type='SGD', lr=0.01)))
    losses = model.train_step(batch(crop, model.teacher.model.num_classes), wrapper)
    if not all(torch.isfinite(loss) for loss in losses.values()):
        raise ValueError(f'losses that are not finite: {losses}')
    if not losses['terms.logits.loss'] > 0:
        raise ValueError('the term is 0')


def batch(crop: tuple[int, int], num_classes: int) -> dict:
    """Two images of noise with masks, and with edges, which PIDNet learns."""
    made = random_batch(2, crop, num_classes)
    for sample in made['data_samples']:
        sample.gt_edge_map = PixelData(data=torch.randint(0, 2, (1, *crop)))
    return made


def small_teacher(num_classes: int, folder: Path) -> dict:
    """The config of a teacher with random weights."""
    model = load_config('_base_/students/mnv3s_nano.py').student
    model.decode_head.num_classes = num_classes
    torch.save(MODELS.build(deepcopy(model)).state_dict(), folder / 'teacher.pth')
    return dict(type='Teacher', checkpoint=str(folder / 'teacher.pth'), model=model)


def main() -> None:
    """Run the command line."""
    args = parse_args()
    init_default_scope('mmseg')
    known, row = (MMSEG, mmseg_row) if args.library == 'mmseg' else (TIMM, timm_row)
    with TemporaryDirectory() as folder:
        table = [row(name, Path(folder)) for name in args.names or known]
    write_result(args.out, {'crop': list(CROP), 'batch': 2, 'table': table})
    wide_console().print(console_table(table))
    print(f'Result: {args.out}')


if __name__ == '__main__':
    main()
