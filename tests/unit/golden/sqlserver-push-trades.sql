CREATE TABLE [dbo].[jdp_tb_trade] (
  [tid] bigint NOT NULL CONSTRAINT [pk_jdp_tb_trade] PRIMARY KEY,
  [status] nvarchar(64) NULL,
  [type] nvarchar(64) NULL,
  [seller_nick] nvarchar(32) NULL,
  [buyer_nick] nvarchar(32) NULL,
  [created] datetime2(0) NULL,
  [modified] datetime2(0) NULL,
  [jdp_hashcode] varchar(128) COLLATE Latin1_General_BIN2 NULL,
  [jdp_response] nvarchar(max) NULL,
  [jdp_created] datetime2(6) NULL,
  [jdp_modified] datetime2(6) NULL,
  [jdp_version] bigint NOT NULL DEFAULT 0,
  [jdp_seq] bigint NULL
)
GO
CREATE INDEX [ind_jdp_tb_trade_seller_nick_jdp_modified] ON [dbo].[jdp_tb_trade] ([seller_nick], [jdp_modified])
GO
CREATE INDEX [ind_jdp_tb_trade_jdp_modified] ON [dbo].[jdp_tb_trade] ([jdp_modified])
GO
CREATE INDEX [ind_jdp_tb_trade_seller_nick_modified] ON [dbo].[jdp_tb_trade] ([seller_nick], [modified])
GO
CREATE INDEX [ind_jdp_tb_trade_modified] ON [dbo].[jdp_tb_trade] ([modified])
GO
CREATE INDEX [ind_jdp_tb_trade_jdp_seq] ON [dbo].[jdp_tb_trade] ([jdp_seq])
GO
CREATE TABLE [dbo].[jdp_stage_tb_trade] (
  [jdp_batch] uniqueidentifier NOT NULL,
  [jdp_row] int NOT NULL,
  [tid] bigint NULL,
  [status] nvarchar(64) NULL,
  [type] nvarchar(64) NULL,
  [seller_nick] nvarchar(32) NULL,
  [buyer_nick] nvarchar(32) NULL,
  [created] datetime2(0) NULL,
  [modified] datetime2(0) NULL,
  [jdp_hashcode] varchar(128) COLLATE Latin1_General_BIN2 NULL,
  [jdp_response] nvarchar(max) NULL,
  [jdp_version] bigint NULL,
  [jdp_staged] datetime2(6) NOT NULL DEFAULT SYSUTCDATETIME()
)
GO
CREATE UNIQUE CLUSTERED INDEX [jdp_stage_batch] ON [dbo].[jdp_stage_tb_trade] ([jdp_batch], [jdp_row])
GO
INSERT INTO [dbo].[jdp_cursor] (table_name, seq, ts) SELECT %s, COALESCE(MAX(t.jdp_seq), 0), COALESCE(MAX(t.jdp_modified), '2000-01-01') FROM [dbo].[jdp_tb_trade] AS t HAVING NOT EXISTS (SELECT 1 FROM [dbo].[jdp_cursor] AS c WHERE c.table_name = %s)
GO
CREATE OR ALTER VIEW [platform].[trades] AS SELECT
  s.shop_id AS [shop_id],
  t.jdp_modified AS [jdp_modified],
  t.jdp_seq AS [jdp_seq],
  t.[tid] AS [tid],
  t.[seller_nick] AS [seller_nick],
  t.[buyer_nick] AS [buyer_nick],
  t.[status] AS [status],
  t.[type] AS [type],
  t.[created] AS [created],
  t.[modified] AS [modified],
  CASE WHEN j.[pay_time] COLLATE Latin1_General_100_BIN2 LIKE N'[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]' THEN TRY_CONVERT(datetime2(0), j.[pay_time] COLLATE Latin1_General_100_BIN2, 120) END AS [pay_time],
  CASE WHEN j.[consign_time] COLLATE Latin1_General_100_BIN2 LIKE N'[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]' THEN TRY_CONVERT(datetime2(0), j.[consign_time] COLLATE Latin1_General_100_BIN2, 120) END AS [consign_time],
  CASE WHEN j.[end_time] COLLATE Latin1_General_100_BIN2 LIKE N'[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]' THEN TRY_CONVERT(datetime2(0), j.[end_time] COLLATE Latin1_General_100_BIN2, 120) END AS [end_time],
  j.[title] AS [title],
  CASE WHEN (j.[num] COLLATE Latin1_General_100_BIN2 LIKE N'[0-9]%' OR j.[num] COLLATE Latin1_General_100_BIN2 LIKE N'-[0-9]%') AND j.[num] COLLATE Latin1_General_100_BIN2 NOT LIKE N'_%[^0-9]%' THEN TRY_CAST(j.[num] COLLATE Latin1_General_100_BIN2 AS bigint) END AS [num],
  CASE WHEN (j.[price] COLLATE Latin1_General_100_BIN2 LIKE N'[0-9]%' OR j.[price] COLLATE Latin1_General_100_BIN2 LIKE N'-[0-9]%') AND j.[price] COLLATE Latin1_General_100_BIN2 NOT LIKE N'_%[^0-9.]%' THEN TRY_CAST(j.[price] COLLATE Latin1_General_100_BIN2 AS decimal(38, 10)) END AS [price],
  CASE WHEN (j.[total_fee] COLLATE Latin1_General_100_BIN2 LIKE N'[0-9]%' OR j.[total_fee] COLLATE Latin1_General_100_BIN2 LIKE N'-[0-9]%') AND j.[total_fee] COLLATE Latin1_General_100_BIN2 NOT LIKE N'_%[^0-9.]%' THEN TRY_CAST(j.[total_fee] COLLATE Latin1_General_100_BIN2 AS decimal(38, 10)) END AS [total_fee],
  CASE WHEN (j.[discount_fee] COLLATE Latin1_General_100_BIN2 LIKE N'[0-9]%' OR j.[discount_fee] COLLATE Latin1_General_100_BIN2 LIKE N'-[0-9]%') AND j.[discount_fee] COLLATE Latin1_General_100_BIN2 NOT LIKE N'_%[^0-9.]%' THEN TRY_CAST(j.[discount_fee] COLLATE Latin1_General_100_BIN2 AS decimal(38, 10)) END AS [discount_fee],
  CASE WHEN (j.[post_fee] COLLATE Latin1_General_100_BIN2 LIKE N'[0-9]%' OR j.[post_fee] COLLATE Latin1_General_100_BIN2 LIKE N'-[0-9]%') AND j.[post_fee] COLLATE Latin1_General_100_BIN2 NOT LIKE N'_%[^0-9.]%' THEN TRY_CAST(j.[post_fee] COLLATE Latin1_General_100_BIN2 AS decimal(38, 10)) END AS [post_fee],
  CASE WHEN (j.[payment] COLLATE Latin1_General_100_BIN2 LIKE N'[0-9]%' OR j.[payment] COLLATE Latin1_General_100_BIN2 LIKE N'-[0-9]%') AND j.[payment] COLLATE Latin1_General_100_BIN2 NOT LIKE N'_%[^0-9.]%' THEN TRY_CAST(j.[payment] COLLATE Latin1_General_100_BIN2 AS decimal(38, 10)) END AS [payment],
  CASE WHEN (j.[received_payment] COLLATE Latin1_General_100_BIN2 LIKE N'[0-9]%' OR j.[received_payment] COLLATE Latin1_General_100_BIN2 LIKE N'-[0-9]%') AND j.[received_payment] COLLATE Latin1_General_100_BIN2 NOT LIKE N'_%[^0-9.]%' THEN TRY_CAST(j.[received_payment] COLLATE Latin1_General_100_BIN2 AS decimal(38, 10)) END AS [received_payment],
  j.[receiver_name] AS [receiver_name],
  j.[receiver_mobile] AS [receiver_mobile],
  j.[receiver_phone] AS [receiver_phone],
  j.[receiver_state] AS [receiver_state],
  j.[receiver_city] AS [receiver_city],
  j.[receiver_district] AS [receiver_district],
  j.[receiver_address] AS [receiver_address],
  j.[receiver_zip] AS [receiver_zip],
  j.[buyer_message] AS [buyer_message],
  j.[seller_memo] AS [seller_memo],
  j.[orders] AS [orders],
  j.[ouid] AS [ouid],
  j.[omid] AS [omid]
FROM [dbo].[jdp_tb_trade] AS t
LEFT JOIN [dbo].[jdp_shop] AS s ON s.seller_nick COLLATE DATABASE_DEFAULT = t.[seller_nick] AND s.seller_nick = t.[seller_nick] COLLATE Latin1_General_100_BIN2
OUTER APPLY (SELECT TOP (1) * FROM OPENJSON(CASE WHEN ISJSON(t.jdp_response) = 1 THEN t.jdp_response ELSE N'{}' END) WITH (
  [pay_time] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."pay_time"',
  [consign_time] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."consign_time"',
  [end_time] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."end_time"',
  [title] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."title"',
  [num] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."num"',
  [price] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."price"',
  [total_fee] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."total_fee"',
  [discount_fee] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."discount_fee"',
  [post_fee] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."post_fee"',
  [payment] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."payment"',
  [received_payment] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."received_payment"',
  [receiver_name] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."receiver_name"',
  [receiver_mobile] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."receiver_mobile"',
  [receiver_phone] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."receiver_phone"',
  [receiver_state] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."receiver_state"',
  [receiver_city] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."receiver_city"',
  [receiver_district] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."receiver_district"',
  [receiver_address] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."receiver_address"',
  [receiver_zip] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."receiver_zip"',
  [buyer_message] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."buyer_message"',
  [seller_memo] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."seller_memo"',
  [orders] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."orders"."order"' AS JSON,
  [ouid] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."ouid"',
  [omid] nvarchar(max) '$."trade_fullinfo_get_response"."trade"."omid"'
)) AS j
GO
DELETE FROM [dbo].[jdp_stage_tb_trade] WHERE jdp_staged < DATEADD(hour, -1, SYSUTCDATETIME())
GO
SELECT t.[tid], t.[modified], COALESCE(t.jdp_version, 0), COALESCE(t.jdp_hashcode, '') FROM OPENJSON(%s) WITH (k bigint '$') AS j JOIN [dbo].[jdp_tb_trade] AS t ON t.[tid] = j.k
GO
INSERT INTO [dbo].[jdp_stage_tb_trade] ([jdp_batch], [jdp_row], [tid], [status], [type], [seller_nick], [buyer_nick], [created], [modified], [jdp_hashcode], [jdp_response], [jdp_version]) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s), (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
GO
UPDATE t SET [status] = s.[status], [type] = s.[type], [seller_nick] = s.[seller_nick], [buyer_nick] = s.[buyer_nick], [created] = s.[created], [modified] = s.[modified], [jdp_hashcode] = s.[jdp_hashcode], [jdp_response] = s.[jdp_response], jdp_version = s.jdp_version, jdp_modified = CASE WHEN t.[modified] = s.[modified] AND t.jdp_hashcode COLLATE Latin1_General_BIN2 = s.jdp_hashcode COLLATE Latin1_General_BIN2 AND t.jdp_response COLLATE Latin1_General_100_BIN2 = s.jdp_response COLLATE Latin1_General_100_BIN2 AND DATALENGTH(t.jdp_response) = DATALENGTH(s.jdp_response) THEN t.jdp_modified ELSE DATEADD(microsecond, s.jdp_row, g.ts) END, jdp_seq = CASE WHEN t.[modified] = s.[modified] AND t.jdp_hashcode COLLATE Latin1_General_BIN2 = s.jdp_hashcode COLLATE Latin1_General_BIN2 AND t.jdp_response COLLATE Latin1_General_100_BIN2 = s.jdp_response COLLATE Latin1_General_100_BIN2 AND DATALENGTH(t.jdp_response) = DATALENGTH(s.jdp_response) THEN t.jdp_seq ELSE g.seq + s.jdp_row END FROM [dbo].[jdp_tb_trade] AS t JOIN [dbo].[jdp_stage_tb_trade] AS s ON s.[tid] = t.[tid] CROSS JOIN (SELECT CAST(%s AS datetime2(6)) AS ts, CAST(%s AS bigint) AS seq) AS g WHERE s.jdp_batch = %s AND (t.[modified] IS NULL OR t.[modified] < s.[modified] OR (t.[modified] = s.[modified] AND (COALESCE(t.jdp_version, 0) < s.jdp_version OR (COALESCE(t.jdp_version, 0) = s.jdp_version AND COALESCE(t.jdp_hashcode, '') COLLATE Latin1_General_BIN2 < s.jdp_hashcode COLLATE Latin1_General_BIN2)))); SELECT @@ROWCOUNT AS n
GO
INSERT INTO [dbo].[jdp_tb_trade] ([tid], [status], [type], [seller_nick], [buyer_nick], [created], [modified], [jdp_hashcode], [jdp_response], jdp_version, jdp_created, jdp_modified, jdp_seq) SELECT s.[tid], s.[status], s.[type], s.[seller_nick], s.[buyer_nick], s.[created], s.[modified], s.[jdp_hashcode], s.[jdp_response], s.jdp_version, DATEADD(microsecond, s.jdp_row, g.ts), DATEADD(microsecond, s.jdp_row, g.ts), g.seq + s.jdp_row FROM [dbo].[jdp_stage_tb_trade] AS s CROSS JOIN (SELECT CAST(%s AS datetime2(6)) AS ts, CAST(%s AS bigint) AS seq) AS g WHERE s.jdp_batch = %s AND NOT EXISTS (SELECT 1 FROM [dbo].[jdp_tb_trade] AS t WITH (UPDLOCK) WHERE t.[tid] = s.[tid]); SELECT @@ROWCOUNT AS n
GO
DELETE FROM [dbo].[jdp_stage_tb_trade] WHERE jdp_batch = %s
GO
SELECT x.slot, COUNT_BIG(*) AS records, SUM(CAST(COALESCE(x.token, 0) AS decimal(38, 0))) AS total FROM [dbo].[jdp_tb_trade] AS t CROSS APPLY (SELECT LEFT(COALESCE(t.jdp_hashcode, ''), 15) AS d) AS h CROSS APPLY (SELECT DATEDIFF_BIG(second, %s, t.[modified]) / 3600 AS slot, CASE WHEN LEN(h.d) = 15 THEN CAST(TRY_CONVERT(binary(8), '0' + h.d, 2) AS bigint) END AS token) AS x WHERE t.[seller_nick] = %s AND t.[seller_nick] COLLATE Latin1_General_100_BIN2 = %s AND t.[modified] >= %s AND t.[modified] < %s GROUP BY x.slot ORDER BY x.slot
GO
SELECT x.slot, COUNT_BIG(*) AS records, SUM(CAST(COALESCE(x.token, 0) AS decimal(38, 0))) AS total FROM [dbo].[jdp_tb_trade] AS t CROSS APPLY (SELECT LEFT(COALESCE(LOWER(CONVERT(char(32), SUBSTRING(HASHBYTES('SHA2_256', CAST(CAST(t.jdp_response COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(max)) AS varbinary(max))), 1, 16), 2)), ''), 15) AS d) AS h CROSS APPLY (SELECT DATEDIFF_BIG(second, %s, t.[modified]) / 3600 AS slot, CASE WHEN LEN(h.d) = 15 THEN CAST(TRY_CONVERT(binary(8), '0' + h.d, 2) AS bigint) END AS token) AS x WHERE t.[seller_nick] = %s AND t.[seller_nick] COLLATE Latin1_General_100_BIN2 = %s AND t.[modified] >= %s AND t.[modified] < %s GROUP BY x.slot ORDER BY x.slot
GO
SELECT TOP (%s) t.[tid], t.[modified], COALESCE(t.jdp_hashcode, '') AS hash FROM [dbo].[jdp_tb_trade] AS t WHERE t.[seller_nick] = %s AND t.[seller_nick] COLLATE Latin1_General_100_BIN2 = %s AND t.[modified] >= %s AND t.[modified] < %s ORDER BY t.[tid]
GO
SELECT TOP (%s) t.[tid], t.[modified], COALESCE(LOWER(CONVERT(char(32), SUBSTRING(HASHBYTES('SHA2_256', CAST(CAST(t.jdp_response COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(max)) AS varbinary(max))), 1, 16), 2)), '') AS hash FROM [dbo].[jdp_tb_trade] AS t WHERE t.[seller_nick] = %s AND t.[seller_nick] COLLATE Latin1_General_100_BIN2 = %s AND t.[modified] >= %s AND t.[modified] < %s AND t.[tid] > %s ORDER BY t.[tid]
GO
SELECT t.[tid], t.[modified], COALESCE(t.jdp_version, 0), COALESCE(t.jdp_hashcode, ''), CASE WHEN t.jdp_hashcode IS NOT NULL THEN 1 ELSE 0 END AS sound FROM OPENJSON(%s) WITH (k bigint '$') AS j JOIN [dbo].[jdp_tb_trade] AS t ON t.[tid] = j.k
GO
SELECT t.[tid], t.[modified], COALESCE(t.jdp_version, 0), COALESCE(t.jdp_hashcode, ''), CASE WHEN LOWER(CONVERT(char(32), SUBSTRING(HASHBYTES('SHA2_256', CAST(CAST(t.jdp_response COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(max)) AS varbinary(max))), 1, 16), 2)) = t.jdp_hashcode COLLATE Latin1_General_BIN2 THEN 1 ELSE 0 END AS sound FROM OPENJSON(%s) WITH (k bigint '$') AS j JOIN [dbo].[jdp_tb_trade] AS t ON t.[tid] = j.k
GO
SELECT TOP (%s) t.[tid] FROM [dbo].[jdp_tb_trade] AS t WHERE t.[seller_nick] = %s AND t.[seller_nick] COLLATE Latin1_General_100_BIN2 = %s AND t.[modified] < %s ORDER BY t.[modified]
GO
DECLARE @n bigint; BEGIN TRANSACTION; DELETE t FROM [dbo].[jdp_tb_trade] AS t WHERE t.[tid] IN (SELECT j.k FROM OPENJSON(%s) WITH (k bigint '$') AS j) AND t.[seller_nick] = %s AND t.[seller_nick] COLLATE Latin1_General_100_BIN2 = %s AND t.[modified] < %s; SET @n = @@ROWCOUNT; UPDATE [dbo].[jdp_retention] SET rows_taken = rows_taken + @n WHERE table_name = %s AND shop_id = %s; COMMIT TRANSACTION; SELECT @n AS n
