"""Write the config of a new experiment from a folder of images and one of masks."""

from segkd_mm.cli.new_experiment import main

if __name__ == '__main__':
    main()
