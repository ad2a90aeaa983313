-- SPDX-License-Identifier: Apache-2.0
-- What Operations ask the worker for, as PostgreSQL's step of this name makes it.
CREATE TABLE IF NOT EXISTS sys_info.jdp_request (
  id varchar(64) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY,
  subscription varchar(160) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  action varchar(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  args mediumtext NOT NULL,
  asked_at datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  state varchar(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'open',
  counts varchar(1024) NOT NULL DEFAULT '{}',
  reached varchar(1024) NOT NULL DEFAULT '[]',
  message text,
  ended_at datetime(6),
  KEY jdp_request_open (subscription, state, asked_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
