"""`python -m mayfly` is `mayfly`."""

from mayfly.cli.entry import main

main()
