"""Download of data: fetched once, verified by checksum and unpacked atomically."""

import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from time import sleep
from urllib.error import HTTPError
from urllib.parse import urlparse
from urllib.request import Request, urlopen

import rich.progress
from filelock import FileLock, Timeout
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn
from torchvision.datasets.utils import calculate_md5

from segkd_mm.datasets.layout import holds_files

PAUSES = (1, 2, 4, 8)  # seconds before each retry
TIMEOUT = 60  # seconds without a byte
BLOCK = 1 << 18


class DownloadError(RuntimeError):
    """Error of data that could not be downloaded, verified, unpacked or stored."""


def download_folder(folder: str | Path, url: str, md5: str, inside: str) -> None:
    """Download a tar and unpack a folder of it, unless ``folder`` already holds files.

    The folder appears complete or not at all, and several processes download only once. A broken
    connection is resumed, also by the next run. The tar is deleted at the end.

    Args:
        folder: Destination. The tar is stored beside it during the download.
        url: Address of an uncompressed tar. A file of its name beside ``folder`` is used instead.
        md5: Checksum of the tar.
        inside: Path of the folder inside the tar.

    Raises:
        DownloadError: The server cannot be reached, the checksum differs, the tar has members
            outside of its folder, the disk is too full, or Python is too old to unpack safely.
    """
    folder = Path(folder).resolve()
    if holds_files(folder):
        return
    _require_safe_unpacking()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        # Another process may have downloaded it in the meantime.
        if not holds_files(folder):
            _download(folder, url, md5, inside)


def _require_safe_unpacking() -> None:
    if not hasattr(tarfile, 'data_filter'):
        raise DownloadError(
            'This Python cannot unpack archives safely: install 3.10.12, 3.11.4 or a later one, '
            'or download and unpack by hand.'
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = FileLock(folder.with_name(f'.{folder.name}.lock'))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f'Waiting for another process that is downloading {folder} ...')
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _download(folder: Path, url: str, md5: str, inside: str) -> None:
    tar = folder.parent / Path(urlparse(url).path).name
    if not tar.exists():
        part = tar.with_name(f'{tar.name}.part')
        print(f'Downloading {url} to {part}')
        _fetch(url, part, tar)
        part.rename(tar)
    _require_md5(tar, md5)
    _unpack(tar, inside, folder)
    tar.unlink()
    print(f'The data are in {folder}; deleted {tar}.')


def _fetch(url: str, part: Path, tar: Path) -> None:
    for pause in (*PAUSES, None):
        try:
            return _fetch_rest(url, part)
        except (OSError, HTTPException) as error:
            refused = isinstance(error, HTTPError) and error.code < 500
            if refused or pause is None:
                raise _download_error(url, part, tar, error) from error
            print(f'{error}; trying again in {pause} s')
            sleep(pause)


def _fetch_rest(url: str, part: Path) -> None:
    """Download the rest of ``part``, or all if the server does not support ranges."""
    present = _size(part)
    try:
        response = urlopen(Request(url, headers={'Range': f'bytes={present}-'}), timeout=TIMEOUT)
    except HTTPError as error:
        if present and error.code == 416:
            return  # the file is complete
        raise
    with response:
        if response.status != 206:
            part.unlink(missing_ok=True)
            present = 0
        length = response.headers['Content-Length']
        total = present + int(length) if length else None
        _require_space(part.parent, 2 * (total or 0) - present)
        _append(response, part, present, total)
    if total and _size(part) < total:
        raise ConnectionError(f'the connection broke at {decimal(_size(part))} of {decimal(total)}')


def _append(response: HTTPResponse, part: Path, present: int, total: int | None) -> None:
    progress = rich.progress.Progress(
        BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    )
    with part.open('ab') as file, progress:
        task = progress.add_task('', completed=present, total=total)
        while block := response.read(BLOCK):
            file.write(block)
            progress.advance(task, len(block))


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _download_error(url: str, part: Path, tar: Path, error: Exception) -> DownloadError:
    resume = f'{decimal(_size(part))} are in {part}; the same command resumes the download.\n'
    return DownloadError(
        f'Could not download {url} ({error}).\n'
        f'{resume if _size(part) else ""}'
        f'Without this server: put the file in {tar.parent}, or give a folder that already '
        'holds the data: --cfg-options data_root=/path/to/it'
    )


def _require_md5(tar: Path, md5: str) -> None:
    print(f'Checking {tar}')
    found = calculate_md5(tar)
    if found != md5:
        wrong = tar.replace(tar.with_name(f'{tar.name}.wrong'))
        raise DownloadError(
            f'The MD5 checksum of {tar} is {found}, expected {md5}: it is damaged, or another '
            f'file. It was renamed to {wrong} ({decimal(_size(wrong))}). Run the same command '
            'again to download it again.'
        )


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DownloadError(
            f'{folder} has {decimal(free)} free, and {decimal(needed)} are needed to download '
            'and unpack. Make room, or choose another disk: --cfg-options data_root=/path/to/it'
        )


def _unpack(tar: Path, inside: str, folder: Path) -> None:
    aside = folder.with_name(f'.{folder.name}.unpacking')
    shutil.rmtree(aside, ignore_errors=True)  # of a run that was killed
    _require_space(folder.parent, _size(tar))
    try:
        with (
            rich.progress.open(tar, 'rb', description='Unpacking') as file,
            tarfile.open(fileobj=file, mode='r|') as archive,
        ):
            archive.extractall(aside, filter='data')
        (aside / inside).rename(folder)
    except tarfile.TarError as error:
        raise DownloadError(f'{tar} cannot be unpacked safely: {error}') from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
