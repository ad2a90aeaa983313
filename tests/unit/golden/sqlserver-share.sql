CREATE USER [ownrwiaduzmnjyd3fms] WITHOUT LOGIN
GO
REVOKE CONNECT FROM guest
GO
ALTER AUTHORIZATION ON SCHEMA::platform TO [ownrwiaduzmnjyd3fms]
GO
CREATE SCHEMA map AUTHORIZATION [ownrwiaduzmnjyd3fms]
GO
CREATE SCHEMA audit AUTHORIZATION [ownrwiaduzmnjyd3fms]
GO
CREATE TABLE map.mac (name nvarchar(120) PRIMARY KEY, ipad binary(64) NOT NULL, opad binary(64) NOT NULL, retired bit NOT NULL DEFAULT 0)
GO
CREATE TABLE map.scope (view_name nvarchar(120) NOT NULL, shop nvarchar(64) NOT NULL, PRIMARY KEY (view_name, shop))
GO
CREATE TABLE map.ended (grantkey nvarchar(64) PRIMARY KEY, at datetime2(6) NOT NULL)
GO
CREATE TABLE map.clock (id tinyint PRIMARY KEY, seen datetime2(6) NOT NULL)
GO
CREATE TABLE map.erased (shop nvarchar(64) NOT NULL, digest char(64) NOT NULL, PRIMARY KEY (shop, digest))
GO
CREATE TABLE map.due (login sysname PRIMARY KEY)
GO
CREATE TABLE audit.log (seq bigint IDENTITY PRIMARY KEY, at datetime2(6) NOT NULL, action nvarchar(32) NOT NULL, actor nvarchar(255) NOT NULL, tenant nvarchar(255) NOT NULL, subject nvarchar(255) NOT NULL, reason nvarchar(max) NOT NULL, contract nvarchar(80) NOT NULL, entries_before nvarchar(max) NOT NULL, entries_after nvarchar(max) NOT NULL, prev char(64) NOT NULL, hash char(64) NOT NULL)
GO
INSERT INTO map.clock (id, seen) VALUES (1, SYSUTCDATETIME())
GO
CREATE TRIGGER audit.keep ON audit.log INSTEAD OF UPDATE, DELETE AS THROW 50000, 'the audit is appended to, and never changed', 1
GO
CREATE ROLE [g4iozlsnnlv5wyxf4] AUTHORIZATION [ownrwiaduzmnjyd3fms]
GO
CREATE SCHEMA [s4iozlsnnlv5wyxf4] AUTHORIZATION [ownrwiaduzmnjyd3fms]
GO
CREATE SCHEMA [p4iozlsnnlv5wyxf4] AUTHORIZATION [ownrwiaduzmnjyd3fms]
GO
CREATE SCHEMA [w4iozlsnnlv5wyxf4] AUTHORIZATION [g4iozlsnnlv5wyxf4]
GO
CREATE ROLE [gph4eg5dwb2jqpsof] AUTHORIZATION [ownrwiaduzmnjyd3fms]
GO
CREATE SCHEMA [sph4eg5dwb2jqpsof] AUTHORIZATION [ownrwiaduzmnjyd3fms]
GO
CREATE SCHEMA [pph4eg5dwb2jqpsof] AUTHORIZATION [ownrwiaduzmnjyd3fms]
GO
CREATE SCHEMA [wph4eg5dwb2jqpsof] AUTHORIZATION [gph4eg5dwb2jqpsof]
GO
CREATE ROLE [gjnvulouhmbzwlgjs] AUTHORIZATION [ownrwiaduzmnjyd3fms]
GO
CREATE SCHEMA [sjnvulouhmbzwlgjs] AUTHORIZATION [ownrwiaduzmnjyd3fms]
GO
CREATE TABLE [p4iozlsnnlv5wyxf4].[review] ([tid] bigint NOT NULL, [agent] nvarchar(max) NULL, [status] nvarchar(max) NULL, PRIMARY KEY ([tid]))
GO
CREATE OR ALTER VIEW [s4iozlsnnlv5wyxf4].[trade] AS SELECT TOP (9223372036854775807) t.[tid] AS [tid], CASE WHEN CAST(t.[receiver_mobile] AS nvarchar(4000)) IS NULL THEN NULL WHEN LEN(CAST(t.[receiver_mobile] AS nvarchar(4000))) >= 11 THEN LEFT(CAST(t.[receiver_mobile] AS nvarchar(4000)), 3) + N'****' + RIGHT(CAST(t.[receiver_mobile] AS nvarchar(4000)), 4) WHEN LEN(CAST(t.[receiver_mobile] AS nvarchar(4000))) >= 2 THEN LEFT(CAST(t.[receiver_mobile] AS nvarchar(4000)), 1) + N'**' ELSE N'*' END AS [receiver_mobile], LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'4iozlsnnlv5wyxf4.buyer_nick') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'4iozlsnnlv5wyxf4.buyer_nick') + CAST(CAST((NULLIF(LOWER(LTRIM(RTRIM(CAST(t.[buyer_nick] AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2)) AS [buyer_nick] FROM [platform].[trades] AS t WHERE EXISTS (SELECT 1 FROM map.scope AS f WHERE f.view_name = N's4iozlsnnlv5wyxf4.trade' AND f.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'ouid:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(t.[ouid] AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'nick:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(t.[buyer_nick] AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.ended AS x WHERE x.grantkey = N'grant-4iozlsnnlv5wyxf4') AND (SELECT IIF(c.seen > SYSUTCDATETIME(), c.seen, SYSUTCDATETIME()) FROM map.clock AS c) < CAST('2099-01-01T00:00:00.000000' AS datetime2(6))
GO
INSERT INTO map.scope (view_name, shop) VALUES (N's4iozlsnnlv5wyxf4.trade', N'55501')
GO
CREATE OR ALTER VIEW [sph4eg5dwb2jqpsof].[trade] AS SELECT TOP (9223372036854775807) t.[tid] AS [tid], CAST(FLOOR(t.[payment] / CAST(100 AS decimal(38, 10))) * CAST(100 AS decimal(38, 10)) AS decimal(38, 10)) AS [payment] FROM [platform].[trades] AS t WHERE EXISTS (SELECT 1 FROM map.scope AS f WHERE f.view_name = N'sph4eg5dwb2jqpsof.trade' AND f.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'ouid:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(t.[ouid] AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'nick:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(t.[buyer_nick] AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.ended AS x WHERE x.grantkey = N'grant-ph4eg5dwb2jqpsof') AND (SELECT IIF(c.seen > SYSUTCDATETIME(), c.seen, SYSUTCDATETIME()) FROM map.clock AS c) < CAST('2099-01-01T00:00:00.000000' AS datetime2(6))
GO
INSERT INTO map.scope (view_name, shop) VALUES (N'sph4eg5dwb2jqpsof.trade', N'55501')
GO
INSERT INTO map.scope (view_name, shop) VALUES (N'sph4eg5dwb2jqpsof.trade', N'55502')
GO
CREATE OR ALTER VIEW [sph4eg5dwb2jqpsof].[review] AS SELECT TOP (9223372036854775807) t.[tid] AS [tid], t.[status] AS [status] FROM [p4iozlsnnlv5wyxf4].[review] AS t JOIN (SELECT m.k, MIN(m.shop_id) AS shop_id, MAX(m.at) AS at, MIN(m.ouid) AS ouid, MIN(m.omid) AS omid, MIN(m.nick) AS nick, COUNT(DISTINCT m.shop_id) AS n FROM (SELECT CAST(o.[shop_id] AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AS shop_id, CAST(o.[ouid] AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AS ouid, CAST(NULL AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AS omid, CAST(o.[buyer_nick] AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AS nick, CAST(o.[tid] AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AS k, o.[created] AS at FROM [platform].[trades] AS o) AS m WHERE m.k IS NOT NULL AND m.shop_id IS NOT NULL GROUP BY m.k) AS s ON s.k = CAST(t.[tid] AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 WHERE s.n = 1 AND EXISTS (SELECT 1 FROM map.scope AS f WHERE f.view_name = N'sph4eg5dwb2jqpsof.review' AND f.shop = CAST(s.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(s.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'ouid:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(s.ouid AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(s.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'omid:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(s.omid AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(s.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'nick:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(s.nick AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.ended AS x WHERE x.grantkey = N'grant-ph4eg5dwb2jqpsof-review') AND (SELECT IIF(c.seen > SYSUTCDATETIME(), c.seen, SYSUTCDATETIME()) FROM map.clock AS c) < CAST('2099-01-01T00:00:00.000000' AS datetime2(6))
GO
INSERT INTO map.scope (view_name, shop) VALUES (N'sph4eg5dwb2jqpsof.review', N'55501')
GO
CREATE OR ALTER VIEW [sjnvulouhmbzwlgjs].[trade] AS SELECT TOP (9223372036854775807) t.[tid] AS [tid], CASE WHEN CAST(t.[receiver_mobile] AS nvarchar(4000)) IS NULL THEN NULL WHEN LEN(CAST(t.[receiver_mobile] AS nvarchar(4000))) >= 11 THEN LEFT(CAST(t.[receiver_mobile] AS nvarchar(4000)), 3) + N'****' + RIGHT(CAST(t.[receiver_mobile] AS nvarchar(4000)), 4) WHEN LEN(CAST(t.[receiver_mobile] AS nvarchar(4000))) >= 2 THEN LEFT(CAST(t.[receiver_mobile] AS nvarchar(4000)), 1) + N'**' ELSE N'*' END AS [receiver_mobile] FROM [platform].[trades] AS t WHERE EXISTS (SELECT 1 FROM map.scope AS f WHERE f.view_name = N'sjnvulouhmbzwlgjs.trade' AND f.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'ouid:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(t.[ouid] AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'nick:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(t.[buyer_nick] AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.ended AS x WHERE x.grantkey = N'grant-jnvulouhmbzwlgjs')
GO
INSERT INTO map.scope (view_name, shop) VALUES (N'sjnvulouhmbzwlgjs.trade', N'55501')
GO
GRANT CREATE TABLE TO [g4iozlsnnlv5wyxf4]
GO
GRANT CREATE TABLE TO [gph4eg5dwb2jqpsof]
GO
GRANT CONNECT TO [u4iozlsnnlv5wyxf4a]
GO
GRANT CONNECT TO [uph4eg5dwb2jqpsofa]
GO
GRANT DELETE ON OBJECT::[p4iozlsnnlv5wyxf4].[review] TO [g4iozlsnnlv5wyxf4]
GO
GRANT INSERT ON OBJECT::[p4iozlsnnlv5wyxf4].[review] TO [g4iozlsnnlv5wyxf4]
GO
GRANT SELECT ON OBJECT::[p4iozlsnnlv5wyxf4].[review] TO [g4iozlsnnlv5wyxf4]
GO
GRANT UPDATE ON OBJECT::[p4iozlsnnlv5wyxf4].[review] TO [g4iozlsnnlv5wyxf4]
GO
GRANT SELECT ON OBJECT::[s4iozlsnnlv5wyxf4].[trade] TO [g4iozlsnnlv5wyxf4]
GO
GRANT SELECT ON OBJECT::[sjnvulouhmbzwlgjs].[trade] TO [gjnvulouhmbzwlgjs]
GO
GRANT SELECT ON OBJECT::[sph4eg5dwb2jqpsof].[review] TO [gph4eg5dwb2jqpsof]
GO
GRANT SELECT ON OBJECT::[sph4eg5dwb2jqpsof].[trade] TO [gph4eg5dwb2jqpsof]
GO
ALTER ROLE [g4iozlsnnlv5wyxf4] ADD MEMBER [u4iozlsnnlv5wyxf4a]
GO
ALTER ROLE [g4iozlsnnlv5wyxf4] ADD MEMBER [u4iozlsnnlv5wyxf4b]
GO
ALTER ROLE [gph4eg5dwb2jqpsof] ADD MEMBER [uph4eg5dwb2jqpsofa]
GO
ALTER ROLE [gph4eg5dwb2jqpsof] ADD MEMBER [uph4eg5dwb2jqpsofb]
GO
REVOKE CONNECT FROM [uaaaaaaaaaaaaaaaaa]
GO
REVOKE CREATE TABLE FROM [g4iozlsnnlv5wyxf4] CASCADE
GO
REVOKE CREATE TABLE FROM [gph4eg5dwb2jqpsof] CASCADE
GO
REVOKE CONNECT FROM [u4iozlsnnlv5wyxf4a] CASCADE
GO
REVOKE CONNECT FROM [uph4eg5dwb2jqpsofa] CASCADE
GO
REVOKE DELETE ON OBJECT::[p4iozlsnnlv5wyxf4].[review] FROM [g4iozlsnnlv5wyxf4] CASCADE
GO
REVOKE INSERT ON OBJECT::[p4iozlsnnlv5wyxf4].[review] FROM [g4iozlsnnlv5wyxf4] CASCADE
GO
REVOKE SELECT ON OBJECT::[p4iozlsnnlv5wyxf4].[review] FROM [g4iozlsnnlv5wyxf4] CASCADE
GO
REVOKE UPDATE ON OBJECT::[p4iozlsnnlv5wyxf4].[review] FROM [g4iozlsnnlv5wyxf4] CASCADE
GO
REVOKE SELECT ON OBJECT::[s4iozlsnnlv5wyxf4].[trade] FROM [g4iozlsnnlv5wyxf4] CASCADE
GO
REVOKE SELECT ON OBJECT::[sjnvulouhmbzwlgjs].[trade] FROM [gjnvulouhmbzwlgjs] CASCADE
GO
REVOKE SELECT ON OBJECT::[sph4eg5dwb2jqpsof].[review] FROM [gph4eg5dwb2jqpsof] CASCADE
GO
REVOKE SELECT ON OBJECT::[sph4eg5dwb2jqpsof].[trade] FROM [gph4eg5dwb2jqpsof] CASCADE
GO
ALTER ROLE [g4iozlsnnlv5wyxf4] DROP MEMBER [u4iozlsnnlv5wyxf4a]
GO
ALTER ROLE [g4iozlsnnlv5wyxf4] DROP MEMBER [u4iozlsnnlv5wyxf4b]
GO
ALTER ROLE [gph4eg5dwb2jqpsof] DROP MEMBER [uph4eg5dwb2jqpsofa]
GO
ALTER ROLE [gph4eg5dwb2jqpsof] DROP MEMBER [uph4eg5dwb2jqpsofb]
GO
KILL 51
GO
DELETE FROM map.scope WHERE view_name = N's4iozlsnnlv5wyxf4.trade'
GO
DROP VIEW IF EXISTS [s4iozlsnnlv5wyxf4].[trade]
GO
DELETE FROM map.scope WHERE view_name = N'sph4eg5dwb2jqpsof.trade'
GO
DROP VIEW IF EXISTS [sph4eg5dwb2jqpsof].[trade]
GO
DELETE FROM map.scope WHERE view_name = N'sph4eg5dwb2jqpsof.review'
GO
DROP VIEW IF EXISTS [sph4eg5dwb2jqpsof].[review]
GO
DELETE FROM map.scope WHERE view_name = N'sjnvulouhmbzwlgjs.trade'
GO
DROP VIEW IF EXISTS [sjnvulouhmbzwlgjs].[trade]
