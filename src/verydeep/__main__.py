"""``python -m verydeep``: what ``torchrun -m verydeep train ...`` starts."""

from verydeep.cli import main

main()
