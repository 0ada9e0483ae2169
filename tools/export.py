"""Export a trained student to ONNX, OpenVINO or torch.export, and compare it with PyTorch."""

from segkd_mm.cli.export import main

if __name__ == '__main__':
    main()
