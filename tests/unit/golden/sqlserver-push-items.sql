CREATE TABLE [dbo].[jdp_tb_item] (
  [num_iid] bigint NOT NULL CONSTRAINT [pk_jdp_tb_item] PRIMARY KEY,
  [nick] nvarchar(32) NULL,
  [approve_status] nvarchar(32) NULL,
  [has_showcase] nvarchar(32) NULL,
  [created] datetime2(0) NULL,
  [modified] datetime2(0) NULL,
  [cid] nvarchar(256) NULL,
  [has_discount] nvarchar(32) NULL,
  [jdp_hashcode] varchar(128) COLLATE Latin1_General_BIN2 NULL,
  [jdp_response] nvarchar(max) NULL,
  [jdp_delete] int NULL,
  [jdp_created] datetime2(6) NULL,
  [jdp_modified] datetime2(6) NULL,
  [jdp_version] bigint NOT NULL DEFAULT 0,
  [jdp_seq] bigint NULL
)
GO
CREATE INDEX [ind_jdp_tb_item_nick_jdp_modified] ON [dbo].[jdp_tb_item] ([nick], [jdp_modified])
GO
CREATE INDEX [ind_jdp_tb_item_jdp_modified] ON [dbo].[jdp_tb_item] ([jdp_modified])
GO
CREATE INDEX [ind_jdp_tb_item_nick_modified] ON [dbo].[jdp_tb_item] ([nick], [modified])
GO
CREATE INDEX [ind_jdp_tb_item_modified] ON [dbo].[jdp_tb_item] ([modified])
GO
CREATE INDEX [ind_jdp_tb_item_jdp_seq] ON [dbo].[jdp_tb_item] ([jdp_seq])
GO
CREATE TABLE [dbo].[jdp_stage_tb_item] (
  [jdp_batch] uniqueidentifier NOT NULL,
  [jdp_row] int NOT NULL,
  [num_iid] bigint NULL,
  [nick] nvarchar(32) NULL,
  [approve_status] nvarchar(32) NULL,
  [has_showcase] nvarchar(32) NULL,
  [created] datetime2(0) NULL,
  [modified] datetime2(0) NULL,
  [cid] nvarchar(256) NULL,
  [has_discount] nvarchar(32) NULL,
  [jdp_delete] int NULL,
  [jdp_hashcode] varchar(128) COLLATE Latin1_General_BIN2 NULL,
  [jdp_response] nvarchar(max) NULL,
  [jdp_version] bigint NULL,
  [jdp_staged] datetime2(6) NOT NULL DEFAULT SYSUTCDATETIME()
)
GO
CREATE UNIQUE CLUSTERED INDEX [jdp_stage_batch] ON [dbo].[jdp_stage_tb_item] ([jdp_batch], [jdp_row])
GO
INSERT INTO [dbo].[jdp_cursor] (table_name, seq, ts) SELECT %s, COALESCE(MAX(t.jdp_seq), 0), COALESCE(MAX(t.jdp_modified), '2000-01-01') FROM [dbo].[jdp_tb_item] AS t HAVING NOT EXISTS (SELECT 1 FROM [dbo].[jdp_cursor] AS c WHERE c.table_name = %s)
GO
CREATE OR ALTER VIEW [platform].[items] AS SELECT
  s.shop_id AS [shop_id],
  t.jdp_modified AS [jdp_modified],
  t.jdp_seq AS [jdp_seq],
  t.[num_iid] AS [num_iid],
  t.[nick] AS [nick],
  t.[jdp_delete] AS [jdp_delete],
  t.[approve_status] AS [approve_status],
  t.[created] AS [created],
  t.[modified] AS [modified],
  j.[title] AS [title],
  j.[outer_id] AS [outer_id],
  t.[cid] AS [cid],
  CASE WHEN (j.[price] COLLATE Latin1_General_100_BIN2 LIKE N'[0-9]%' OR j.[price] COLLATE Latin1_General_100_BIN2 LIKE N'-[0-9]%') AND j.[price] COLLATE Latin1_General_100_BIN2 NOT LIKE N'_%[^0-9.]%' THEN TRY_CAST(j.[price] COLLATE Latin1_General_100_BIN2 AS decimal(38, 10)) END AS [price],
  CASE WHEN (j.[num] COLLATE Latin1_General_100_BIN2 LIKE N'[0-9]%' OR j.[num] COLLATE Latin1_General_100_BIN2 LIKE N'-[0-9]%') AND j.[num] COLLATE Latin1_General_100_BIN2 NOT LIKE N'_%[^0-9]%' THEN TRY_CAST(j.[num] COLLATE Latin1_General_100_BIN2 AS bigint) END AS [num],
  CASE WHEN j.[list_time] COLLATE Latin1_General_100_BIN2 LIKE N'[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]' THEN TRY_CONVERT(datetime2(0), j.[list_time] COLLATE Latin1_General_100_BIN2, 120) END AS [list_time],
  CASE WHEN j.[delist_time] COLLATE Latin1_General_100_BIN2 LIKE N'[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]' THEN TRY_CONVERT(datetime2(0), j.[delist_time] COLLATE Latin1_General_100_BIN2, 120) END AS [delist_time],
  j.[skus] AS [skus]
FROM [dbo].[jdp_tb_item] AS t
LEFT JOIN [dbo].[jdp_shop] AS s ON s.seller_nick COLLATE DATABASE_DEFAULT = t.[nick] AND s.seller_nick = t.[nick] COLLATE Latin1_General_100_BIN2
OUTER APPLY (SELECT TOP (1) * FROM OPENJSON(CASE WHEN ISJSON(t.jdp_response) = 1 THEN t.jdp_response ELSE N'{}' END) WITH (
  [title] nvarchar(max) '$."item_get_response"."item"."title"',
  [outer_id] nvarchar(max) '$."item_get_response"."item"."outer_id"',
  [price] nvarchar(max) '$."item_get_response"."item"."price"',
  [num] nvarchar(max) '$."item_get_response"."item"."num"',
  [list_time] nvarchar(max) '$."item_get_response"."item"."list_time"',
  [delist_time] nvarchar(max) '$."item_get_response"."item"."delist_time"',
  [skus] nvarchar(max) '$."item_get_response"."item"."skus"."sku"' AS JSON
)) AS j
GO
DELETE FROM [dbo].[jdp_stage_tb_item] WHERE jdp_staged < DATEADD(hour, -1, SYSUTCDATETIME())
GO
SELECT t.[num_iid], t.[modified], COALESCE(t.jdp_version, 0), COALESCE(t.jdp_hashcode, '') FROM OPENJSON(%s) WITH (k bigint '$') AS j JOIN [dbo].[jdp_tb_item] AS t ON t.[num_iid] = j.k
GO
INSERT INTO [dbo].[jdp_stage_tb_item] ([jdp_batch], [jdp_row], [num_iid], [nick], [approve_status], [has_showcase], [created], [modified], [cid], [has_discount], [jdp_delete], [jdp_hashcode], [jdp_response], [jdp_version]) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s), (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
GO
UPDATE t SET [nick] = s.[nick], [approve_status] = s.[approve_status], [has_showcase] = s.[has_showcase], [created] = s.[created], [modified] = s.[modified], [cid] = s.[cid], [has_discount] = s.[has_discount], [jdp_delete] = s.[jdp_delete], [jdp_hashcode] = s.[jdp_hashcode], [jdp_response] = s.[jdp_response], jdp_version = s.jdp_version, jdp_modified = CASE WHEN t.[modified] = s.[modified] AND t.jdp_hashcode COLLATE Latin1_General_BIN2 = s.jdp_hashcode COLLATE Latin1_General_BIN2 AND t.jdp_response COLLATE Latin1_General_100_BIN2 = s.jdp_response COLLATE Latin1_General_100_BIN2 AND DATALENGTH(t.jdp_response) = DATALENGTH(s.jdp_response) THEN t.jdp_modified ELSE DATEADD(microsecond, s.jdp_row, g.ts) END, jdp_seq = CASE WHEN t.[modified] = s.[modified] AND t.jdp_hashcode COLLATE Latin1_General_BIN2 = s.jdp_hashcode COLLATE Latin1_General_BIN2 AND t.jdp_response COLLATE Latin1_General_100_BIN2 = s.jdp_response COLLATE Latin1_General_100_BIN2 AND DATALENGTH(t.jdp_response) = DATALENGTH(s.jdp_response) THEN t.jdp_seq ELSE g.seq + s.jdp_row END FROM [dbo].[jdp_tb_item] AS t JOIN [dbo].[jdp_stage_tb_item] AS s ON s.[num_iid] = t.[num_iid] CROSS JOIN (SELECT CAST(%s AS datetime2(6)) AS ts, CAST(%s AS bigint) AS seq) AS g WHERE s.jdp_batch = %s AND (t.[modified] IS NULL OR t.[modified] < s.[modified] OR (t.[modified] = s.[modified] AND (COALESCE(t.jdp_version, 0) < s.jdp_version OR (COALESCE(t.jdp_version, 0) = s.jdp_version AND COALESCE(t.jdp_hashcode, '') COLLATE Latin1_General_BIN2 < s.jdp_hashcode COLLATE Latin1_General_BIN2)))); SELECT @@ROWCOUNT AS n
GO
INSERT INTO [dbo].[jdp_tb_item] ([num_iid], [nick], [approve_status], [has_showcase], [created], [modified], [cid], [has_discount], [jdp_delete], [jdp_hashcode], [jdp_response], jdp_version, jdp_created, jdp_modified, jdp_seq) SELECT s.[num_iid], s.[nick], s.[approve_status], s.[has_showcase], s.[created], s.[modified], s.[cid], s.[has_discount], s.[jdp_delete], s.[jdp_hashcode], s.[jdp_response], s.jdp_version, DATEADD(microsecond, s.jdp_row, g.ts), DATEADD(microsecond, s.jdp_row, g.ts), g.seq + s.jdp_row FROM [dbo].[jdp_stage_tb_item] AS s CROSS JOIN (SELECT CAST(%s AS datetime2(6)) AS ts, CAST(%s AS bigint) AS seq) AS g WHERE s.jdp_batch = %s AND NOT EXISTS (SELECT 1 FROM [dbo].[jdp_tb_item] AS t WITH (UPDLOCK) WHERE t.[num_iid] = s.[num_iid]); SELECT @@ROWCOUNT AS n
GO
DELETE FROM [dbo].[jdp_stage_tb_item] WHERE jdp_batch = %s
GO
SELECT x.slot, COUNT_BIG(*) AS records, SUM(CAST(COALESCE(x.token, 0) AS decimal(38, 0))) AS total FROM [dbo].[jdp_tb_item] AS t CROSS APPLY (SELECT LEFT(COALESCE(t.jdp_hashcode, ''), 15) AS d) AS h CROSS APPLY (SELECT DATEDIFF_BIG(second, %s, t.[modified]) / 3600 AS slot, CASE WHEN LEN(h.d) = 15 THEN CAST(TRY_CONVERT(binary(8), '0' + h.d, 2) AS bigint) END AS token) AS x WHERE t.[nick] = %s AND t.[nick] COLLATE Latin1_General_100_BIN2 = %s AND t.[modified] >= %s AND t.[modified] < %s GROUP BY x.slot ORDER BY x.slot
GO
SELECT x.slot, COUNT_BIG(*) AS records, SUM(CAST(COALESCE(x.token, 0) AS decimal(38, 0))) AS total FROM [dbo].[jdp_tb_item] AS t CROSS APPLY (SELECT LEFT(COALESCE(LOWER(CONVERT(char(32), SUBSTRING(HASHBYTES('SHA2_256', CAST(CAST(t.jdp_response COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(max)) AS varbinary(max))), 1, 16), 2)), ''), 15) AS d) AS h CROSS APPLY (SELECT DATEDIFF_BIG(second, %s, t.[modified]) / 3600 AS slot, CASE WHEN LEN(h.d) = 15 THEN CAST(TRY_CONVERT(binary(8), '0' + h.d, 2) AS bigint) END AS token) AS x WHERE t.[nick] = %s AND t.[nick] COLLATE Latin1_General_100_BIN2 = %s AND t.[modified] >= %s AND t.[modified] < %s GROUP BY x.slot ORDER BY x.slot
GO
SELECT TOP (%s) t.[num_iid], t.[modified], COALESCE(t.jdp_hashcode, '') AS hash FROM [dbo].[jdp_tb_item] AS t WHERE t.[nick] = %s AND t.[nick] COLLATE Latin1_General_100_BIN2 = %s AND t.[modified] >= %s AND t.[modified] < %s ORDER BY t.[num_iid]
GO
SELECT TOP (%s) t.[num_iid], t.[modified], COALESCE(LOWER(CONVERT(char(32), SUBSTRING(HASHBYTES('SHA2_256', CAST(CAST(t.jdp_response COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(max)) AS varbinary(max))), 1, 16), 2)), '') AS hash FROM [dbo].[jdp_tb_item] AS t WHERE t.[nick] = %s AND t.[nick] COLLATE Latin1_General_100_BIN2 = %s AND t.[modified] >= %s AND t.[modified] < %s AND t.[num_iid] > %s ORDER BY t.[num_iid]
GO
SELECT t.[num_iid], t.[modified], COALESCE(t.jdp_version, 0), COALESCE(t.jdp_hashcode, ''), CASE WHEN t.jdp_hashcode IS NOT NULL THEN 1 ELSE 0 END AS sound FROM OPENJSON(%s) WITH (k bigint '$') AS j JOIN [dbo].[jdp_tb_item] AS t ON t.[num_iid] = j.k
GO
SELECT t.[num_iid], t.[modified], COALESCE(t.jdp_version, 0), COALESCE(t.jdp_hashcode, ''), CASE WHEN LOWER(CONVERT(char(32), SUBSTRING(HASHBYTES('SHA2_256', CAST(CAST(t.jdp_response COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(max)) AS varbinary(max))), 1, 16), 2)) = t.jdp_hashcode COLLATE Latin1_General_BIN2 THEN 1 ELSE 0 END AS sound FROM OPENJSON(%s) WITH (k bigint '$') AS j JOIN [dbo].[jdp_tb_item] AS t ON t.[num_iid] = j.k
GO
SELECT TOP (%s) t.[num_iid] FROM [dbo].[jdp_tb_item] AS t WHERE t.[nick] = %s AND t.[nick] COLLATE Latin1_General_100_BIN2 = %s AND t.[modified] < %s ORDER BY t.[modified]
GO
DECLARE @n bigint; BEGIN TRANSACTION; DELETE t FROM [dbo].[jdp_tb_item] AS t WHERE t.[num_iid] IN (SELECT j.k FROM OPENJSON(%s) WITH (k bigint '$') AS j) AND t.[nick] = %s AND t.[nick] COLLATE Latin1_General_100_BIN2 = %s AND t.[modified] < %s; SET @n = @@ROWCOUNT; UPDATE [dbo].[jdp_retention] SET rows_taken = rows_taken + @n WHERE table_name = %s AND shop_id = %s; COMMIT TRANSACTION; SELECT @n AS n
