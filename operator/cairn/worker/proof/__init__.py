# SPDX-License-Identifier: Apache-2.0
"""What the platform has against what stands in the database: history brought in, windows proven, differences mended."""
