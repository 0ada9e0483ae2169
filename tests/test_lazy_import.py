"""What the command line and ``import segkd_mm`` import; components are found all the same."""

import subprocess
import sys

import pytest

HEAVY = ('torch', 'torchvision', 'timm', 'transformers', 'cv2', 'matplotlib', 'mmseg.models',
         'fastapi')  # fmt: skip


def process(program: str) -> list[str]:
    """The words that a program prints in a process of its own."""
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


@pytest.mark.parametrize(
    'words', [['--help'], ['train', '--help'], ['demo', '--help'], ['configs']]
)
def test_a_command_line_imports_nothing_heavy_before_its_work(words):
    program = (
        'import sys\n'
        'from segkd_mm.cli.main import main\n'
        'try:\n'
        f'    main({words})\n'
        'except SystemExit as done:\n'
        '    assert not done.code\n'
        f'print("HEAVY:", *[name for name in {HEAVY} if name in sys.modules])\n'
    )
    printed = process(program)
    assert len(printed) > 20
    assert printed[printed.index('HEAVY:') + 1 :] == []


@pytest.mark.slow
@pytest.mark.parametrize('first', ['mmseg.MODELS.get("FCNHead")', 'import segkd_mm; segkd_mm.load'])
def test_the_package_alone_makes_components_known_to_registries(first):
    """In a process of its own, where nothing else is printed; tools import it before."""
    program = (
        'import mmseg.registry as mmseg\n'
        f'{first}\n'
        'import segkd_mm\n'
        'for registry, name in [(mmseg.HOOKS, "BestLinkHook"), (mmseg.MODELS, "SegDistiller"),\n'
        '                       (mmseg.TRANSFORMS, "RandomResizeCropFlip"),\n'
        '                       (mmseg.DATASETS, "FolderDataset"),\n'
        '                       (mmseg.OPTIM_WRAPPERS, "CPUAmpOptimWrapper")]:\n'
        '    print(registry.get(name).__name__)\n'
        'print(segkd_mm.load.__name__, segkd_mm.hooks.__name__)\n'
    )
    assert process(program) == [
        'BestLinkHook', 'SegDistiller', 'RandomResizeCropFlip', 'FolderDataset',
        'CPUAmpOptimWrapper', 'load', 'segkd_mm.hooks',
    ]  # fmt: skip
