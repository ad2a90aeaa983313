# SPDX-License-Identifier: Apache-2.0
"""What `make demo` runs: orders, a sender, an oracle. Nothing here is part of Cairn, and only `run` knows its chart."""
