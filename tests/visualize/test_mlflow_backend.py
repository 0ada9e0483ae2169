import numpy as np
from mmengine.visualization import MLflowVisBackend

from segkd_mm.visualize import MLflowPicturesBackend


def test_a_picture_has_an_ending_by_which_mlflow_knows_its_format(monkeypatch):
    kept = []
    monkeypatch.setattr(MLflowVisBackend, 'add_image', lambda _, name, *a, **k: kept.append(name))
    backend = MLflowPicturesBackend.__new__(MLflowPicturesBackend)  # without mlflow
    backend.add_image('val_sample_0', np.zeros((2, 2, 3), np.uint8), step=7)
    assert kept == ['val_sample_0_7.png']
