#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A vendor's customer service app: what the seller shares with it, for those who talk to buyers."""

from cairn_app.serve import serve

if __name__ == "__main__":
    serve("CRM", roles={"owner", "operator", "support"})
