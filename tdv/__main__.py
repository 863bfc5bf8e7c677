"""``python -m tdv`` is ``tdv``."""

from tdv.cli import main

if __name__ == "__main__":
    main()
