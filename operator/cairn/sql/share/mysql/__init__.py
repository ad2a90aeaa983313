# SPDX-License-Identifier: Apache-2.0
"""Shared data on MySQL (8.0.21 or newer) and MariaDB (10.11 or newer). A schema is a database there, and rights are the
whole server's: one design per server.

What differs from PostgreSQL, and what is made of it:

- Every statement that changes rights or objects commits by itself. So each pass takes away first (locks, ends, rights),
  gives last (rights, roles, logins), and writes an audit row before what it tells of.
- A right has no grantor: nobody's grants outlive a revoke.
- There is no security barrier: a view is materialised (TEMPTABLE), with a LIMIT that keeps the reader's conditions out.
- Views name a definer: an account that is locked and that nobody logs in as.
"""
