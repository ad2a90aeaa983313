# SPDX-License-Identifier: Apache-2.0
"""Push into MySQL and MariaDB: databases sys_info and platform of one server."""
