"""Train rnagen: `python train.py --path-type Linear --crop 256`."""

import sys

from rnagen.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
