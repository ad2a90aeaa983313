-- SPDX-License-Identifier: Apache-2.0
-- What PostgreSQL's first two steps make; each statement may run again. One ends where a line ends with a semicolon.
CREATE TABLE IF NOT EXISTS sys_info.jdp_cursor (
  table_name varchar(64) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY,
  seq bigint NOT NULL,
  ts datetime(6) NOT NULL
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS sys_info.jdp_quarantine (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  topic varchar(64) NOT NULL,
  object_key varchar(64),
  seller_nick varchar(64),
  stream varchar(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  stream_seq bigint NOT NULL,
  member_no int NOT NULL,
  received_at datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  reason varchar(64) NOT NULL,
  error_code varchar(64),
  error_text text,
  payload longblob NOT NULL,
  attempts int NOT NULL DEFAULT 1,
  state varchar(16) NOT NULL DEFAULT 'open',
  resolved_by varchar(128),
  resolved_at datetime(6),
  UNIQUE KEY jdp_quarantine_place (stream, stream_seq, member_no),
  KEY jdp_quarantine_open (state, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS sys_info.jdp_shop (
  seller_nick varchar(64) PRIMARY KEY,
  shop_id varchar(64) NOT NULL UNIQUE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS sys_info.jdp_audit (
  table_name varchar(64) NOT NULL,
  shop_id varchar(64) NOT NULL,
  window_start datetime NOT NULL,
  window_end datetime NOT NULL,
  sent bigint NOT NULL,
  stood bigint NOT NULL,
  missing bigint NOT NULL,
  stale bigint NOT NULL,
  wrong bigint NOT NULL,
  quarantined bigint NOT NULL,
  extra bigint NOT NULL,
  repaired bigint NOT NULL,
  deep boolean NOT NULL,
  audited_at datetime(6) NOT NULL,
  PRIMARY KEY (table_name, shop_id, window_start),
  KEY jdp_audit_newest (window_start)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS sys_info.jdp_backfill (
  table_name varchar(64) NOT NULL,
  shop_id varchar(64) NOT NULL,
  since datetime NOT NULL,
  until datetime NOT NULL,
  at_modified datetime,
  at_key bigint,
  records bigint NOT NULL DEFAULT 0,
  done_at datetime(6),
  PRIMARY KEY (table_name, shop_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS sys_info.jdp_made (
  kind varchar(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  digest varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (kind, name)
) ENGINE=InnoDB COMMENT='views and logins that Cairn made; neither can carry a mark of its own on every server';
