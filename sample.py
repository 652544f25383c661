"""Draw conformers: `python sample.py --n 5`."""

import sys

from rnagen.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["sample", *sys.argv[1:]]))
