-- SPDX-License-Identifier: Apache-2.0
-- From when on records are kept, as PostgreSQL's step of this name makes it.
CREATE TABLE [dbo].[jdp_retention] (
  table_name varchar(64) COLLATE Latin1_General_BIN2 NOT NULL,
  shop_id nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
  horizon datetime2(0) NOT NULL,
  rows_taken bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (table_name, shop_id)
)
