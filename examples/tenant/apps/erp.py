#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Another vendor's warehouse app: the same seller and the same people, other data."""

from cairn_app.serve import serve

if __name__ == "__main__":
    serve("ERP", roles={"owner", "operator", "finance"})
