# SPDX-License-Identifier: Apache-2.0
"""The oracle: knows what was accepted, watches the database, and judges. Imports nothing of Cairn: Python's own
library and psql, so that no mistake of Cairn's can hide itself."""
