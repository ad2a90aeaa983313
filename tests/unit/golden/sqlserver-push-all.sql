DECLARE @held int; EXEC @held = sys.sp_getapplock @Resource = N'cairn.push', @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 5000; SELECT @held
GO
SELECT s.schema_id FROM sys.schemas AS s WHERE s.name = 'platform'
GO
CREATE SCHEMA [platform] AUTHORIZATION [dbo]
GO
IF OBJECT_ID(N'dbo.jdp_schema_version', N'U') IS NULL CREATE TABLE [dbo].[jdp_schema_version] (version int NOT NULL PRIMARY KEY, name nvarchar(64) NOT NULL, applied_at datetime2(6) NOT NULL DEFAULT SYSUTCDATETIME())
GO
SELECT version FROM [dbo].[jdp_schema_version]
GO
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
GO
CREATE TABLE [dbo].[jdp_retention] (
  table_name varchar(64) COLLATE Latin1_General_BIN2 NOT NULL,
  shop_id nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
  horizon datetime2(0) NOT NULL,
  rows_taken bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (table_name, shop_id)
)
GO
INSERT INTO [dbo].[jdp_schema_version] (version, name) VALUES (%s, %s)
GO
BEGIN TRANSACTION; DELETE FROM [dbo].[jdp_made] WHERE kind = %s AND name = %s; INSERT INTO [dbo].[jdp_made] (kind, name, digest) VALUES (%s, %s, %s); COMMIT TRANSACTION
GO
BEGIN TRANSACTION; DELETE FROM [dbo].[jdp_shop] WHERE shop_id = %s OR seller_nick = %s; INSERT INTO [dbo].[jdp_shop] (shop_id, seller_nick) VALUES (%s, %s); COMMIT TRANSACTION
GO
EXEC sys.sp_releaseapplock @Resource = N'cairn.push', @LockOwner = 'Session'
GO
ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON WITH NO_WAIT
GO
SELECT d.compatibility_level, d.containment, d.delayed_durability_desc, d.is_read_committed_snapshot_on FROM sys.databases AS d WHERE d.database_id = DB_ID()
GO
SELECT o.name AS table_name, c.name, y.name AS type_name, c.max_length, c.precision, c.scale, c.collation_name, c.is_nullable, CASE WHEN c.default_object_id <> 0 OR c.is_identity = 1 OR c.is_computed = 1 OR y.name = 'timestamp' THEN 1 ELSE 0 END AS filled FROM sys.columns AS c JOIN sys.tables AS o ON o.object_id = c.object_id JOIN sys.types AS y ON y.user_type_id = c.user_type_id WHERE o.schema_id = SCHEMA_ID('dbo')
GO
SELECT o.name AS table_name, i.name, CASE WHEN MAX(CAST(i.is_unique AS int)) = 1 AND COUNT(*) = 1 THEN MAX(c.name) END AS alone FROM sys.indexes AS i JOIN sys.tables AS o ON o.object_id = i.object_id JOIN sys.index_columns AS x ON x.object_id = i.object_id AND x.index_id = i.index_id AND x.key_ordinal > 0 JOIN sys.columns AS c ON c.object_id = x.object_id AND c.column_id = x.column_id WHERE o.schema_id = SCHEMA_ID('dbo') AND i.is_disabled = 0 AND i.has_filter = 0 GROUP BY o.name, i.name
GO
SELECT v.name FROM sys.views AS v WHERE v.schema_id = SCHEMA_ID('platform')
GO
SELECT kind, name, digest FROM [dbo].[jdp_made]
GO
SELECT shop_id, seller_nick FROM [dbo].[jdp_shop]
GO
SELECT COUNT(*) AS n FROM [dbo].[jdp_quarantine] WHERE state = 'open'
GO
BEGIN TRANSACTION
GO
INSERT INTO [dbo].[jdp_quarantine] (topic, object_key, seller_nick, stream, stream_seq, member_no, reason, error_code, error_text, payload) SELECT v.topic, v.object_key, v.seller_nick, v.stream, v.stream_seq, v.member_no, v.reason, v.error_code, v.error_text, v.payload FROM (VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)) AS v (topic, object_key, seller_nick, stream, stream_seq, member_no, reason, error_code, error_text, payload) WHERE NOT EXISTS (SELECT 1 FROM [dbo].[jdp_quarantine] AS q WITH (UPDLOCK, HOLDLOCK) WHERE q.stream = v.stream COLLATE Latin1_General_BIN2 AND q.stream_seq = v.stream_seq AND q.member_no = v.member_no); SELECT @@ROWCOUNT AS n
GO
SELECT seq FROM [dbo].[jdp_cursor] WHERE table_name = %s
GO
UPDATE [dbo].[jdp_cursor] SET seq = CASE WHEN seq > %s THEN seq ELSE %s END + %s, ts = CASE WHEN DATEADD(microsecond, %s, ts) > CAST(DATEADD(hour, 8, SYSUTCDATETIME()) AS datetime2(6)) THEN DATEADD(microsecond, %s, ts) ELSE CAST(DATEADD(hour, 8, SYSUTCDATETIME()) AS datetime2(6)) END OUTPUT INSERTED.seq, INSERTED.ts WHERE table_name = %s
GO
COMMIT TRANSACTION
GO
IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION
GO
SELECT CAST(SERVERPROPERTY('ProductMajorVersion') AS int)
GO
SELECT DISTINCT q.object_key FROM OPENJSON(%s) WITH (k nvarchar(64) '$') AS j JOIN [dbo].[jdp_quarantine] AS q ON q.object_key = j.k COLLATE Latin1_General_100_BIN2 WHERE q.topic = %s AND q.state = 'open'
GO
SELECT TOP (%s) id, stream, stream_seq, member_no, payload, reason FROM [dbo].[jdp_quarantine] WHERE state = 'open' AND reason = 'ROW_REFUSED' AND topic = %s AND id > %s ORDER BY id
GO
UPDATE [dbo].[jdp_quarantine] SET attempts = attempts + 1, state = 'retried', resolved_by = COALESCE(%s, USER_NAME()), resolved_at = SYSUTCDATETIME() WHERE id = %s AND state = 'open'
GO
UPDATE [dbo].[jdp_quarantine] SET attempts = attempts + 1, reason = %s, error_code = %s, error_text = %s, seller_nick = COALESCE(%s, seller_nick) WHERE id = %s AND state = 'open'
GO
SELECT table_name, shop_id, window_start, window_end, sent, stood, missing, stale, wrong, quarantined, extra, repaired, deep, audited_at FROM [dbo].[jdp_audit] WHERE table_name = %s AND shop_id = %s AND window_start >= %s
GO
UPDATE [dbo].[jdp_audit] SET window_end = %s, sent = %s, stood = %s, missing = %s, stale = %s, wrong = %s, quarantined = %s, extra = %s, deep = CASE WHEN %s = 1 OR (deep = 1 AND %s = 0) THEN 1 ELSE 0 END, repaired = repaired + %s, audited_at = %s WHERE table_name = %s AND shop_id = %s AND window_start = %s; SELECT @@ROWCOUNT AS n
GO
INSERT INTO [dbo].[jdp_audit] (table_name, shop_id, window_start, window_end, sent, stood, missing, stale, wrong, quarantined, extra, repaired, deep, audited_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
GO
SELECT since, until, at_modified, at_key, records, done_at FROM [dbo].[jdp_backfill] WHERE table_name = %s AND shop_id = %s
GO
UPDATE [dbo].[jdp_backfill] SET since = %s, until = %s, at_modified = %s, at_key = %s, records = %s, done_at = CASE WHEN %s = 1 THEN SYSUTCDATETIME() END WHERE table_name = %s AND shop_id = %s; SELECT @@ROWCOUNT AS n
GO
INSERT INTO [dbo].[jdp_backfill] (since, until, at_modified, at_key, records, done_at, table_name, shop_id) VALUES (%s, %s, %s, %s, %s, CASE WHEN %s = 1 THEN SYSUTCDATETIME() END, %s, %s)
GO
SELECT p.name FROM sys.database_principals AS p WHERE p.name = %s
GO
DECLARE @name sysname = %s, @password nvarchar(128) = %s; DECLARE @sql nvarchar(max) = N'CREATE USER ' + QUOTENAME(@name) + N' WITH PASSWORD = ' + QUOTENAME(@password, '''') + N', DEFAULT_SCHEMA = [dbo]'; EXEC sys.sp_executesql @sql
GO
GRANT SELECT, INSERT, UPDATE ON OBJECT::[dbo].[jdp_tb_trade] TO [push1]
GO
GRANT SELECT, INSERT, DELETE ON OBJECT::[dbo].[jdp_stage_tb_trade] TO [push1]
GO
GRANT SELECT, INSERT, UPDATE ON OBJECT::[dbo].[jdp_quarantine] TO [push1]
GO
GRANT SELECT, INSERT, UPDATE ON OBJECT::[dbo].[jdp_audit] TO [push1]
GO
GRANT SELECT, INSERT, UPDATE ON OBJECT::[dbo].[jdp_backfill] TO [push1]
GO
GRANT SELECT, INSERT, UPDATE ON OBJECT::[dbo].[jdp_retention] TO [push1]
GO
GRANT SELECT, UPDATE ON OBJECT::[dbo].[jdp_cursor] TO [push1]
GO
GRANT SELECT, UPDATE ON OBJECT::[dbo].[jdp_request] TO [push1]
GO
REVOKE DELETE ON OBJECT::[dbo].[jdp_tb_trade] FROM [push1]
GO
GRANT SELECT ON OBJECT::[dbo].[jdp_tb_trade] TO [reader1]
GO
GRANT SELECT ON OBJECT::[dbo].[jdp_audit] TO [reader1]
GO
GRANT SELECT ON OBJECT::[dbo].[jdp_backfill] TO [reader1]
GO
GRANT SELECT ON OBJECT::[dbo].[jdp_retention] TO [reader1]
GO
GRANT SELECT ON SCHEMA::[platform] TO [reader1]
GO
SELECT COALESCE(s.name, o.name) AS target, p.permission_name FROM sys.database_permissions AS p JOIN sys.database_principals AS e ON e.principal_id = p.grantee_principal_id LEFT JOIN sys.objects AS o ON p.class = 1 AND p.minor_id = 0 AND o.object_id = p.major_id AND o.schema_id = SCHEMA_ID('dbo') LEFT JOIN sys.schemas AS s ON p.class = 3 AND s.schema_id = p.major_id WHERE e.name = %s AND p.state IN ('G', 'W')
GO
SELECT s.session_id FROM sys.dm_exec_sessions AS s WHERE s.is_user_process = 1 AND s.authenticating_database_id = DB_ID() AND s.original_login_name = %s
GO
DELETE FROM [dbo].[jdp_made] WHERE kind = 'login' AND name = %s
GO
SELECT id, action, args, counts, reached FROM [dbo].[jdp_request] WHERE subscription = %s AND state = 'open' ORDER BY asked_at, id
GO
UPDATE [dbo].[jdp_request] SET counts = %s, reached = %s, message = NULL WHERE id = %s AND state = 'open'; SELECT @@ROWCOUNT AS n
GO
UPDATE [dbo].[jdp_request] SET message = %s WHERE id = %s AND state = 'open'
GO
UPDATE [dbo].[jdp_request] SET state = %s, counts = %s, message = %s, ended_at = SYSUTCDATETIME() WHERE id = %s AND state = 'open'
GO
SELECT COUNT(*) AS n FROM [dbo].[jdp_quarantine] WHERE resolved_by = %s
GO
INSERT INTO [dbo].[jdp_request] (id, subscription, action, args) SELECT v.id, v.subscription, v.action, v.args FROM (VALUES (%s, %s, %s, %s)) AS v (id, subscription, action, args) WHERE NOT EXISTS (SELECT 1 FROM [dbo].[jdp_request] AS r WITH (UPDLOCK, HOLDLOCK) WHERE r.id = %s)
GO
SELECT state, counts, message FROM [dbo].[jdp_request] WHERE id = %s
GO
SELECT DATEDIFF_BIG(second, '1970-01-01', SYSUTCDATETIME()) AS n
GO
SELECT horizon FROM [dbo].[jdp_retention] WHERE table_name = %s AND shop_id = %s
GO
UPDATE [dbo].[jdp_retention] SET horizon = CASE WHEN horizon > %s THEN horizon ELSE %s END WHERE table_name = %s AND shop_id = %s; SELECT @@ROWCOUNT AS n
GO
INSERT INTO [dbo].[jdp_retention] (table_name, shop_id, horizon) VALUES (%s, %s, %s)
GO
SELECT MIN(horizon) AS horizon, SUM(rows_taken) AS rows_taken FROM [dbo].[jdp_retention] WHERE table_name IN (SELECT j.v COLLATE Latin1_General_BIN2 FROM OPENJSON(%s) WITH (v varchar(64) '$') AS j) AND shop_id IN (SELECT j.v COLLATE Latin1_General_100_BIN2 FROM OPENJSON(%s) WITH (v nvarchar(64) '$') AS j)
GO
SELECT MAX(window_end) AS through, SUM(sent) AS sent, SUM(stood) AS stood, SUM(missing) AS missing, SUM(stale) AS stale, SUM(wrong) AS wrong, SUM(quarantined) AS quarantined, SUM(repaired) AS repaired FROM [dbo].[jdp_audit] AS a WHERE table_name IN (SELECT j.v COLLATE Latin1_General_BIN2 FROM OPENJSON(%s) WITH (v varchar(64) '$') AS j) AND shop_id IN (SELECT j.v COLLATE Latin1_General_100_BIN2 FROM OPENJSON(%s) WITH (v nvarchar(64) '$') AS j) AND NOT EXISTS (SELECT 1 FROM [dbo].[jdp_retention] AS r WHERE r.table_name = a.table_name AND r.shop_id = a.shop_id AND a.window_start < r.horizon)
GO
SELECT TOP (24) window_start, SUM(sent) AS sent, SUM(stood) AS stood, SUM(missing) AS missing, SUM(stale) AS stale, SUM(wrong) AS wrong, SUM(quarantined) AS quarantined, SUM(repaired) AS repaired FROM [dbo].[jdp_audit] AS a WHERE table_name IN (SELECT j.v COLLATE Latin1_General_BIN2 FROM OPENJSON(%s) WITH (v varchar(64) '$') AS j) AND shop_id IN (SELECT j.v COLLATE Latin1_General_100_BIN2 FROM OPENJSON(%s) WITH (v nvarchar(64) '$') AS j) AND NOT EXISTS (SELECT 1 FROM [dbo].[jdp_retention] AS r WHERE r.table_name = a.table_name AND r.shop_id = a.shop_id AND a.window_start < r.horizon) GROUP BY window_start ORDER BY window_start DESC
GO
SELECT TOP (92) CAST(window_start AS date) AS day, SUM(sent) AS sent, SUM(stood) AS stood, SUM(missing) AS missing, SUM(stale) AS stale, SUM(wrong) AS wrong, SUM(quarantined) AS quarantined, SUM(repaired) AS repaired FROM [dbo].[jdp_audit] AS a WHERE table_name IN (SELECT j.v COLLATE Latin1_General_BIN2 FROM OPENJSON(%s) WITH (v varchar(64) '$') AS j) AND shop_id IN (SELECT j.v COLLATE Latin1_General_100_BIN2 FROM OPENJSON(%s) WITH (v nvarchar(64) '$') AS j) AND NOT EXISTS (SELECT 1 FROM [dbo].[jdp_retention] AS r WHERE r.table_name = a.table_name AND r.shop_id = a.shop_id AND a.window_start < r.horizon) GROUP BY CAST(window_start AS date) ORDER BY CAST(window_start AS date) DESC
GO
SELECT MIN(since) AS since, SUM(records) AS records, MIN(CASE WHEN done_at IS NULL THEN 0 ELSE 1 END) AS complete FROM [dbo].[jdp_backfill] WHERE table_name IN (SELECT j.v COLLATE Latin1_General_BIN2 FROM OPENJSON(%s) WITH (v varchar(64) '$') AS j) AND shop_id IN (SELECT j.v COLLATE Latin1_General_100_BIN2 FROM OPENJSON(%s) WITH (v nvarchar(64) '$') AS j) AND since < until
GO
UPDATE [dbo].[jdp_request] SET state = 'withdrawn', ended_at = SYSUTCDATETIME() WHERE id = %s AND state = 'open'
GO
SELECT TOP (%s) id, stream, stream_seq, member_no, payload, reason FROM [dbo].[jdp_quarantine] WHERE state = 'open' AND topic = %s AND (seller_nick IS NULL OR reason = 'NOT_YOUR_SHOP' OR seller_nick COLLATE Latin1_General_100_BIN2 IN (SELECT n.v COLLATE Latin1_General_100_BIN2 FROM OPENJSON(%s) WITH (v nvarchar(128) '$') AS n)) AND id > %s ORDER BY id
GO
SELECT TOP (%s) id, stream, stream_seq, member_no, payload, reason FROM [dbo].[jdp_quarantine] WHERE state = 'open' AND topic = %s AND (seller_nick IS NULL OR reason = 'NOT_YOUR_SHOP' OR seller_nick COLLATE Latin1_General_100_BIN2 IN (SELECT n.v COLLATE Latin1_General_100_BIN2 FROM OPENJSON(%s) WITH (v nvarchar(128) '$') AS n)) AND id IN (SELECT i.v FROM OPENJSON(%s) WITH (v bigint '$') AS i) AND reason = %s AND id > %s ORDER BY id
GO
UPDATE [dbo].[jdp_quarantine] SET state = 'discarded', resolved_by = %s, resolved_at = SYSUTCDATETIME() WHERE state = 'open' AND topic = %s AND (seller_nick IS NULL OR reason = 'NOT_YOUR_SHOP' OR seller_nick COLLATE Latin1_General_100_BIN2 IN (SELECT n.v COLLATE Latin1_General_100_BIN2 FROM OPENJSON(%s) WITH (v nvarchar(128) '$') AS n))
GO
UPDATE [dbo].[jdp_quarantine] SET state = 'discarded', resolved_by = %s, resolved_at = SYSUTCDATETIME() WHERE state = 'open' AND topic = %s AND (seller_nick IS NULL OR reason = 'NOT_YOUR_SHOP' OR seller_nick COLLATE Latin1_General_100_BIN2 IN (SELECT n.v COLLATE Latin1_General_100_BIN2 FROM OPENJSON(%s) WITH (v nvarchar(128) '$') AS n)) AND id IN (SELECT i.v FROM OPENJSON(%s) WITH (v bigint '$') AS i) AND reason = %s
