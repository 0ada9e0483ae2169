"""Reading of weights from files and hubs without running code, and strict loading."""

from segkd_mm.weights import mmengine_loader  # noqa: F401  makes mmengine's loader safe
from segkd_mm.weights.error import WeightsError
from segkd_mm.weights.fitting import check_fit, leave_out_of_keys, load_strictly, rename_keys
from segkd_mm.weights.hubs import HF, TORCHVISION, hub_files
from segkd_mm.weights.reading import digest, read_state_dict

__all__ = [
    'HF',
    'TORCHVISION',
    'WeightsError',
    'check_fit',
    'digest',
    'hub_files',
    'leave_out_of_keys',
    'load_strictly',
    'read_state_dict',
    'rename_keys',
]
