# SPDX-License-Identifier: Apache-2.0
"""Shared data in PostgreSQL 15 and newer.

`desired` turns a design into what should stand, `facts` and `observe` read what does, `steps` says what lies between as
transactions of statements, `settle` sends them. Everything of Cairn's belongs to the owner role and is changed as that
role; what an app owns is never read, only its rights are.
"""
