import os
import socket

import pytest

from segkd_mm.results.lock import WorkDirInUse, locked


def test_a_work_directory_is_used_by_one_training_at_a_time(tmp_path, monkeypatch):
    work = tmp_path / 'new' / 'work'
    with locked(work):
        says = rf'writes to {work}: process {os.getpid()} on {socket.gethostname()}\. .*--work-dir'
        with pytest.raises(WorkDirInUse, match=says), locked(work):
            pass
        monkeypatch.setenv('RANK', '1')
        with locked(work, 'pytorch'):  # one of the processes of the training that holds it
            pass
        with pytest.raises(WorkDirInUse), locked(work):
            pass
    with locked(work):
        pass
