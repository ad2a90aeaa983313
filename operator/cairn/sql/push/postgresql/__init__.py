# SPDX-License-Identifier: Apache-2.0
"""Push into PostgreSQL: schemas sys_info and platform of one database."""
