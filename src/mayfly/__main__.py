"""`python -m mayfly` is `mayfly`."""

from mayfly.cli.root import main

main()
