"""The tool on a small COCO file, as its command line runs it, and what its options refuse."""

import json

import numpy as np
import pytest
from PIL import Image

from segkd_mm.datasets import FolderDataset

TOOL = 'tools/convert_dataset.py'


@pytest.fixture
def coco(tmp_path):
    """Images in folders of splits: a road, and a car on it."""
    entries = [{'id': i, 'file_name': f'{part}/a.jpg', 'width': 30, 'height': 20}
               for i, part in enumerate(('train', 'val'))]  # fmt: skip
    for entry in entries:
        path = tmp_path / 'images' / entry['file_name']
        path.parent.mkdir(parents=True)
        Image.new('RGB', (30, 20), 'grey').save(path)
    boxes = {1: [0, 10, 30, 10, 30, 20, 0, 20], 2: [5, 8, 15, 8, 15, 18, 5, 18]}
    annotations = [
        {'id': 10 * image + key, 'image_id': image, 'category_id': key, 'segmentation': [points],
         'iscrowd': 0}
        for image in (0, 1) for key, points in boxes.items()
    ]  # fmt: skip
    categories = [{'id': i, 'name': name} for i, name in enumerate(['tram', 'road', 'car'])]
    content = {'images': entries, 'annotations': annotations, 'categories': categories}
    file = tmp_path / 'instances.json'
    file.write_text(json.dumps(content))
    return file


@pytest.mark.slow
def test_a_data_set_is_made_that_the_lines_it_prints_read(script, coco, tmp_path):
    out = tmp_path / 'out'
    done = script(TOOL, 'coco', '--annotations', coco, '--images', tmp_path / 'images',
                  '--out', out)  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert 'Where annotations overlap, the smaller one is on top.' in said
    assert 'Pixels without annotation: background.' in said
    assert 'Without a pixel: tram. Nothing can learn them.' in said
    assert f'2 images and masks: {out}' in said and 'contact_sheet.png first' in said
    # Of 600 pixels the road has 300, less the 80 under the car; the car has 100.
    row = next(line for line in said.splitlines() if ' road ' in line)
    assert [cell.strip() for cell in row.strip('│ ').split('│')] == ['2', 'road', '2', '36.67', '2']

    lines = said[said.index('data = dict(') :]
    assert 'shares' not in lines  # as there are the folders train and val
    scope = {}
    exec(lines, scope)
    data = scope['data']
    assert data.pop('type') == 'FolderDataset'
    sample = FolderDataset(**data, split='train', pipeline=[])[0]
    mask = np.array(Image.open(sample['seg_map_path']))
    names = ['background', 'tram', 'road', 'car']
    assert data['classes'] == names
    assert [names[i] for i in mask[[0, 9, 12, 19], [0, 5, 5, 5]]] == [
        'background', 'car', 'car', 'road',
    ]  # fmt: skip


def test_an_error_is_one_line_and_leaves_nothing(script, coco, tmp_path):
    done = script(TOOL, 'coco', '--annotations', coco, '--out', tmp_path / 'out')
    assert done.returncode == 1
    start = f'error: {coco}: images[0]: found no file {tmp_path}/train/a.jpg, expected'
    assert done.stderr.startswith(start)
    assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    ('words', 'match'),
    [
        (['coco', '--names', 'data.yaml'], '--names goes with yolo, not coco'),
        (['voc', '--all-labels'], '--all-labels goes with cityscapes, not voc'),
        (['voc'], '--classes background aeroplane bicycle bird boat'),
        (['voc', '--classes', 'a', '--unlabelled', 'void'], 'voc masks say what each pixel is'),
        (['yolo'], 'YOLO labels hold no names: give --names data.yaml'),
    ],
)
def test_options_that_contradict_the_format_are_refused(script, tmp_path, words, match):
    done = script(TOOL, *words, '--annotations', tmp_path, '--out', tmp_path / 'out')
    assert done.returncode == 2
    assert match in done.stderr


@pytest.mark.parametrize(('chosen', 'road'), [(['road', 'car'], 1), (['car', 'road'], 2)])
def test_classes_of_a_data_yaml_are_chosen_or_all_are_given(
    script, tmp_path, monkeypatch, chosen, road
):
    monkeypatch.setattr('segkd_mm.convert.writing.draw_sheet', lambda *_: None)
    Image.new('RGB', (6, 4)).save(tmp_path / 'a.jpg')
    (tmp_path / 'a.txt').write_text('0 0 0 1 0 1 1 0 1')
    (tmp_path / 'data.yaml').write_text('names: [road, sky, car]')
    words = ['--names', tmp_path / 'data.yaml', '--classes', *chosen]
    done = script(TOOL, 'yolo', '--annotations', tmp_path, *words, '--out', tmp_path / 'out')
    assert done.returncode == 0, done.stderr
    assert np.unique(Image.open(tmp_path / 'out/masks/a.png')).tolist() == [road]
