# SPDX-License-Identifier: Apache-2.0
"""Shared data on SQL Server: EXPERIMENTAL, and not served.

It is a `Share` as the others are, and no server has executed a statement of it. What a pass sends is tested as text,
read by a parser of T-SQL, and made from answers that were written by hand after the server's documentation.

What differs from PostgreSQL, and what is made of it:

- Logins are users of the database (contained), so that nothing of a seller's stands in `master`.
- Ownership chaining: a view reads what its schema's owner owns, whatever the reader may; a DENY does not stop it. So
  all of Cairn's schemas belong to the owner user, `platform` too, and nobody else may make anything in them.
- Absence of a grant is the model: a DENY is drift.
- There is no row barrier: views with filters are read through a TOP that keeps the reader's conditions out.
- There is no statement timeout and no limit of connections by login.
- Each statement commits by itself, as on MySQL: a pass takes first and gives last, and writes its audit row before.
- Nothing shows what the server keeps of a password: what was set is noted as a salted digest (`passwords`).
- A password is in the statement that sets it: a trace of the server's own sees it.

What only a server can tell: which grantor the catalog names for a grant of an admin's (`catalog.entries` takes those of
dbo and of the owner for right), how it keeps the text of a view (`tables.module_digest`), and when a user's
`modify_date` changes.
"""
