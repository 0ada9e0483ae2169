"""Data from the net: fetched once, checked, unpacked in one piece."""

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

PAUSES = (1, 2, 4, 8)  # seconds, before each further try
TIMEOUT = 60  # seconds without a byte
BLOCK = 1 << 18


class DownloadError(RuntimeError):
    """Data that could not be fetched, are not what they should be, or find no room."""


def download_folder(folder: str | Path, url: str, md5: str, inside: str) -> None:
    """Fill ``folder`` with a folder of a tar from the net; does nothing where that is filled.

    The folder appears complete or not at all, and several processes download once. A connection
    that breaks is taken up again; what came by then is kept, also for the next run. The tar is
    deleted in the end.

    Args:
        folder: Where the data go. The tar lies beside it meanwhile.
        url: Address of a tar, not compressed. A file of its name beside ``folder`` serves as well.
        md5: Checksum of the tar.
        inside: The wanted folder in the tar.

    Raises:
        DownloadError: The server cannot be reached, the tar is another one or holds members that
            lead out of it, the disk is too full, or Python is too old to unpack safely.
    """
    folder = Path(folder).resolve()
    if _filled(folder):
        return
    _require_safe_unpacking()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        # Another process may have been faster.
        if not _filled(folder):
            _download(folder, url, md5, inside)


def _filled(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _require_safe_unpacking() -> None:
    if not hasattr(tarfile, 'data_filter'):
        raise DownloadError(
            'This Python cannot unpack safely: 3.10.12, 3.11.4 or a later one is needed. Or '
            'download and unpack by hand.'
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    lock = FileLock(folder.with_name(f'.{folder.name}.lock'))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f'Waiting for another process, which is downloading {folder} ...')
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
    """Add to ``part`` what it lacks; all, where the server cannot send a rest."""
    have = _size(part)
    try:
        response = urlopen(Request(url, headers={'Range': f'bytes={have}-'}), timeout=TIMEOUT)
    except HTTPError as error:
        if have and error.code == 416:
            return  # nothing is left to send
        raise
    with response:
        if response.status != 206:
            part.unlink(missing_ok=True)
            have = 0
        length = response.headers['Content-Length']
        total = have + int(length) if length else None
        _require_space(part.parent, 2 * (total or 0) - have)
        _append(response, part, have, total)
    if total and _size(part) < total:
        raise ConnectionError(f'the connection broke at {decimal(_size(part))} of {decimal(total)}')


def _append(response: HTTPResponse, part: Path, have: int, total: int | None) -> None:
    progress = rich.progress.Progress(
        BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    )
    with part.open('ab') as file, progress:
        task = progress.add_task('', completed=have, total=total)
        while block := response.read(BLOCK):
            file.write(block)
            progress.advance(task, len(block))


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _download_error(url: str, part: Path, tar: Path, error: Exception) -> DownloadError:
    kept = f'{decimal(_size(part))} are in {part}; the same command goes on from there.\n'
    return DownloadError(
        f'Could not download {url} ({error}).\n'
        f'{kept if _size(part) else ""}'
        f'Without this server: put the file in {tar.parent}, or name a folder that holds the '
        'data already: --cfg-options data_root=/path/to/it'
    )


def _require_md5(tar: Path, md5: str) -> None:
    print(f'Checking {tar}')
    found = calculate_md5(tar)
    if found != md5:
        wrong = tar.replace(tar.with_name(f'{tar.name}.wrong'))
        raise DownloadError(
            f'The MD5 checksum of {tar} is {found}, expected {md5}: it is damaged, or another '
            f'file. It is {wrong} now, {decimal(_size(wrong))}. Run the same command again to '
            'download it anew.'
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
