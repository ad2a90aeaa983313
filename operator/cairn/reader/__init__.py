# SPDX-License-Identifier: Apache-2.0
"""The reference consumer: follows a pushed table by jdp_seq. It needs asyncpg, and nothing else of Cairn."""
