# SPDX-License-Identifier: Apache-2.0
"""`python -m cairn` is `cairn`."""

import sys

from cairn.cli.main import main

sys.exit(main())
