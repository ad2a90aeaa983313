# SPDX-License-Identifier: Apache-2.0
"""A server of the seller's as the operator sees it: whose it is, its databases and their logins, for each engine."""
