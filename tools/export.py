"""Export a trained student to ONNX, OpenVINO, ncnn or torch.export, and compare it with PyTorch."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('export'))
