CREATE USER [ownrwiaduzmnjyd3fms] WITHOUT LOGIN
GO
REVOKE CONNECT FROM [ownrwiaduzmnjyd3fms]
GO
ALTER AUTHORIZATION ON SCHEMA::[platform] TO [ownrwiaduzmnjyd3fms]
GO
CREATE SCHEMA [map] AUTHORIZATION [ownrwiaduzmnjyd3fms]
GO
CREATE SCHEMA [audit] AUTHORIZATION [ownrwiaduzmnjyd3fms]
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
CREATE TABLE map.applied (id tinyint PRIMARY KEY, state nvarchar(max) NOT NULL)
GO
CREATE TABLE map.passwords (login sysname PRIMARY KEY, salt char(32) NOT NULL, digest char(64) NOT NULL, changed datetime NOT NULL)
GO
CREATE TABLE audit.log (seq bigint PRIMARY KEY, at datetime2(6) NOT NULL, action nvarchar(32) NOT NULL, actor nvarchar(255) NOT NULL, tenant nvarchar(255) NOT NULL, subject nvarchar(255) NOT NULL, reason nvarchar(max) NOT NULL, contract nvarchar(80) NOT NULL, entries_before nvarchar(max) NOT NULL, entries_after nvarchar(max) NOT NULL, prev char(64) NOT NULL, hash char(64) NOT NULL)
GO
INSERT INTO map.clock (id, seen) SELECT 1, SYSUTCDATETIME() WHERE NOT EXISTS (SELECT 1 FROM map.clock AS c)
GO
CREATE OR ALTER TRIGGER audit.keep ON audit.log INSTEAD OF UPDATE, DELETE AS THROW 50000, 'the audit is appended to, and never changed', 1
GO
UPDATE map.clock SET seen = IIF(seen > SYSUTCDATETIME(), seen, SYSUTCDATETIME()) WHERE id = 1
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['1', '2026-06-01 12:00:00', 'revoke', 'kubectl-edit', 'tenant-uid', 'database', '', '', 'CONNECT on database to guest', '', '', '08f2be9e421e4000eee6b532e41571214b6da493e23c4c507f47e790b85dd029']
GO
REVOKE CONNECT FROM [guest] CASCADE
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['1', '2026-06-01 12:00:00', 'grant', 'kubectl-edit', 'tenant-uid', 'database', '', '', '', 'CREATE TABLE on database to g4iozlsnnlv5wyxf4', '', '9c6783faad40c8f0958b0b1d642680a0f0e9ccc15e57461c67f6dc3544665ccb']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['2', '2026-06-01 12:00:00', 'grant', 'kubectl-edit', 'tenant-uid', 'database', '', '', '', 'CREATE TABLE on database to gph4eg5dwb2jqpsof', '9c6783faad40c8f0958b0b1d642680a0f0e9ccc15e57461c67f6dc3544665ccb', '1f19c263824df03a1e4e4db59ed301113dcbf379ab379ef2b87929f87843c1ca']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['3', '2026-06-01 12:00:00', 'grant', 'kubectl-edit', 'tenant-uid', 'database', '', '', '', 'CONNECT on database to u4iozlsnnlv5wyxf4a', '1f19c263824df03a1e4e4db59ed301113dcbf379ab379ef2b87929f87843c1ca', '15db4b3db1577cecc4f13c28afaa73616207688aef042e7510584f11515d560c']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['4', '2026-06-01 12:00:00', 'grant', 'kubectl-edit', 'tenant-uid', 'database', '', '', '', 'CONNECT on database to uph4eg5dwb2jqpsofa', '15db4b3db1577cecc4f13c28afaa73616207688aef042e7510584f11515d560c', '4830c7fcf7b31d50e55b7bdd97645804bd2a8225786f988b12de83246aba47cb']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['5', '2026-06-01 12:00:00', 'grant', 'kubectl-edit', 'tenant-uid', 'object p4iozlsnnlv5wyxf4.review', '', '', '', 'DELETE on object p4iozlsnnlv5wyxf4.review to g4iozlsnnlv5wyxf4\nINSERT on object p4iozlsnnlv5wyxf4.review to g4iozlsnnlv5wyxf4\nSELECT on object p4iozlsnnlv5wyxf4.review to g4iozlsnnlv5wyxf4\nUPDATE on object p4iozlsnnlv5wyxf4.review to g4iozlsnnlv5wyxf4', '4830c7fcf7b31d50e55b7bdd97645804bd2a8225786f988b12de83246aba47cb', '60fecbc099e74c454cb75b15b308575707785d3bbeba67d902ce6698065ca90a']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['6', '2026-06-01 12:00:00', 'grant', 'kubectl-edit', 'tenant-uid', 'object s4iozlsnnlv5wyxf4.trade', '', '', '', 'SELECT on object s4iozlsnnlv5wyxf4.trade to g4iozlsnnlv5wyxf4', '60fecbc099e74c454cb75b15b308575707785d3bbeba67d902ce6698065ca90a', 'e9e5274d7e289baac87da66a47cb08b3249bd5857a6836ffa5907a211e209d32']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['7', '2026-06-01 12:00:00', 'grant', 'kubectl-edit', 'tenant-uid', 'object sjnvulouhmbzwlgjs.trade', '', '', '', 'SELECT on object sjnvulouhmbzwlgjs.trade to gjnvulouhmbzwlgjs', 'e9e5274d7e289baac87da66a47cb08b3249bd5857a6836ffa5907a211e209d32', '6584ac49afb859a8c5f0df1c7fa84e68daeea372f8dab91380851e83312a00d2']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['8', '2026-06-01 12:00:00', 'grant', 'kubectl-edit', 'tenant-uid', 'object sph4eg5dwb2jqpsof.review', '', '', '', 'SELECT on object sph4eg5dwb2jqpsof.review to gph4eg5dwb2jqpsof', '6584ac49afb859a8c5f0df1c7fa84e68daeea372f8dab91380851e83312a00d2', 'c18a31dce166404a6c9c368d9b9899c3a7fef5bb1f2c78e0fee459cac41858c7']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['9', '2026-06-01 12:00:00', 'grant', 'kubectl-edit', 'tenant-uid', 'object sph4eg5dwb2jqpsof.trade', '', '', '', 'SELECT on object sph4eg5dwb2jqpsof.trade to gph4eg5dwb2jqpsof', 'c18a31dce166404a6c9c368d9b9899c3a7fef5bb1f2c78e0fee459cac41858c7', 'ce7a859a4612a287a004884c3bf91e2f91175dbbae66fa9f82aa40ee6d72817b']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['10', '2026-06-01 12:00:00', 'grant', 'kubectl-edit', 'tenant-uid', 'role g4iozlsnnlv5wyxf4', '', '', '', 'MEMBER on role g4iozlsnnlv5wyxf4 to u4iozlsnnlv5wyxf4a', 'ce7a859a4612a287a004884c3bf91e2f91175dbbae66fa9f82aa40ee6d72817b', '95dc7ccf36fd554359010fe7ce22c231a744ab4dc328ef267e9420dd8b039177']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['11', '2026-06-01 12:00:00', 'grant', 'kubectl-edit', 'tenant-uid', 'role g4iozlsnnlv5wyxf4', '', '', '', 'MEMBER on role g4iozlsnnlv5wyxf4 to u4iozlsnnlv5wyxf4b', '95dc7ccf36fd554359010fe7ce22c231a744ab4dc328ef267e9420dd8b039177', 'bd94fb6d0e8cf227d908ca8f92ebc1d37042262410f0bce148ac5e59a089e273']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['12', '2026-06-01 12:00:00', 'grant', 'kubectl-edit', 'tenant-uid', 'role gph4eg5dwb2jqpsof', '', '', '', 'MEMBER on role gph4eg5dwb2jqpsof to uph4eg5dwb2jqpsofa', 'bd94fb6d0e8cf227d908ca8f92ebc1d37042262410f0bce148ac5e59a089e273', '1d954d1cf333f055db7b4b4a1b363f6ba34d4886236331f4e591c23434d52138']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['13', '2026-06-01 12:00:00', 'grant', 'kubectl-edit', 'tenant-uid', 'role gph4eg5dwb2jqpsof', '', '', '', 'MEMBER on role gph4eg5dwb2jqpsof to uph4eg5dwb2jqpsofb', '1d954d1cf333f055db7b4b4a1b363f6ba34d4886236331f4e591c23434d52138', 'e0132c1c4999afc19c5f819e0825d9ac3b81178d8a172da4639515ef2be5be34']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['14', '2026-06-01 12:00:00', 'admit', 'kubectl-edit', 'tenant-uid', 'map', '', '', '', 'schema audit\nschema map\nschema platform\ntable audit.log\ntable map.applied\ntable map.clock\ntable map.due\ntable map.ended\ntable map.erased\ntable map.mac\ntable map.passwords\ntable map.scope\ntrigger audit.keep\nuser ownrwiaduzmnjyd3fms', 'e0132c1c4999afc19c5f819e0825d9ac3b81178d8a172da4639515ef2be5be34', 'd384973c401f7ba339d93f4883869acd582a5146c8226c39bb0e726433c0b06d']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['15', '2026-06-01 12:00:00', 'admit', 'kubectl-edit', 'tenant-uid', '4iozlsnnlv5wyxf4', '', '', '', 'role g4iozlsnnlv5wyxf4\nschema p4iozlsnnlv5wyxf4\nschema s4iozlsnnlv5wyxf4\nschema w4iozlsnnlv5wyxf4\ntable p4iozlsnnlv5wyxf4.review\nuser u4iozlsnnlv5wyxf4a\nuser u4iozlsnnlv5wyxf4b\nview s4iozlsnnlv5wyxf4.trade', 'd384973c401f7ba339d93f4883869acd582a5146c8226c39bb0e726433c0b06d', '366ea935912c14e250169ee85fad60da90afcd1991668fee1d5dbf7e4376446e']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['16', '2026-06-01 12:00:00', 'admit', 'kubectl-edit', 'tenant-uid', 'jnvulouhmbzwlgjs', '', '', '', 'role gjnvulouhmbzwlgjs\nschema sjnvulouhmbzwlgjs\nview sjnvulouhmbzwlgjs.trade', '366ea935912c14e250169ee85fad60da90afcd1991668fee1d5dbf7e4376446e', 'e59ff56f888f227009f021d8b962607fe4ce710c731baa7b076b36905ed4d94e']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['17', '2026-06-01 12:00:00', 'admit', 'kubectl-edit', 'tenant-uid', 'ph4eg5dwb2jqpsof', '', '', '', 'role gph4eg5dwb2jqpsof\nschema pph4eg5dwb2jqpsof\nschema sph4eg5dwb2jqpsof\nschema wph4eg5dwb2jqpsof\nuser uph4eg5dwb2jqpsofa\nuser uph4eg5dwb2jqpsofb\nview sph4eg5dwb2jqpsof.review\nview sph4eg5dwb2jqpsof.trade', 'e59ff56f888f227009f021d8b962607fe4ce710c731baa7b076b36905ed4d94e', '9c012d58238a9b58c05ce378e0e8b5bc0795b747958d6799298da43ff94e0197']
GO
DECLARE @k binary(64) = CRYPT_GEN_RANDOM(64); INSERT INTO map.mac (name, ipad, opad) SELECT N'4iozlsnnlv5wyxf4.buyer_nick', CONVERT(binary(64), STRING_AGG(CONVERT(char(2), CAST(CAST(SUBSTRING(@k, n.i, 1) AS int) ^ 54 AS binary(1)), 2), '') WITHIN GROUP (ORDER BY n.i), 2), CONVERT(binary(64), STRING_AGG(CONVERT(char(2), CAST(CAST(SUBSTRING(@k, n.i, 1) AS int) ^ 92 AS binary(1)), 2), '') WITHIN GROUP (ORDER BY n.i), 2) FROM (SELECT TOP (64) CAST(ROW_NUMBER() OVER (ORDER BY o.object_id) AS int) AS i FROM sys.all_objects AS o) AS n
GO
DECLARE @k binary(64) = CRYPT_GEN_RANDOM(64); INSERT INTO map.mac (name, ipad, opad) SELECT N'erased', CONVERT(binary(64), STRING_AGG(CONVERT(char(2), CAST(CAST(SUBSTRING(@k, n.i, 1) AS int) ^ 54 AS binary(1)), 2), '') WITHIN GROUP (ORDER BY n.i), 2), CONVERT(binary(64), STRING_AGG(CONVERT(char(2), CAST(CAST(SUBSTRING(@k, n.i, 1) AS int) ^ 92 AS binary(1)), 2), '') WITHIN GROUP (ORDER BY n.i), 2) FROM (SELECT TOP (64) CAST(ROW_NUMBER() OVER (ORDER BY o.object_id) AS int) AS i FROM sys.all_objects AS o) AS n
GO
CREATE ROLE [g4iozlsnnlv5wyxf4] AUTHORIZATION [ownrwiaduzmnjyd3fms]
GO
CREATE SCHEMA [s4iozlsnnlv5wyxf4] AUTHORIZATION [ownrwiaduzmnjyd3fms]
GO
CREATE SCHEMA [p4iozlsnnlv5wyxf4] AUTHORIZATION [ownrwiaduzmnjyd3fms]
GO
CREATE SCHEMA [w4iozlsnnlv5wyxf4] AUTHORIZATION [g4iozlsnnlv5wyxf4]
GO
DECLARE @name sysname = %s, @password nvarchar(128) = %s, @schema sysname = %s; DECLARE @sql nvarchar(max) = N'CREATE USER ' + QUOTENAME(@name) + N' WITH PASSWORD = ' + QUOTENAME(@password, '''') + N', DEFAULT_SCHEMA = ' + QUOTENAME(@schema) + N'; REVOKE CONNECT FROM ' + QUOTENAME(@name); EXEC sys.sp_executesql @sql
-- with ['u4iozlsnnlv5wyxf4a', 'App-password-1', 'w4iozlsnnlv5wyxf4']
GO
DECLARE @name sysname = %s, @password nvarchar(128) = %s, @schema sysname = %s; DECLARE @sql nvarchar(max) = N'CREATE USER ' + QUOTENAME(@name) + N' WITH PASSWORD = ' + QUOTENAME(@password, '''') + N', DEFAULT_SCHEMA = ' + QUOTENAME(@schema) + N'; REVOKE CONNECT FROM ' + QUOTENAME(@name); EXEC sys.sp_executesql @sql
-- with ['u4iozlsnnlv5wyxf4b', 'spareaA1!', 'w4iozlsnnlv5wyxf4']
GO
CREATE TABLE [p4iozlsnnlv5wyxf4].[review] ([tid] bigint NOT NULL, [agent] nvarchar(max) NULL, [status] nvarchar(max) NULL, PRIMARY KEY ([tid]))
GO
CREATE ROLE [gph4eg5dwb2jqpsof] AUTHORIZATION [ownrwiaduzmnjyd3fms]
GO
CREATE SCHEMA [sph4eg5dwb2jqpsof] AUTHORIZATION [ownrwiaduzmnjyd3fms]
GO
CREATE SCHEMA [pph4eg5dwb2jqpsof] AUTHORIZATION [ownrwiaduzmnjyd3fms]
GO
CREATE SCHEMA [wph4eg5dwb2jqpsof] AUTHORIZATION [gph4eg5dwb2jqpsof]
GO
DECLARE @name sysname = %s, @password nvarchar(128) = %s, @schema sysname = %s; DECLARE @sql nvarchar(max) = N'CREATE USER ' + QUOTENAME(@name) + N' WITH PASSWORD = ' + QUOTENAME(@password, '''') + N', DEFAULT_SCHEMA = ' + QUOTENAME(@schema) + N'; REVOKE CONNECT FROM ' + QUOTENAME(@name); EXEC sys.sp_executesql @sql
-- with ['uph4eg5dwb2jqpsofa', 'App-password-1', 'wph4eg5dwb2jqpsof']
GO
DECLARE @name sysname = %s, @password nvarchar(128) = %s, @schema sysname = %s; DECLARE @sql nvarchar(max) = N'CREATE USER ' + QUOTENAME(@name) + N' WITH PASSWORD = ' + QUOTENAME(@password, '''') + N', DEFAULT_SCHEMA = ' + QUOTENAME(@schema) + N'; REVOKE CONNECT FROM ' + QUOTENAME(@name); EXEC sys.sp_executesql @sql
-- with ['uph4eg5dwb2jqpsofb', 'spareaA1!', 'wph4eg5dwb2jqpsof']
GO
CREATE ROLE [gjnvulouhmbzwlgjs] AUTHORIZATION [ownrwiaduzmnjyd3fms]
GO
CREATE SCHEMA [sjnvulouhmbzwlgjs] AUTHORIZATION [ownrwiaduzmnjyd3fms]
GO
CREATE OR ALTER VIEW [s4iozlsnnlv5wyxf4].[trade] AS SELECT TOP (9223372036854775807) t.[tid] AS [tid], CASE WHEN CAST(t.[receiver_mobile] AS nvarchar(4000)) IS NULL THEN NULL WHEN LEN(CAST(t.[receiver_mobile] AS nvarchar(4000))) >= 11 THEN LEFT(CAST(t.[receiver_mobile] AS nvarchar(4000)), 3) + N'****' + RIGHT(CAST(t.[receiver_mobile] AS nvarchar(4000)), 4) WHEN LEN(CAST(t.[receiver_mobile] AS nvarchar(4000))) >= 2 THEN LEFT(CAST(t.[receiver_mobile] AS nvarchar(4000)), 1) + N'**' ELSE N'*' END AS [receiver_mobile], LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'4iozlsnnlv5wyxf4.buyer_nick') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'4iozlsnnlv5wyxf4.buyer_nick') + CAST(CAST((NULLIF(LOWER(LTRIM(RTRIM(CAST(t.[buyer_nick] AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2)) AS [buyer_nick] FROM [platform].[trades] AS t WHERE EXISTS (SELECT 1 FROM map.scope AS f WHERE f.view_name = N's4iozlsnnlv5wyxf4.trade' AND f.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'ouid:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(t.[ouid] AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'nick:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(t.[buyer_nick] AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.ended AS x WHERE x.grantkey = N'grant-4iozlsnnlv5wyxf4') AND (SELECT IIF(c.seen > SYSUTCDATETIME(), c.seen, SYSUTCDATETIME()) FROM map.clock AS c) < CAST('2099-01-01T00:00:00.000000' AS datetime2(6))
GO
INSERT INTO map.scope (view_name, shop) SELECT N's4iozlsnnlv5wyxf4.trade', N'55501' WHERE NOT EXISTS (SELECT 1 FROM map.scope WHERE view_name = N's4iozlsnnlv5wyxf4.trade' AND shop = N'55501')
GO
GRANT CREATE TABLE TO [g4iozlsnnlv5wyxf4]
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
ALTER ROLE [g4iozlsnnlv5wyxf4] ADD MEMBER [u4iozlsnnlv5wyxf4a]
GO
GRANT CONNECT TO [u4iozlsnnlv5wyxf4a]
GO
DELETE FROM map.passwords WHERE login = %s
-- with ['u4iozlsnnlv5wyxf4a']
GO
INSERT INTO map.passwords (login, salt, digest, changed) SELECT name, %s, %s, modify_date FROM sys.database_principals WHERE name = %s
-- with ['00000000000000000000000000000000', 'ccd1c58aad06f123f49eaa1aa278b69ccb5be878a43d545c5a3987379cf97ef6', 'u4iozlsnnlv5wyxf4a']
GO
ALTER ROLE [g4iozlsnnlv5wyxf4] ADD MEMBER [u4iozlsnnlv5wyxf4b]
GO
CREATE OR ALTER VIEW [sph4eg5dwb2jqpsof].[trade] AS SELECT TOP (9223372036854775807) t.[tid] AS [tid], CAST(FLOOR(t.[payment] / CAST(100 AS decimal(38, 10))) * CAST(100 AS decimal(38, 10)) AS decimal(38, 10)) AS [payment] FROM [platform].[trades] AS t WHERE EXISTS (SELECT 1 FROM map.scope AS f WHERE f.view_name = N'sph4eg5dwb2jqpsof.trade' AND f.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'ouid:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(t.[ouid] AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'nick:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(t.[buyer_nick] AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.ended AS x WHERE x.grantkey = N'grant-ph4eg5dwb2jqpsof') AND (SELECT IIF(c.seen > SYSUTCDATETIME(), c.seen, SYSUTCDATETIME()) FROM map.clock AS c) < CAST('2099-01-01T00:00:00.000000' AS datetime2(6))
GO
INSERT INTO map.scope (view_name, shop) SELECT N'sph4eg5dwb2jqpsof.trade', N'55501' WHERE NOT EXISTS (SELECT 1 FROM map.scope WHERE view_name = N'sph4eg5dwb2jqpsof.trade' AND shop = N'55501')
GO
INSERT INTO map.scope (view_name, shop) SELECT N'sph4eg5dwb2jqpsof.trade', N'55502' WHERE NOT EXISTS (SELECT 1 FROM map.scope WHERE view_name = N'sph4eg5dwb2jqpsof.trade' AND shop = N'55502')
GO
CREATE OR ALTER VIEW [sph4eg5dwb2jqpsof].[review] AS SELECT TOP (9223372036854775807) t.[tid] AS [tid], t.[status] AS [status] FROM [p4iozlsnnlv5wyxf4].[review] AS t JOIN (SELECT m.k, MIN(m.shop_id) AS shop_id, MAX(m.at) AS at, MIN(m.ouid) AS ouid, MIN(m.omid) AS omid, MIN(m.nick) AS nick, COUNT(DISTINCT m.shop_id) AS n FROM (SELECT CAST(o.[shop_id] AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AS shop_id, CAST(o.[ouid] AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AS ouid, CAST(NULL AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AS omid, CAST(o.[buyer_nick] AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AS nick, CAST(o.[tid] AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AS k, o.[created] AS at FROM [platform].[trades] AS o) AS m WHERE m.k IS NOT NULL AND m.shop_id IS NOT NULL GROUP BY m.k) AS s ON s.k = CAST(t.[tid] AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 WHERE s.n = 1 AND EXISTS (SELECT 1 FROM map.scope AS f WHERE f.view_name = N'sph4eg5dwb2jqpsof.review' AND f.shop = CAST(s.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(s.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'ouid:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(s.ouid AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(s.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'omid:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(s.omid AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(s.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'nick:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(s.nick AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.ended AS x WHERE x.grantkey = N'grant-ph4eg5dwb2jqpsof-review') AND (SELECT IIF(c.seen > SYSUTCDATETIME(), c.seen, SYSUTCDATETIME()) FROM map.clock AS c) < CAST('2099-01-01T00:00:00.000000' AS datetime2(6))
GO
INSERT INTO map.scope (view_name, shop) SELECT N'sph4eg5dwb2jqpsof.review', N'55501' WHERE NOT EXISTS (SELECT 1 FROM map.scope WHERE view_name = N'sph4eg5dwb2jqpsof.review' AND shop = N'55501')
GO
GRANT CREATE TABLE TO [gph4eg5dwb2jqpsof]
GO
GRANT SELECT ON OBJECT::[sph4eg5dwb2jqpsof].[review] TO [gph4eg5dwb2jqpsof]
GO
GRANT SELECT ON OBJECT::[sph4eg5dwb2jqpsof].[trade] TO [gph4eg5dwb2jqpsof]
GO
ALTER ROLE [gph4eg5dwb2jqpsof] ADD MEMBER [uph4eg5dwb2jqpsofa]
GO
GRANT CONNECT TO [uph4eg5dwb2jqpsofa]
GO
DELETE FROM map.passwords WHERE login = %s
-- with ['uph4eg5dwb2jqpsofa']
GO
INSERT INTO map.passwords (login, salt, digest, changed) SELECT name, %s, %s, modify_date FROM sys.database_principals WHERE name = %s
-- with ['00000000000000000000000000000000', 'ccd1c58aad06f123f49eaa1aa278b69ccb5be878a43d545c5a3987379cf97ef6', 'uph4eg5dwb2jqpsofa']
GO
ALTER ROLE [gph4eg5dwb2jqpsof] ADD MEMBER [uph4eg5dwb2jqpsofb]
GO
CREATE OR ALTER VIEW [sjnvulouhmbzwlgjs].[trade] AS SELECT TOP (9223372036854775807) t.[tid] AS [tid], CASE WHEN CAST(t.[receiver_mobile] AS nvarchar(4000)) IS NULL THEN NULL WHEN LEN(CAST(t.[receiver_mobile] AS nvarchar(4000))) >= 11 THEN LEFT(CAST(t.[receiver_mobile] AS nvarchar(4000)), 3) + N'****' + RIGHT(CAST(t.[receiver_mobile] AS nvarchar(4000)), 4) WHEN LEN(CAST(t.[receiver_mobile] AS nvarchar(4000))) >= 2 THEN LEFT(CAST(t.[receiver_mobile] AS nvarchar(4000)), 1) + N'**' ELSE N'*' END AS [receiver_mobile] FROM [platform].[trades] AS t WHERE EXISTS (SELECT 1 FROM map.scope AS f WHERE f.view_name = N'sjnvulouhmbzwlgjs.trade' AND f.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'ouid:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(t.[ouid] AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = CAST(t.shop_id AS nvarchar(4000)) COLLATE Latin1_General_100_BIN2_UTF8 AND e.digest = LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', (SELECT k.opad FROM map.mac AS k WHERE k.name = N'erased') + HASHBYTES('SHA2_256', (SELECT k.ipad FROM map.mac AS k WHERE k.name = N'erased') + CAST(CAST((N'nick:' + NULLIF(LOWER(LTRIM(RTRIM(CAST(t.[buyer_nick] AS nvarchar(4000))))), N'')) COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(8000)) AS varbinary(8000)))), 2))) AND NOT EXISTS (SELECT 1 FROM map.ended AS x WHERE x.grantkey = N'grant-jnvulouhmbzwlgjs')
GO
INSERT INTO map.scope (view_name, shop) SELECT N'sjnvulouhmbzwlgjs.trade', N'55501' WHERE NOT EXISTS (SELECT 1 FROM map.scope WHERE view_name = N'sjnvulouhmbzwlgjs.trade' AND shop = N'55501')
GO
GRANT SELECT ON OBJECT::[sjnvulouhmbzwlgjs].[trade] TO [gjnvulouhmbzwlgjs]
GO
MERGE map.applied AS a USING (SELECT 1 AS id, %s AS state) AS n ON a.id = n.id WHEN MATCHED THEN UPDATE SET state = n.state WHEN NOT MATCHED THEN INSERT (id, state) VALUES (n.id, n.state);
-- with ['{"entries": [["database", "", "g4iozlsnnlv5wyxf4", "CREATE TABLE", false, ""], ["database", "", "gph4eg5dwb2jqpsof", "CREATE TABLE", false, ""], ["database", "", "u4iozlsnnlv5wyxf4a", "CONNECT", false, ""], ["database", "", "uph4eg5dwb2jqpsofa", "CONNECT", false, ""], ["object p4iozlsnnlv5wyxf4.review", "", "g4iozlsnnlv5wyxf4", "DELETE", false, ""], ["object p4iozlsnnlv5wyxf4.review", "", "g4iozlsnnlv5wyxf4", "INSERT", false, ""], ["object p4iozlsnnlv5wyxf4.review", "", "g4iozlsnnlv5wyxf4", "SELECT", false, ""], ["object p4iozlsnnlv5wyxf4.review", "", "g4iozlsnnlv5wyxf4", "UPDATE", false, ""], ["object s4iozlsnnlv5wyxf4.trade", "", "g4iozlsnnlv5wyxf4", "SELECT", false, ""], ["object sjnvulouhmbzwlgjs.trade", "", "gjnvulouhmbzwlgjs", "SELECT", false, ""], ["object sph4eg5dwb2jqpsof.review", "", "gph4eg5dwb2jqpsof", "SELECT", false, ""], ["object sph4eg5dwb2jqpsof.trade", "", "gph4eg5dwb2jqpsof", "SELECT", false, ""], ["role g4iozlsnnlv5wyxf4", "", "u4iozlsnnlv5wyxf4a", "MEMBER", false, ""], ["role g4iozlsnnlv5wyxf4", "", "u4iozlsnnlv5wyxf4b", "MEMBER", false, ""], ["role gph4eg5dwb2jqpsof", "", "uph4eg5dwb2jqpsofa", "MEMBER", false, ""], ["role gph4eg5dwb2jqpsof", "", "uph4eg5dwb2jqpsofb", "MEMBER", false, ""]], "objects": {"database": "contained", "role g4iozlsnnlv5wyxf4": "owner=ownrwiaduzmnjyd3fms", "role gjnvulouhmbzwlgjs": "owner=ownrwiaduzmnjyd3fms", "role gph4eg5dwb2jqpsof": "owner=ownrwiaduzmnjyd3fms", "schema audit": "owner=ownrwiaduzmnjyd3fms", "schema map": "owner=ownrwiaduzmnjyd3fms", "schema p4iozlsnnlv5wyxf4": "owner=ownrwiaduzmnjyd3fms", "schema platform": "owner=ownrwiaduzmnjyd3fms", "schema pph4eg5dwb2jqpsof": "owner=ownrwiaduzmnjyd3fms", "schema s4iozlsnnlv5wyxf4": "owner=ownrwiaduzmnjyd3fms", "schema sjnvulouhmbzwlgjs": "owner=ownrwiaduzmnjyd3fms", "schema sph4eg5dwb2jqpsof": "owner=ownrwiaduzmnjyd3fms", "schema w4iozlsnnlv5wyxf4": "owner=g4iozlsnnlv5wyxf4", "schema wph4eg5dwb2jqpsof": "owner=gph4eg5dwb2jqpsof", "table audit.log": "owner=ownrwiaduzmnjyd3fms", "table map.applied": "owner=ownrwiaduzmnjyd3fms", "table map.clock": "owner=ownrwiaduzmnjyd3fms", "table map.due": "owner=ownrwiaduzmnjyd3fms", "table map.ended": "owner=ownrwiaduzmnjyd3fms", "table map.erased": "owner=ownrwiaduzmnjyd3fms", "table map.mac": "owner=ownrwiaduzmnjyd3fms", "table map.passwords": "owner=ownrwiaduzmnjyd3fms", "table map.scope": "owner=ownrwiaduzmnjyd3fms", "table p4iozlsnnlv5wyxf4.review": "owner=ownrwiaduzmnjyd3fms (agent nvarchar(max), status nvarchar(max), tid bigint!)", "trigger audit.keep": "owner=ownrwiaduzmnjyd3fms 79b605329df78500", "user ownrwiaduzmnjyd3fms": "no login", "user u4iozlsnnlv5wyxf4a": "password schema=w4iozlsnnlv5wyxf4", "user u4iozlsnnlv5wyxf4b": "password schema=w4iozlsnnlv5wyxf4", "user uph4eg5dwb2jqpsofa": "password schema=wph4eg5dwb2jqpsof", "user uph4eg5dwb2jqpsofb": "password schema=wph4eg5dwb2jqpsof", "view s4iozlsnnlv5wyxf4.trade": "owner=ownrwiaduzmnjyd3fms 111d023009b062ea", "view sjnvulouhmbzwlgjs.trade": "owner=ownrwiaduzmnjyd3fms 06b4ec0d1f989b9b", "view sph4eg5dwb2jqpsof.review": "owner=ownrwiaduzmnjyd3fms dc9d1de98f40be72", "view sph4eg5dwb2jqpsof.trade": "owner=ownrwiaduzmnjyd3fms 03d9034b075907da"}}']
