"""`python -m alft` is the command `alft`, also where no script of that name is on the path."""

from alft.cli.main import main

if __name__ == "__main__":
    main()
