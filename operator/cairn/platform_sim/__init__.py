# SPDX-License-Identifier: Apache-2.0
"""A platform to try Cairn against: it has orders of its own, pushes them, and answers for them afterwards."""
