# SPDX-License-Identifier: Apache-2.0
"""Push into a seller's database: per engine its tables and views, logins, and the writer that lets no row go back."""
