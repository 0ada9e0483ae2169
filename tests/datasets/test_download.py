"""Downloads from a server on this machine that keeps what it was asked for."""

import io
import re
import tarfile
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from threading import Barrier, Thread
from time import sleep

import numpy as np
import pytest
from mmseg.registry import DATASETS
from PIL import Image

from segkd_mm.datasets import VOC2012Dataset, download, voc
from segkd_mm.datasets.download import DownloadError, download_folder

SPLITS = 'ImageSets/Segmentation'
INSIDE = 'VOCdevkit/VOC2012'
NAME = 'voc.tar'
UNREACHABLE = 'http://127.0.0.1:9/voc.tar'  # port 9 is closed


class Handler(BaseHTTPRequestHandler):
    """Sends ``server.content``; knows ranges, breaks off or dawdles as the server says."""

    def do_GET(self):
        server, asked = self.server, self.headers['Range']
        server.asked.append(asked)
        sleep(server.delay)
        start = int(re.fullmatch(r'bytes=(\d+)-', asked)[1]) if asked and server.ranges else 0
        if server.status or start >= len(server.content) > 0:
            return self.send_error(server.status or 416)
        body = server.content[start:]
        self.send_response(206 if asked and server.ranges else 200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        # An entry of `breaks` is how many bytes a request gets before its connection breaks.
        sent = server.breaks.pop(0) if server.breaks else len(body)
        with suppress(ConnectionError):  # of a client that hangs up
            self.wfile.write(body[:sent])
        server.sent += len(body[:sent])

    def log_message(self, *args):
        pass


def tar_of(files, *members):
    """A tar of files by name, and of further members as they are."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w') as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member in members:
            tar.addfile(member)
    return buffer.getvalue()


def encoded(kind):
    buffer = io.BytesIO()
    pixels = np.zeros((64, 64), np.uint8)
    Image.fromarray(pixels).convert('RGB' if kind == 'jpeg' else 'L').save(buffer, kind)
    return buffer.getvalue()


FILES = {
    f'{INSIDE}/JPEGImages/a.jpg': encoded('jpeg'),
    f'{INSIDE}/SegmentationClass/a.png': encoded('png'),
    f'{INSIDE}/{SPLITS}/train.txt': b'a\n',
    f'{INSIDE}/{SPLITS}/val.txt': b'a\n',
    f'{INSIDE}/noise': np.random.default_rng(0).bytes(1_000_000),
}
TAR = tar_of(FILES)
MD5 = md5(TAR).hexdigest()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(download, 'PAUSES', (0, 0, 0, 0))


@pytest.fixture
def server():
    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.content, server.ranges, server.breaks, server.delay, server.status = TAR, True, [], 0, 0
    server.asked, server.sent = [], 0
    server.url = f'http://127.0.0.1:{server.server_port}/{NAME}'
    thread = Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def folder(tmp_path):
    """Where the data go; its name is not the one in the tar."""
    return tmp_path / 'data' / 'mine'


def get(server, folder, checksum=MD5):
    download_folder(folder, server.url, checksum, INSIDE)


def part_of(folder):
    return folder.parent / f'{NAME}.part'


def assert_complete(folder):
    for name, content in FILES.items():
        assert (folder / name.removeprefix(f'{INSIDE}/')).read_bytes() == content
    assert things_in(folder.parent) == [folder.name]


def things_in(folder):
    """Names in a folder, the file of the lock aside."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != '.lock')


def test_the_data_come_whole_and_the_tar_goes(server, folder, capsys):
    get(server, folder)
    assert_complete(folder)
    assert (len(server.asked), server.sent) == (1, len(TAR))
    said = capsys.readouterr().out
    assert f'The data are in {folder}; deleted {folder.parent}/{NAME}' in said
    assert said.count('1.0/1.0 MB') == 2  # downloaded, and unpacked


def test_data_that_are_there_are_not_downloaded(folder, capsys):
    folder.mkdir(parents=True)
    (folder / 'own').touch()
    download_folder(folder, UNREACHABLE, MD5, INSIDE)
    assert things_in(folder) == ['own']
    assert [path.name for path in folder.parent.iterdir()] == ['mine']
    assert capsys.readouterr().out == ''


def test_an_empty_folder_is_filled(server, folder):
    folder.mkdir(parents=True)
    get(server, folder)
    assert_complete(folder)


def test_a_link_to_a_folder_to_be_made_is_followed(server, folder, tmp_path):
    folder.parent.mkdir()
    folder.symlink_to(tmp_path / 'large disk' / 'voc')
    get(server, folder)
    assert folder.is_symlink()
    assert_complete(tmp_path / 'large disk' / 'voc')


def test_a_part_is_completed_not_downloaded_anew(server, folder, capsys):
    folder.parent.mkdir()
    part_of(folder).write_bytes(TAR[:400_000])
    get(server, folder)
    assert_complete(folder)
    assert capsys.readouterr().out.count('1.0/1.0 MB') == 2  # downloaded, and unpacked
    assert (server.asked, server.sent) == (['bytes=400000-'], len(TAR) - 400_000)


def test_a_part_that_is_whole_is_taken(server, folder):
    folder.parent.mkdir()
    part_of(folder).write_bytes(TAR)
    get(server, folder)
    assert_complete(folder)
    assert server.sent == 0


def test_without_ranges_a_part_is_replaced(server, folder):
    server.ranges = False
    folder.parent.mkdir()
    part_of(folder).write_bytes(TAR[:400_000])
    get(server, folder)
    assert_complete(folder)
    assert (server.asked, server.sent) == (['bytes=400000-'], len(TAR))


@pytest.mark.parametrize('ranges', [True, False])
def test_a_connection_that_breaks_is_taken_up_again(server, folder, capsys, ranges):
    server.breaks, server.ranges = [500_000, 100_000], ranges
    get(server, folder)
    assert_complete(folder)
    assert server.asked == ['bytes=0-', 'bytes=500000-', f'bytes={600_000 if ranges else 100_000}-']
    assert server.sent == (len(TAR) if ranges else 600_000 + len(TAR))
    assert 'the connection broke at 500.0 kB of 1.0 MB; trying again' in capsys.readouterr().out


def test_after_too_many_breaks_the_next_run_goes_on(server, folder):
    server.breaks = [100_000] * 5
    with pytest.raises(DownloadError) as error:
        get(server, folder)
    assert things_in(folder.parent) == [f'{NAME}.part']
    assert f'500.0 kB are in {part_of(folder)}; the same command resumes' in str(error.value)
    get(server, folder)
    assert_complete(folder)
    assert (server.asked[5:], server.sent) == (['bytes=500000-'], len(TAR))


@pytest.mark.parametrize(('status', 'requests'), [(404, 1), (503, 5)])
def test_a_refusal_is_final_while_a_busy_server_is_asked_again(server, folder, status, requests):
    server.status = status
    with pytest.raises(DownloadError, match=f'HTTP Error {status}'):
        get(server, folder)
    assert len(server.asked) == requests
    server.status = 0
    get(server, folder)
    assert_complete(folder)


def test_an_unreachable_server_is_an_error_that_says_what_else_to_do(folder):
    with pytest.raises(DownloadError) as error:
        download_folder(folder, UNREACHABLE, MD5, INSIDE)
    message = str(error.value)
    assert re.search(f'Could not download {UNREACHABLE} .*refused', message)
    assert f'put the file in {folder.parent}' in message
    assert '--cfg-options data_root=/path/to/it' in message
    assert 'resumes the download' not in message


def test_a_tar_put_there_by_hand_is_unpacked(folder):
    folder.parent.mkdir()
    (folder.parent / NAME).write_bytes(TAR)
    download_folder(folder, UNREACHABLE, MD5, INSIDE)
    assert_complete(folder)


def test_another_file_than_expected_is_set_aside_and_fetched_anew(server, folder):
    server.content = b'<html>Log in to the hotel first</html>'
    found = md5(server.content).hexdigest()
    with pytest.raises(DownloadError, match=f'is {found}, expected {MD5}: it is damaged') as error:
        get(server, folder)
    assert f'renamed to {folder.parent}/{NAME}.wrong (38 bytes)' in str(error.value)
    assert things_in(folder.parent) == [f'{NAME}.wrong']
    server.content = TAR
    get(server, folder)
    (folder.parent / f'{NAME}.wrong').unlink()
    assert_complete(folder)


def link(name, target, kind=tarfile.SYMTYPE):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    'content',
    [
        tar_of({**FILES, '../evil': b'evil'}),
        tar_of({**FILES, f'{INSIDE}/../../../evil': b'evil'}),
        tar_of(FILES, link(f'{INSIDE}/evil', '/etc/passwd')),
        tar_of(FILES, link(f'{INSIDE}/evil', '../../../..')),
        tar_of(FILES, link(f'{INSIDE}/evil', '../../../../data', tarfile.LNKTYPE)),
        tar_of(FILES, link(f'{INSIDE}/evil', '', tarfile.FIFOTYPE)),
    ],
    ids=['parent', 'parent in the middle', 'absolute link', 'link', 'hard link', 'pipe'],
)
def test_a_tar_that_leads_out_of_itself_leaves_nothing(server, folder, tmp_path, content):
    server.content = content
    with pytest.raises(DownloadError, match='cannot be unpacked safely'):
        get(server, folder, md5(content).hexdigest())
    assert things_in(folder.parent) == [NAME]
    assert things_in(tmp_path) == ['data']


def test_an_absolute_path_in_a_tar_is_not_followed(server, folder, tmp_path):
    server.content = tar_of({**FILES, f'{tmp_path}/evil': b'evil'})
    get(server, folder, md5(server.content).hexdigest())
    assert_complete(folder)
    assert things_in(tmp_path) == ['data']


def test_an_unpacking_that_was_killed_is_done_anew(server, folder):
    left = folder.parent / '.mine.unpacking' / INSIDE / 'left'
    left.parent.mkdir(parents=True)
    left.touch()
    get(server, folder)
    assert_complete(folder)
    assert not (folder / 'left').exists()


def test_two_threads_download_once(server, folder, capsys):
    server.delay = 0.3
    barrier = Barrier(2)

    def together(_):
        barrier.wait()
        get(server, folder)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(together, range(2)))
    assert_complete(folder)
    assert (len(server.asked), server.sent) == (1, len(TAR))
    assert f'Waiting for another process that is downloading {folder}' in capsys.readouterr().out


def test_two_processes_download_once(server, folder):
    server.delay = 0.3
    context = get_context('fork')
    processes = [context.Process(target=get, args=(server, folder)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert_complete(folder)
    assert (len(server.asked), server.sent) == (1, len(TAR))


def test_who_waited_goes_on_where_the_other_gave_up(server, folder):
    server.delay, server.breaks = 0.1, [100_000] * 5

    def attempt(_):
        try:
            get(server, folder)
        except DownloadError:
            return 'gave up'

    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(attempt, range(2))) == {'gave up', None}
    assert_complete(folder)
    assert server.sent == len(TAR)


@pytest.mark.parametrize(('had', 'lacking'), [(0, 2 * len(TAR)), (400_000, 2 * len(TAR) - 400_000)])
def test_a_full_disk_is_an_error_before_the_download(server, folder, monkeypatch, had, lacking):
    """A tar needs its size twice: as it comes, and unpacked."""
    usage = namedtuple('usage', 'free')
    folder.parent.mkdir()
    part_of(folder).write_bytes(TAR[:had])
    monkeypatch.setattr(download.shutil, 'disk_usage', lambda path: usage(lacking - 1))
    with pytest.raises(DownloadError, match=rf'{folder.parent} has \d.\d MB free, and') as error:
        get(server, folder)
    assert f'{lacking / 1e6:.1f} MB are needed' in str(error.value)
    assert part_of(folder).stat().st_size == had
    monkeypatch.setattr(download.shutil, 'disk_usage', lambda path: usage(lacking))
    get(server, folder)
    assert_complete(folder)


def test_a_disk_too_full_to_unpack_keeps_the_tar(folder, monkeypatch):
    usage = namedtuple('usage', 'free')
    folder.parent.mkdir()
    (folder.parent / NAME).write_bytes(TAR)
    monkeypatch.setattr(download.shutil, 'disk_usage', lambda path: usage(len(TAR) - 1))
    with pytest.raises(DownloadError, match='Make room'):
        download_folder(folder, UNREACHABLE, MD5, INSIDE)
    assert things_in(folder.parent) == [NAME]


def test_a_python_that_cannot_unpack_safely_downloads_nothing(server, folder, monkeypatch):
    monkeypatch.delattr(tarfile, 'data_filter')
    with pytest.raises(DownloadError, match=r'3\.10\.12, 3\.11\.4 or a later one'):
        get(server, folder)
    assert server.asked == []


def data_set(root, split='train', **kwargs):
    prefix = {'img_path': 'JPEGImages', 'seg_map_path': 'SegmentationClass'}
    config = {'type': 'VOC2012Dataset', 'ann_file': f'{SPLITS}/{split}.txt', 'data_prefix': prefix}
    return DATASETS.build({**config, 'data_root': str(root), **kwargs})


def test_the_data_sets_of_a_config_download_once(server, folder, monkeypatch):
    monkeypatch.setattr(voc, 'TAR', {'url': server.url, 'md5': MD5, 'base_dir': INSIDE})
    sets = [data_set(folder, split, download=True) for split in ('train', 'val', 'val')]
    assert [len(one) for one in sets] == [1, 1, 1]
    assert len(server.asked) == 1


def test_without_being_asked_nothing_is_downloaded(server, folder, monkeypatch):
    monkeypatch.setattr(voc, 'TAR', {'url': server.url, 'md5': MD5, 'base_dir': INSIDE})
    with pytest.raises(FileNotFoundError, match=r'--cfg-options download=True'):
        data_set(folder)
    assert not folder.parent.exists()
    assert server.asked == []


def test_data_that_are_only_described_are_not_downloaded(folder):
    assert len(data_set(folder, download=True, lazy_init=True).metainfo['classes']) == 21
    assert not folder.parent.exists()


def test_voc_comes_from_its_own_server_with_the_checksum_that_torchvision_knows():
    assert voc.TAR['url'].endswith(
        '.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar'
    )
    assert voc.TAR['md5'] == '6cd6e144f989b92b3379bac3b3de84fd'
    assert voc.TAR['url'] in VOC2012Dataset.SOURCE
