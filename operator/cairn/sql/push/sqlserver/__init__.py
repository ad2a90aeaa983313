# SPDX-License-Identifier: Apache-2.0
"""Push into SQL Server 2017 and later: EXPERIMENTAL, no server has executed a statement of it.

Tables stand in schema `dbo` of the target's database, views in its schema `platform`. Logins are users of the database
(contained), so that nothing of a seller's stands in `master`. What a worker writes goes through a stage: a table beside
each pushed one, filled outside the transaction and emptied by it.
"""
