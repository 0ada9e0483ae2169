from pathlib import Path
from shutil import copy

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from PIL import Image
from run_command import run_command

from segkd_mm.cli import predict_video  # noqa: F401  imports what a test replaces
from segkd_mm.config import load_config
from segkd_mm.deploy import videos
from segkd_mm.deploy.loading import class_names
from segkd_mm.deploy.videos import Video
from segkd_mm.visualize.label_maps import read_label_map
from segkd_mm.visualize.videos import named_overlay, video_written
from segkd_mm.weights import WeightsError

pytestmark = pytest.mark.slow

CONFIG = 'student/mnv3s_slim_shapes.py'


@pytest.fixture(scope='module')
def model():
    """A student with random weights that tells classes apart."""
    init_default_scope('mmseg')
    torch.manual_seed(1)
    model = MODELS.build(load_config(CONFIG).model).eval()
    model.decode_head.conv_seg.weight.data.mul_(20)
    return model


@pytest.fixture
def checkpoint(model, tmp_path):
    path = tmp_path / 'student.pth'
    torch.save({'state_dict': model.state_dict()}, path)
    return path


@pytest.fixture
def images(shapes, tmp_path):
    """Two folders with an image of the same name in each, and one more in the first."""
    sources = sorted((shapes / 'JPEGImages').glob('val_*.jpg'))
    for source, target in zip(sources, ['a/1.jpg', 'a/2.jpg', 'b/1.jpg'], strict=False):
        (tmp_path / target).parent.mkdir(exist_ok=True)
        copy(source, tmp_path / target)
    return tmp_path


@pytest.fixture
def call(checkpoint, tmp_path, monkeypatch, capsys):
    """Run the tool in the folder of the images, where no data set is; give what it prints."""
    monkeypatch.chdir(tmp_path)

    def run_tool(*words, config=CONFIG, checkpoint=checkpoint):
        words = [config, checkpoint, *words, '--device', 'cpu']
        run_command('predict', *words)
        return capsys.readouterr().out

    return run_tool


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob('*.png'))


def test_folders_and_their_names_are_kept_apart_and_no_data_set_is_needed(call, images):
    said = call('a', 'b', '--out', 'out')
    assert 'Pictures of 3 images: out' in said
    assert files_in('out') == ['a/1.png', 'a/2.png', 'b/1.png']
    assert cv2.imread('out/a/1.png').shape[1] > 1500
    assert not Path('data').exists()


def test_masks_hold_the_class_ids_of_the_model(call, images, model):
    shapes_palette = class_names(load_config(CONFIG))['palette']
    image = cv2.resize(cv2.imread('a/2.jpg'), (150, 90))
    cv2.imwrite('odd.png', image)
    said = call('odd.png', '--out', 'out', '--masks')
    assert 'Masks: out/masks' in said
    assert files_in('out') == ['masks/odd.png', 'odd.png']

    mean, std = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
    inputs = torch.tensor((image[..., ::-1] - mean) / std, dtype=torch.float32).permute(2, 0, 1)
    with torch.inference_mode():
        logits = model(inputs[None])
    wanted = F.interpolate(logits, (90, 150), mode='bilinear').argmax(1)[0].numpy()
    assert Image.open('out/masks/odd.png').getpalette()[3:6] == shapes_palette[1]
    mask = read_label_map('out/masks/odd.png')
    assert len(np.unique(wanted)) > 1
    assert (mask == wanted).mean() > 0.999


def test_windows_give_an_image_that_fits_into_one_the_same_labels(call, images):
    call('a/1.jpg', '--out', 'whole', '--masks')
    said = call('a/1.jpg', '--out', 'one', '--masks', '--window', 192)
    assert 'windows/s' in said
    assert Path('one/masks/1.png').read_bytes() == Path('whole/masks/1.png').read_bytes()
    call('a/1.jpg', '--out', 'several', '--masks', '--window', 64, '--overlap', 0)
    assert Path('several/masks/1.png').read_bytes() != Path('whole/masks/1.png').read_bytes()


def test_the_picture_shows_the_image_in_its_colours(call, images):
    cv2.imwrite('red.png', np.full((40, 40, 3), (0, 0, 250)))  # OpenCV's order: blue, green, red
    call('red.png', '--out', 'out')
    picture = cv2.imread('out/red.png')
    height, width = picture.shape[:2]
    assert picture[height // 2, width // 6].tolist() == [0, 0, 250]


@pytest.fixture
def film(images):
    """A video of odd size: one image eight times, ever darker."""
    image = cv2.resize(cv2.imread('a/1.jpg'), (151, 91))
    with video_written('film.mp4', rate=4) as file:
        for light in range(8, 0, -1):
            file.add((image[..., ::-1] * (light / 8)).astype(np.uint8))
    return 'film.mp4'


def test_a_video_becomes_a_video_with_an_overlay_and_label_maps(call, film, model):
    Path('bad.mp4').write_bytes(Path(film).read_bytes()[:3000])
    with pytest.raises(SystemExit, match=r'1 of 3 could not .*\n  .*/bad\.mp4: damaged, or no'):
        call(film, 'bad.mp4', 'a/1.jpg', '--out', 'out', '--masks')
    assert files_in('out/masks') == ['1.png', *[f'film/{i:06}.png' for i in range(8)]]
    names = class_names(load_config(CONFIG))
    shown, originals = [*Video('out/film.mp4')], [*Video(film)]
    assert (len(shown), Video('out/film.mp4').rate) == (8, 4)
    for number, (picture, frame) in enumerate(zip(shown, originals, strict=True)):
        labels = read_label_map(f'out/masks/film/{number:06}.png')
        wanted = named_overlay(frame[..., ::-1], labels, names['classes'], names['palette'])
        of_codec = np.abs(picture[..., ::-1].astype(int) - wanted).mean()
        assert of_codec < 12 and of_codec < 0.3 * np.abs(wanted.astype(int) - frame).mean()
    assert not Path('out/bad.mp4').exists()


@pytest.mark.parametrize('end', [KeyboardInterrupt(), RuntimeError('out of memory')])
def test_a_camera_is_recorded_in_real_time_until_ctrl_c_or_an_error(call, film, monkeypatch, end):
    """A file stands for the camera."""
    # A quarter of a second for each frame of the video. The first one is shown until 0.3, so twice;
    # the second, at 0.2, comes too early; the third, at 0.6, fills to 1.0; the fourth is the fifth.
    times = iter([0.0, 0.0, 0.3, 0.2, 0.6, 1.0, 1.1])

    def clock():
        for now in times:
            return now
        raise end

    with monkeypatch.context() as patch:
        patch.setattr(videos, 'checked_source', lambda source: film)
        patch.setattr('segkd_mm.visualize.videos.monotonic', clock)
        patch.setattr('segkd_mm.cli.predict_video.monotonic', clock)
        if isinstance(end, Exception):
            with pytest.raises(
                SystemExit, match=r'out of memory\. 5 frames are in .*camera_0\.mp4'
            ):
                call('camera:0', '--out', 'out')
        else:
            call('camera:0', '--out', 'out')
    assert len([*Video('out/camera_0.mp4')]) == 5


@pytest.mark.parametrize(
    ('source', 'error', 'message'),
    [
        ('no.mp4', FileNotFoundError, r'/no\.mp4 does not exist; expected a video file'),
        ('camera:front', ValueError, 'camera:front: expected camera: and a number'),
    ],
)
def test_a_video_that_is_not_there_is_an_error_at_once(call, source, error, message):
    with pytest.raises(error, match=message):
        call(source, '--out', 'out', checkpoint='none.pth')


def test_a_camera_that_is_not_there_is_named():
    with pytest.raises(OSError, match='camera:99: no such camera'):
        Video('camera:99')


def test_unreadable_images_are_named_and_the_others_predicted(call, images):
    whole = Path('a/1.jpg').read_bytes()
    Path('b/empty.jpg').touch()
    Path('b/text.png').write_text('no image')
    Path('b/cut.png').write_bytes(cv2.imencode('.png', cv2.imread('a/1.jpg'))[1].tobytes()[:5000])
    Path('b/notes.txt').write_text('not asked for')
    Path('b/._1.jpg').write_bytes(whole)  # as a Mac leaves on other systems
    with pytest.raises(SystemExit) as stop:
        call('b', '--out', 'out')
    first, *lines = str(stop.value.code).splitlines()
    assert first == '3 of 4 could not be read:'
    found = '5000 bytes that cannot be decoded', 'an empty file', '8 bytes that cannot be decoded'
    for line, name, what in zip(lines, ('cut.png', 'empty.jpg', 'text.png'), found, strict=True):
        assert line.startswith(f'  {images}/b/{name}: found {what}, expected a whole image.')
    assert files_in('out') == ['1.png']


def test_an_image_named_twice_is_predicted_once(call, images):
    assert 'Pictures of 2 images' in call('a/1.jpg', 'a', 'a/../a/1.jpg', '--out', 'out')
    assert files_in('out') == ['1.png', '2.png']


def test_pictures_of_an_earlier_run_are_no_images(call, images):
    for _ in range(2):
        assert 'Pictures of 2 images' in call('a', '--out', 'a/out')
    assert files_in('a/out') == ['1.png', '2.png']


def test_a_folder_of_images_may_lie_in_the_folder_of_the_pictures(call, images):
    assert 'Pictures of 3 images' in call('.', '--out', '.')
    assert files_in('.') == ['a/1.png', 'a/2.png', 'b/1.png']


def test_images_are_not_overwritten(call, images):
    cv2.imwrite('c.png', np.zeros((20, 20, 3)))
    before = Path('c.png').read_bytes()
    with pytest.raises(ValueError, match=r'/c\.png would be overwritten; choose .* --out'):
        call('c.png', '--out', '.')
    assert Path('c.png').read_bytes() == before


@pytest.mark.parametrize(
    ('paths', 'message'),
    [
        (['a', 'nix.jpg'], r'/nix\.jpg does not exist; expected an image or a folder'),
        (['none'], r'No images in .*/none; expected files that end in \.jpg'),
    ],
)
def test_nothing_to_predict_is_an_error(call, images, paths, message):
    Path('none').mkdir()
    with pytest.raises(FileNotFoundError, match=message):
        call(*paths, '--out', 'out')
    assert not Path('out').exists()


def test_a_distillation_config_predicts_with_its_student(call, images, model):
    state = {**model.state_dict(), 'terms.mid.adapter.weight': torch.ones(1)}
    torch.save(state, 'kd.pth')
    call('a', '--out', 'kd', '--masks', config='kd/response_kd_shapes.py', checkpoint='kd.pth')
    call('a', '--out', 'plain', '--masks')
    kd, plain = (read_label_map(f'{name}/masks/1.png') for name in ('kd', 'plain'))
    assert np.array_equal(kd, plain)


def test_weights_that_do_not_fit_are_an_error(call, images, model):
    state = model.state_dict()
    del state['decode_head.conv_seg.weight']
    torch.save(state, 'other.pth')
    with pytest.raises(WeightsError, match=r'missing: decode_head\.conv_seg\.weight'):
        call('a', '--out', 'out', checkpoint='other.pth')
    assert not Path('out').exists()


def test_classes_and_colours_are_those_that_the_config_chooses():
    classes = ('dog', 'cat')
    config = load_config('student/mnv3s_slim_voc.py', {'data_root': '/nowhere'})
    config.test_dataloader.dataset.metainfo = dict(classes=classes)
    meta = class_names(config)
    # PASCAL VOC's own colours.
    assert meta['classes'] == classes
    assert [list(colour) for colour in meta['palette']] == [[64, 0, 128], [64, 0, 0]]
