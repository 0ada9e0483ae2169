import cv2
import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

from segkd_mm.config import load_config
from segkd_mm.deploy import upsampled_label_map
from segkd_mm.weights import read_state_dict, rename_keys

# As in docs/systems.md.
ASPP = 'decode_head.aspp'
TEACHER_KEYS = {
    'features': 'backbone.body',
    'cls': 'decode_head.conv_seg',
    'pool.0': f'{ASPP}.branches.0.conv.conv',
    'pool.1': f'{ASPP}.branches.0.conv.bn',
    'aspp0.0': f'{ASPP}.branches.1.conv',
    'aspp0.1': f'{ASPP}.branches.1.bn',
    'proj.0': f'{ASPP}.project.conv',
    'proj.1': f'{ASPP}.project.bn',
}


def check(logits, size, align_corners=False):
    """The labels are those of upsampling and argmax, but where two classes tie within rounding."""
    scores = F.interpolate(logits, size, mode='bilinear', align_corners=align_corners)
    wanted = scores.argmax(1)
    found = upsampled_label_map(logits, size, align_corners)
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    assert (found != wanted).float().mean() < 1e-4
    loss = scores.amax(1) - scores.gather(1, found[:, None])[:, 0]
    assert loss.max() <= 1e-5 * logits.abs().max()


def scene(classes, size, seed=0):
    """Logits [2, C, h, w] in which classes have regions, as in an image."""
    torch.manual_seed(seed)
    coarse = 10 * torch.randn(2, classes, 5, 7)
    return F.interpolate(coarse, size, mode='bicubic')


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('size', [(1, 1), (7, 3), (64, 64), (90, 61), (513, 1), (200, 331)])
@pytest.mark.parametrize('low', [(1, 1), (1, 9), (17, 1), (2, 2), (32, 33)])
def test_labels_of_noise(low, size, align_corners):
    torch.manual_seed(0)
    check(torch.randn(2, 5, *low), size, align_corners)


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize(
    ('classes', 'low', 'size'),
    [
        (21, (128, 64), (512, 256)),
        (19, (60, 41), (481, 333)),
        (150, (20, 23), (160, 190)),
        (300, (10, 12), (80, 96)),
        (2, (90, 120), (360, 480)),
        (1, (9, 9), (36, 36)),
        (11, (90, 120), (45, 50)),
    ],
)
def test_labels_of_regions(classes, low, size, align_corners):
    check(scene(classes, low), size, align_corners)


def test_a_class_that_wins_at_no_corner_wins_between():
    # At the eight pixels the second corner weighs 0, 0, 1/8, 3/8, 5/8, 7/8, 1 and 1.
    logits = torch.tensor([[10.0, 0.0], [0.0, 10.0], [7.0, 7.0], [6.9, 6.9]])[None, :, None]
    assert upsampled_label_map(logits, (1, 8)).tolist() == [[[0, 0, 0, 2, 2, 1, 1, 1]]]
    rows = upsampled_label_map(logits.transpose(2, 3), (8, 1))
    assert rows.flatten().tolist() == [0, 0, 0, 2, 2, 1, 1, 1]


def test_of_equal_classes_the_first():
    logits = torch.zeros(1, 4, 3, 3)
    assert upsampled_label_map(logits, (7, 7)).unique().tolist() == [0]
    logits[:, 1:3] = torch.rand(3, 3) + 1
    assert upsampled_label_map(logits, (7, 7)).unique().tolist() == [1]


def test_each_image_has_its_own_labels():
    logits = scene(6, (24, 24))
    both = upsampled_label_map(logits, (96, 96))
    assert not both[0].equal(both[1])
    for image, labels in zip(logits, both, strict=True):
        assert upsampled_label_map(image[None], (96, 96))[0].equal(labels)


def test_many_classes_keep_their_numbers():
    logits = torch.full((1, 301, 2, 2), -1.0)
    logits[0, 300, :, 0] = logits[0, 260, :, 1] = 1
    assert upsampled_label_map(logits, (1, 4)).tolist() == [[[300, 300, 260, 260]]]


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_upsampled_in_float32(dtype):
    logits = scene(21, (40, 40)).to(dtype)
    labels = upsampled_label_map(logits, (160, 160))
    assert labels.equal(upsampled_label_map(logits.float(), (160, 160)))


def test_other_layouts_and_kinds_of_logits():
    logits = scene(8, (30, 50))
    wanted = upsampled_label_map(logits, (120, 200))
    for other in (
        logits.double(),
        logits.contiguous(memory_format=torch.channels_last),
        logits.clone().requires_grad_(),
        F.pad(logits, (3, 3, 3, 3))[..., 3:-3, 3:-3],
    ):
        assert (upsampled_label_map(other, (120, 200)) != wanted).float().mean() < 1e-4
    torch.manual_seed(0)
    check(torch.randn(1, 4, 9, 9, dtype=torch.float64), (77, 50))


def test_labels_of_real_images_by_a_trained_model(real_data):
    model = MODELS.build(load_config('teacher/deeplabv3_mnv2_voc.py').model).eval()
    state = read_state_dict(real_data / 'weights/deeplabv3_mobilenet_v2_voc.pth')
    model.load_state_dict(rename_keys(state, TEACHER_KEYS, 'the weights'))
    voc = real_data / 'voc/VOC2012'
    for name in (voc / 'ImageSets/Segmentation/val.txt').read_text().split()[:3]:
        image = torch.from_numpy(cv2.imread(f'{voc}/JPEGImages/{name}.jpg')).permute(2, 0, 1)
        with torch.inference_mode():
            logits = model(model.data_preprocessor({'inputs': [image]})['inputs'])
        assert len(logits.argmax(1).unique()) > 1
        for size in (image.shape[1:], (512, 512)):
            check(logits, size)
            check(logits, size, align_corners=True)
