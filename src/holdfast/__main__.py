"""`python -m holdfast`, the same as the `holdfast` command.

Not here: anything else.
"""

import sys

from holdfast.cli import main

sys.exit(main())
