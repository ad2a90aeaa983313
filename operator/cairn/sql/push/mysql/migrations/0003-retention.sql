-- SPDX-License-Identifier: Apache-2.0
-- From when on records are kept, as PostgreSQL's step of this name makes it.
CREATE TABLE IF NOT EXISTS sys_info.jdp_retention (
  table_name varchar(64) NOT NULL,
  shop_id varchar(64) NOT NULL,
  horizon datetime NOT NULL,
  rows_taken bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (table_name, shop_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
