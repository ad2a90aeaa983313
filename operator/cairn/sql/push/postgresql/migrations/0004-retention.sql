-- SPDX-License-Identifier: Apache-2.0
-- From when on records are kept. It stands here before the first older row goes, and only moves forward: what is older is
-- neither missing nor brought in again. rows_taken: how many went.
CREATE TABLE sys_info.jdp_retention (
  table_name varchar(64) NOT NULL,
  shop_id varchar(64) NOT NULL,
  horizon timestamp(0) NOT NULL,
  rows_taken bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (table_name, shop_id)
);
