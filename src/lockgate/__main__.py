"""``python -m lockgate``: the command line where no script is on the path."""

from lockgate.cli import main

main()
