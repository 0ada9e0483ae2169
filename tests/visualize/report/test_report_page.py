import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from threading import Timer

import pytest
from run_command import run_command

from segkd_mm.visualize.report import browser
from segkd_mm.visualize.report.browser import make_browser
from segkd_mm.visualize.report.runs import read_runs

LABELLED = 'select', 'input'


class Page(HTMLParser):
    """What of a page the tests look at."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.addresses, self.unlabelled, self.data, self.open = [], [], [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids += [attrs['id']] if 'id' in attrs else []
        self.addresses += [attrs[key] for key in ('src', 'href', 'xlink:href') if key in attrs]
        if tag in LABELLED and 'aria-label' not in attrs and 'label' not in self.open:
            self.unlabelled.append(attrs)
        if tag not in ('meta', 'link', 'input', 'br'):
            self.open.append(tag)
            self.now = attrs.get('id')

    def handle_endtag(self, tag):
        while tag in self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if self.open[-1:] == ['script'] and self.now and data.strip():
            self.data[self.now] = json.loads(data)


@pytest.fixture
def page(work_dirs):
    """The HTML of a report of both runs."""

    def make(*words):
        runs = [work_dirs / 'plain', work_dirs / 'kd']
        assert run_command('report', *runs, '--out', 'r.html', *words) == 0
        return (work_dirs.parent / 'r.html').read_text()

    return make


def test_the_page_has_all_parts_and_needs_nothing_else(page, work_dirs, capsys):
    rows = [
        {
            'config': f'{name}.py', 'parameters': 10, 'gmacs': 1.0, 'peak_memory_mib': 2.0,
            'labels': {'median_ms': 5.0, 'fps': 200.0}, 'pareto': True, 'mIoU_per_ms': 8.0,
            'mIoU': {'mean': 40.0, 'std': None, 'seeds': [0], 'data': 'VOC test, 3 images'},
        }
        for name in ('a', 'b')
    ]  # fmt: skip
    benchmark = {'size': [8, 8], 'batch': 1, 'device': 'cpu', 'threads': 1, 'models': rows}
    (work_dirs / 'benchmark.json').write_text(json.dumps(benchmark))
    text = page()
    assert capsys.readouterr().out.startswith('Report: r.html (')
    found = Page(text)
    assert len(found.ids) == len(set(found.ids))
    assert all(address.startswith(('#', 'data:')) for address in found.addresses)
    assert found.unlabelled == []
    sections = {'summary', 'images', 'classes', 'errors', 'curves', 'speed', 'origin'}
    assert sections <= set(found.ids)
    assert 'Not in this report' not in text
    assert 'car &lt;b&gt;' in text and 'car <b>' not in text
    assert 'data_root=/my data' in text and 'abc, with changes' in text
    # Of plain 5 of 12 sky pixels are taken for road: IoU of sky 7/12, of road 6/11, of car 1.
    index = found.data['index']
    assert [one['name'] for one in index['entries']] == ['0', '1', '2']
    assert index['entries'][0]['scores'][0]['errors'] == [[0, 1, 57.14]]
    assert f'{100 * (7 / 12 + 6 / 11 + 1) / 3:.1f}' == '71.0'
    assert text.count('<strong>71.0</strong>') == 1
    assert set(found.data['pictures-0']) == {
        'image', 'truth', 'prediction0', 'errors0', 'prediction1', 'errors1', 'differs1',
    }  # fmt: skip
    assert 'aria-label="validation mIoU, % by iteration. plain: 41.5 at iteration 20' in text


def test_missing_parts_are_said_with_the_command_that_makes_them(page, work_dirs):
    (work_dirs / 'kd' / 'test_test.json').unlink()
    (work_dirs / 'plain' / 'pictures' / 'label_maps.json').unlink()
    text = page()
    found = Page(text)
    assert not {'images', 'errors', 'speed'} & set(found.ids)
    made = re.findall(r'<pre tabindex="0"><code>(.*?)</code>', text)
    assert made[0] == 'segkd test configs/a.py best.pth'
    assert made[1].endswith(
        'configs/a.py work_dirs/kd/best.pth --cfg-options &#39;data_root=/my data&#39; '
        '--pictures work_dirs/kd/pictures'
    )
    assert made[2].endswith('configs/a.py') and 'benchmark' in made[2]


def test_label_maps_of_another_test_are_not_shown(work_dirs):
    path = work_dirs / 'kd' / 'test_test.json'
    result = json.loads(path.read_text())
    result['metrics']['mIoU'] -= 1
    path.write_text(json.dumps(result))
    found = make_browser(read_runs([work_dirs / 'plain', work_dirs / 'kd']), 200)
    assert found.runs == ['plain']
    assert 'they are of another test, and not shown' in found.notes[0]


def test_pictures_stay_below_the_bound(work_dirs, monkeypatch):
    (work_dirs.parent / 'data' / '0.png').unlink()
    runs = read_runs([work_dirs / 'plain'])
    found = make_browser(runs, 2)
    assert [one['name'] for one in found.entries] == ['0', '2']
    assert set(found.pictures[0]) == {'truth', 'prediction0', 'errors0'}
    assert '1 image files are no longer there' in found.notes[0]
    monkeypatch.setattr(browser, 'BOUND', sum(map(len, found.pictures[0].values())) + 10)
    found = make_browser(runs, 2)
    assert (len(found.entries), len(found.pictures), found.side) == (1, 1, 160)
    assert 'Only 1 images, as more exceed' in found.notes[0]


# Uses every control and says what came of it; errors of the page are on the console.
STEPS = """
const get = (id) => document.getElementById(id);
const set = (id, value) => {
  get(id).value = value;
  get(id).dispatchEvent(new Event('input', {bubbles: true}));
};
const click = (id) => get(id).click();
const text = (id) => get(id).textContent;
const names = () => [...document.querySelectorAll('.card .name')]
  .map((one) => one.textContent).join('');
const key = (name, more = {}) => get('stage').dispatchEvent(
  new KeyboardEvent('keydown', {key: name, bubbles: true, ...more}));
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const said = {};
addEventListener('load', async () => {
  said.worst = names();
  set('sort', 'best'); said.best = names();
  set('run', '1'); set('sort', 'gain'); said.gain = names();
  set('error', '1'); said.taken = names();
  set('run', '0'); set('class', '0'); said.takenBefore = names();
  set('error', 'missed'); said.missed = names();
  set('error', 'alarm'); said.alarm = names();
  document.querySelector('#filters [type=reset]').click(); await wait(50);
  set('search', '2'); said.search = names();
  document.querySelector('.frequent button').click(); said.cell = names();
  document.querySelector('#filters [type=reset]').click(); await wait(50);
  get('images').scrollIntoView();
  while (document.querySelectorAll('.card img').length < 6) await wait(10);
  said.lazy = document.querySelectorAll('.card img').length;
  document.querySelectorAll('.card')[1].click(); await wait(50);
  said.open = [text('viewer-title'), text('viewer-score'), text('position')].join('; ');
  said.focus = document.activeElement.id;
  said.layers = [text('tag-left'), text('tag-right')].join('; ');
  click('swap'); said.swapped = text('tag-left');
  key('x'); key('3', {code: 'Digit3'}); key('!', {code: 'Digit1', shiftKey: true});
  said.keyed = [text('tag-left'), text('tag-right')].join('; ');
  click('zoom-in'); key('+'); said.zoom = text('zoom'); click('zoom-reset'); key('-');
  said.fit = text('zoom');
  set('divider', 20); key('.');
  said.divider = get('stage').style.getPropertyValue('--at');
  set('opacity', 40); said.opacity = document.querySelector('.world .labels').style.opacity;
  key('ArrowRight'); said.next = text('viewer-title');
  click('previous'); key('p'); said.first = text('viewer-title');
  said.disabled = get('previous').disabled;
  click('close'); await wait(50);
  said.closed = !get('viewer').open && document.activeElement.className;
  console.log(`SAID${JSON.stringify(said)}DIAS`);
});
"""


def console_of(file, profile):
    """What Chromium logs of a page until the page says that it has come to its end.

    In true time: in virtual time, as for --dump-dom, frames are not drawn, so that no card loads.
    """
    words = ['--headless', '--no-sandbox', '--disable-gpu', '--enable-logging=stderr']
    command = ['chromium', *words, f'--user-data-dir={profile}', file.as_uri()]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as browsing:
        alarm = Timer(60, browsing.terminate)
        alarm.start()
        lines = []
        for line in browsing.stderr:
            lines.append(line)
            if 'DIAS' in line:
                break
        alarm.cancel()
        browsing.terminate()
    return ''.join(lines)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which('chromium'), reason='no chromium, whose package Debian has')
def test_every_control_works_in_a_browser(page, tmp_path):
    file = tmp_path / 'tried.html'
    file.write_text(page() + f'<script>{STEPS}</script>')
    console = console_of(file, tmp_path / 'profile')
    assert console.count('CONSOLE') == 1, console[-2000:]
    said = json.loads(re.search('SAID(.*)DIAS', console)[1])
    assert said == {
        'worst': '012', 'best': '210', 'gain': '012', 'taken': '0', 'takenBefore': '01',
        'missed': '0', 'alarm': '', 'search': '2', 'cell': '01', 'lazy': 6,
        'open': '1; plain: mIoU 80.6, kd: mIoU 100.0; 2 of 3', 'focus': 'stage',
        'layers': 'truth; prediction of plain', 'swapped': 'prediction of plain',
        'keyed': 'image; prediction of plain', 'zoom': '225 %', 'fit': '100 %', 'divider': '25%',
        'opacity': '0.4', 'next': '2', 'first': '0', 'disabled': True, 'closed': 'card',
    }  # fmt: skip
