# SPDX-License-Identifier: Apache-2.0
"""One adapter per database engine: connect, quote, roles, tables and views, facts, bulk write.

Used by the operator's actions and probes (`rds`, `push`) and by the worker. Every server is taken for hostile: its
database may belong to a seller. So no session looks names up anywhere but in `pg_catalog`, and every other name is
written with its schema.
"""
