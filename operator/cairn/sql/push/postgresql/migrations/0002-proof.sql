-- SPDX-License-Identifier: Apache-2.0
-- What the platform has against what stands here, hour by hour of the records' own time. missing, stale and wrong are what
-- the last look left; repaired counts over all looks. quarantined records are kept, and no difference.
CREATE TABLE sys_info.jdp_audit (
  table_name varchar(64) NOT NULL,
  shop_id varchar(64) NOT NULL,
  window_start timestamp(0) NOT NULL,
  window_end timestamp(0) NOT NULL,
  sent bigint NOT NULL,
  stood bigint NOT NULL,
  missing bigint NOT NULL,
  stale bigint NOT NULL,
  wrong bigint NOT NULL,
  quarantined bigint NOT NULL,
  extra bigint NOT NULL,
  repaired bigint NOT NULL,
  deep boolean NOT NULL,
  audited_at timestamptz NOT NULL,
  PRIMARY KEY (table_name, shop_id, window_start)
);
CREATE INDEX jdp_audit_newest ON sys_info.jdp_audit (window_start);

-- How far the history is brought in: everything up to (at_modified, at_key) stands.
CREATE TABLE sys_info.jdp_backfill (
  table_name varchar(64) NOT NULL,
  shop_id varchar(64) NOT NULL,
  since timestamp(0) NOT NULL,
  until timestamp(0) NOT NULL,
  at_modified timestamp(0),
  at_key bigint,
  records bigint NOT NULL DEFAULT 0,
  done_at timestamptz,
  PRIMARY KEY (table_name, shop_id)
);
