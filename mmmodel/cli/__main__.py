"""python -m mmmodel.cli"""

from . import main

main()
