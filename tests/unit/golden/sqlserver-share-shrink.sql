UPDATE map.clock SET seen = IIF(seen > SYSUTCDATETIME(), seen, SYSUTCDATETIME()) WHERE id = 1
GO
INSERT INTO map.due (login) SELECT N'u4iozlsnnlv5wyxf4a' WHERE NOT EXISTS (SELECT 1 FROM map.due WHERE login = N'u4iozlsnnlv5wyxf4a')
GO
INSERT INTO map.due (login) SELECT N'u4iozlsnnlv5wyxf4b' WHERE NOT EXISTS (SELECT 1 FROM map.due WHERE login = N'u4iozlsnnlv5wyxf4b')
GO
INSERT INTO map.due (login) SELECT N'uph4eg5dwb2jqpsofb' WHERE NOT EXISTS (SELECT 1 FROM map.due WHERE login = N'uph4eg5dwb2jqpsofb')
GO
REVOKE SELECT ON OBJECT::[s4iozlsnnlv5wyxf4].[trade] FROM [g4iozlsnnlv5wyxf4] CASCADE
GO
KILL 61
GO
DELETE FROM map.due WHERE login IN (N'u4iozlsnnlv5wyxf4a', N'u4iozlsnnlv5wyxf4b', N'uph4eg5dwb2jqpsofb')
GO
CREATE OR ALTER VIEW [s4iozlsnnlv5wyxf4].[trade] AS SELECT TOP (9223372036854775807) t.[tid] AS [tid], CASE WHEN CAST(t.[receiver_mobile] AS nvarchar(4000)) IS NULL THEN NULL WHEN LEN(CAST(t.[receiver_mobile] AS nvarchar(4000))) >= 11 THEN LEFT(CAST(t.[receiver_mobile] AS nvarchar(4000)), 3) + N'****' + RIGHT(CAST(t.[receiver_mobile] AS nvarchar(4000)), 4) WHEN LEN(CAST(t.[receiver_mobile] AS nvarchar(4000))) >= 2 THEN LEFT(CAST(t.[receiver_mobile] AS nvarchar(4000)), 1) + N'**' ELSE N'*' END AS [receiver_mobile] FROM [platform].[trades] AS t WHERE EXISTS (SELECT 1 FROM map.scope AS f WHERE f.view_name = N's4iozlsnnlv5wyxf4.trade' AND f.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'ouid:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(t.[ouid] AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'nick:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(t.[buyer_nick] AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.ended AS x WHERE x.grantkey = N'grant-4iozlsnnlv5wyxf4') AND (SELECT IIF(c.seen > SYSUTCDATETIME(), c.seen, SYSUTCDATETIME()) FROM map.clock AS c) < CAST('2099-01-01T00:00:00.000000' AS datetime2(6))
GO
UPDATE map.mac SET retired = 1 WHERE name = N'4iozlsnnlv5wyxf4.buyer_nick'
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['1', '2026-06-01 12:00:00', 'grant', 'kubectl-edit', 'tenant-uid', 'view s4iozlsnnlv5wyxf4.trade', '', '', 'owner=ownrwiaduzmnjyd3fms 111d023009b062ea', 'owner=ownrwiaduzmnjyd3fms 2a4cc1eee99fed86', '', 'e6672f420689c3d5165b781d28b542eeb8dbb323c92cea65fbc3f3a81438ea52']
GO
GRANT SELECT ON OBJECT::[s4iozlsnnlv5wyxf4].[trade] TO [g4iozlsnnlv5wyxf4]
