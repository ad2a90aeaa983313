# SPDX-License-Identifier: Apache-2.0
"""Shared data on SQL Server: EXPERIMENTAL, and not served.

What should stand is here, and the statements that make it, look at it and end it: tested as text, and read by a parser
of T-SQL. No server has executed them, and nothing here sends them: there is no `Share` yet.

What differs from PostgreSQL, and what is made of it:

- Logins are users of the database (contained), so that nothing of a seller's stands in `master`.
- Ownership chaining: a view reads what its schema's owner owns, whatever the reader may; a DENY does not stop it. So
  all of Cairn's schemas belong to the owner user, `platform` too, and nobody else may make anything in them.
- Absence of a grant is the model: a DENY is drift.
- There is no row barrier: views with filters are read through a TOP that keeps the reader's conditions out.
- There is no statement timeout and no limit of connections by login.
"""
