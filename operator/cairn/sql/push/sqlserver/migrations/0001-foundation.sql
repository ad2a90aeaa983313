-- SPDX-License-Identifier: Apache-2.0
-- What the steps of PostgreSQL and MySQL make. A batch ends at a line with nothing but GO; all of them are one transaction.
CREATE TABLE [dbo].[jdp_cursor] (
  table_name varchar(64) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY,
  seq bigint NOT NULL,
  ts datetime2(6) NOT NULL
)
GO
CREATE TABLE [dbo].[jdp_quarantine] (
  id bigint IDENTITY(1, 1) NOT NULL PRIMARY KEY,
  topic nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
  object_key nvarchar(64) COLLATE Latin1_General_100_BIN2 NULL,
  seller_nick nvarchar(128) NULL,
  stream varchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  stream_seq bigint NOT NULL,
  member_no int NOT NULL,
  received_at datetime2(6) NOT NULL DEFAULT SYSUTCDATETIME(),
  reason nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
  error_code nvarchar(64) NULL,
  error_text nvarchar(max) NULL,
  payload varbinary(max) NOT NULL,
  attempts int NOT NULL DEFAULT 1,
  state varchar(16) COLLATE Latin1_General_BIN2 NOT NULL DEFAULT 'open',
  resolved_by nvarchar(128) NULL,
  resolved_at datetime2(6) NULL,
  CONSTRAINT [jdp_quarantine_place] UNIQUE (stream, stream_seq, member_no)
)
GO
CREATE INDEX [jdp_quarantine_open] ON [dbo].[jdp_quarantine] (state, id)
GO
CREATE TABLE [dbo].[jdp_shop] (
  seller_nick nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY,
  shop_id nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL UNIQUE
)
GO
CREATE TABLE [dbo].[jdp_audit] (
  table_name varchar(64) COLLATE Latin1_General_BIN2 NOT NULL,
  shop_id nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
  window_start datetime2(0) NOT NULL,
  window_end datetime2(0) NOT NULL,
  sent bigint NOT NULL,
  stood bigint NOT NULL,
  missing bigint NOT NULL,
  stale bigint NOT NULL,
  wrong bigint NOT NULL,
  quarantined bigint NOT NULL,
  extra bigint NOT NULL,
  repaired bigint NOT NULL,
  deep bit NOT NULL,
  audited_at datetime2(6) NOT NULL,
  PRIMARY KEY (table_name, shop_id, window_start)
)
GO
CREATE INDEX [jdp_audit_newest] ON [dbo].[jdp_audit] (window_start)
GO
CREATE TABLE [dbo].[jdp_backfill] (
  table_name varchar(64) COLLATE Latin1_General_BIN2 NOT NULL,
  shop_id nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
  since datetime2(0) NOT NULL,
  until datetime2(0) NOT NULL,
  at_modified datetime2(0) NULL,
  at_key bigint NULL,
  records bigint NOT NULL DEFAULT 0,
  done_at datetime2(6) NULL,
  PRIMARY KEY (table_name, shop_id)
)
GO
CREATE TABLE [dbo].[jdp_made] (
  kind varchar(16) COLLATE Latin1_General_BIN2 NOT NULL,
  name nvarchar(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
  digest varchar(64) COLLATE Latin1_General_BIN2 NOT NULL,
  PRIMARY KEY (kind, name)
)
GO
CREATE TABLE [dbo].[jdp_request] (
  id varchar(64) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY,
  subscription varchar(160) COLLATE Latin1_General_BIN2 NOT NULL,
  action varchar(32) COLLATE Latin1_General_BIN2 NOT NULL,
  args nvarchar(max) NOT NULL,
  asked_at datetime2(6) NOT NULL DEFAULT SYSUTCDATETIME(),
  state varchar(16) COLLATE Latin1_General_BIN2 NOT NULL DEFAULT 'open',
  counts nvarchar(1024) NOT NULL DEFAULT '{}',
  reached nvarchar(1024) NOT NULL DEFAULT '[]',
  message nvarchar(max) NULL,
  ended_at datetime2(6) NULL
)
GO
CREATE INDEX [jdp_request_open] ON [dbo].[jdp_request] (subscription, state, asked_at)
