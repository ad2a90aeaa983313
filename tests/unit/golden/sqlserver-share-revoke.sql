UPDATE map.clock SET seen = IIF(seen > SYSUTCDATETIME(), seen, SYSUTCDATETIME()) WHERE id = 1
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['1', '2026-06-01 12:00:00', 'revoke', 'kubectl-edit', 'tenant-uid', 'database', '', '', 'CREATE TABLE on database to g4iozlsnnlv5wyxf4', '', '', 'a454cc75a20ff23567f60f62b315c1ba3f2fbb4bc4d22a59485fa5a2dce88e04']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['2', '2026-06-01 12:00:00', 'revoke', 'kubectl-edit', 'tenant-uid', 'database', '', '', 'CONNECT on database to u4iozlsnnlv5wyxf4a', '', 'a454cc75a20ff23567f60f62b315c1ba3f2fbb4bc4d22a59485fa5a2dce88e04', '72fa564fabc3018d0b2e1fd46301daec6e534553c2e8e06c5d2d9987891535e0']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['3', '2026-06-01 12:00:00', 'revoke', 'kubectl-edit', 'tenant-uid', 'object p4iozlsnnlv5wyxf4.review', '', '', 'DELETE on object p4iozlsnnlv5wyxf4.review to g4iozlsnnlv5wyxf4\nINSERT on object p4iozlsnnlv5wyxf4.review to g4iozlsnnlv5wyxf4\nSELECT on object p4iozlsnnlv5wyxf4.review to g4iozlsnnlv5wyxf4\nUPDATE on object p4iozlsnnlv5wyxf4.review to g4iozlsnnlv5wyxf4', '', '72fa564fabc3018d0b2e1fd46301daec6e534553c2e8e06c5d2d9987891535e0', 'f54174590b4b46f12e6edddbc9b7ebaee0027e2e1d6cd345ddb1abbbafca13d8']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['4', '2026-06-01 12:00:00', 'revoke', 'kubectl-edit', 'tenant-uid', 'object s4iozlsnnlv5wyxf4.trade', '', '', 'SELECT on object s4iozlsnnlv5wyxf4.trade to g4iozlsnnlv5wyxf4', '', 'f54174590b4b46f12e6edddbc9b7ebaee0027e2e1d6cd345ddb1abbbafca13d8', 'b1991c1d3ed86ef24bd96251201970671902297ba6f7186458927263f6424403']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['5', '2026-06-01 12:00:00', 'revoke', 'kubectl-edit', 'tenant-uid', 'object sph4eg5dwb2jqpsof.review', '', '', 'SELECT on object sph4eg5dwb2jqpsof.review to gph4eg5dwb2jqpsof', '', 'b1991c1d3ed86ef24bd96251201970671902297ba6f7186458927263f6424403', 'e06cffcab88e4ad507d1d4a4b78eebc6f6da7ec756b4c106de9f7ca9fcdf2c4c']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['6', '2026-06-01 12:00:00', 'revoke', 'kubectl-edit', 'tenant-uid', 'role g4iozlsnnlv5wyxf4', '', '', 'MEMBER on role g4iozlsnnlv5wyxf4 to u4iozlsnnlv5wyxf4a', '', 'e06cffcab88e4ad507d1d4a4b78eebc6f6da7ec756b4c106de9f7ca9fcdf2c4c', 'c17080f8da636f3181f028a1420be83df747131984c5c663addaf752068e8d19']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['7', '2026-06-01 12:00:00', 'revoke', 'kubectl-edit', 'tenant-uid', 'role g4iozlsnnlv5wyxf4', '', '', 'MEMBER on role g4iozlsnnlv5wyxf4 to u4iozlsnnlv5wyxf4b', '', 'c17080f8da636f3181f028a1420be83df747131984c5c663addaf752068e8d19', '5d7510397d1f5f394fc331f2c64b89d65436aa4cf17d8544bff0bee78821d869']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['8', '2026-06-01 12:00:00', 'remove', 'kubectl-edit', 'tenant-uid', 'role g4iozlsnnlv5wyxf4', '', '', 'role g4iozlsnnlv5wyxf4', '', '5d7510397d1f5f394fc331f2c64b89d65436aa4cf17d8544bff0bee78821d869', 'c06abc7c4b1569125a05f866b7e7f4a561402e0d5cec40faa25c625b7cd8b67e']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['9', '2026-06-01 12:00:00', 'remove', 'kubectl-edit', 'tenant-uid', 'schema s4iozlsnnlv5wyxf4', '', '', 'schema s4iozlsnnlv5wyxf4', '', 'c06abc7c4b1569125a05f866b7e7f4a561402e0d5cec40faa25c625b7cd8b67e', 'c807d69fabea6370cc03a40fe517e604eee30031604b0b01c0f738d20f0802ac']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['10', '2026-06-01 12:00:00', 'remove', 'kubectl-edit', 'tenant-uid', 'user u4iozlsnnlv5wyxf4a', '', '', 'user u4iozlsnnlv5wyxf4a', '', 'c807d69fabea6370cc03a40fe517e604eee30031604b0b01c0f738d20f0802ac', 'c106f57b5f042f5060f0ff721f50222be7acedd245941b2751a1fc5aff58bd87']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['11', '2026-06-01 12:00:00', 'remove', 'kubectl-edit', 'tenant-uid', 'user u4iozlsnnlv5wyxf4b', '', '', 'user u4iozlsnnlv5wyxf4b', '', 'c106f57b5f042f5060f0ff721f50222be7acedd245941b2751a1fc5aff58bd87', '00421854177420b72340b2fd5e6d51853ddb5bc475835b4d75d8c8e54b897360']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['12', '2026-06-01 12:00:00', 'remove', 'kubectl-edit', 'tenant-uid', 'view s4iozlsnnlv5wyxf4.trade', '', '', 'view s4iozlsnnlv5wyxf4.trade', '', '00421854177420b72340b2fd5e6d51853ddb5bc475835b4d75d8c8e54b897360', '5f3b0d099e5a0aecd36a3209eb49dcafcdc0acc90ece98dee35d66a8dd9d5aad']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['13', '2026-06-01 12:00:00', 'remove', 'kubectl-edit', 'tenant-uid', 'view sph4eg5dwb2jqpsof.review', '', '', 'view sph4eg5dwb2jqpsof.review', '', '5f3b0d099e5a0aecd36a3209eb49dcafcdc0acc90ece98dee35d66a8dd9d5aad', 'fa618b8441de5bb583572b4f8eebe5214128494fe429f416282e546caef27d2b']
GO
INSERT INTO map.due (login) SELECT N'u4iozlsnnlv5wyxf4a' WHERE NOT EXISTS (SELECT 1 FROM map.due WHERE login = N'u4iozlsnnlv5wyxf4a')
GO
INSERT INTO map.due (login) SELECT N'u4iozlsnnlv5wyxf4b' WHERE NOT EXISTS (SELECT 1 FROM map.due WHERE login = N'u4iozlsnnlv5wyxf4b')
GO
INSERT INTO map.due (login) SELECT N'uph4eg5dwb2jqpsofa' WHERE NOT EXISTS (SELECT 1 FROM map.due WHERE login = N'uph4eg5dwb2jqpsofa')
GO
INSERT INTO map.due (login) SELECT N'uph4eg5dwb2jqpsofb' WHERE NOT EXISTS (SELECT 1 FROM map.due WHERE login = N'uph4eg5dwb2jqpsofb')
GO
REVOKE CONNECT FROM [u4iozlsnnlv5wyxf4a] CASCADE
GO
DELETE FROM map.scope WHERE view_name = N's4iozlsnnlv5wyxf4.trade' AND shop = N'55501'
GO
DELETE FROM map.scope WHERE view_name = N'sph4eg5dwb2jqpsof.review' AND shop = N'55501'
GO
REVOKE CREATE TABLE FROM [g4iozlsnnlv5wyxf4] CASCADE
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
REVOKE SELECT ON OBJECT::[sph4eg5dwb2jqpsof].[review] FROM [gph4eg5dwb2jqpsof] CASCADE
GO
ALTER ROLE [g4iozlsnnlv5wyxf4] DROP MEMBER [u4iozlsnnlv5wyxf4a]
GO
ALTER ROLE [g4iozlsnnlv5wyxf4] DROP MEMBER [u4iozlsnnlv5wyxf4b]
GO
KILL 61
GO
KILL 62
GO
DELETE FROM map.due WHERE login IN (N'u4iozlsnnlv5wyxf4a', N'u4iozlsnnlv5wyxf4b', N'uph4eg5dwb2jqpsofa', N'uph4eg5dwb2jqpsofb')
GO
DROP VIEW IF EXISTS [s4iozlsnnlv5wyxf4].[trade]
GO
DROP VIEW IF EXISTS [sph4eg5dwb2jqpsof].[review]
GO
DROP SCHEMA IF EXISTS [s4iozlsnnlv5wyxf4]
GO
DELETE FROM map.passwords WHERE login = %s
-- with ['u4iozlsnnlv5wyxf4a']
GO
DROP USER IF EXISTS [u4iozlsnnlv5wyxf4a]
GO
DELETE FROM map.passwords WHERE login = %s
-- with ['u4iozlsnnlv5wyxf4b']
GO
DROP USER IF EXISTS [u4iozlsnnlv5wyxf4b]
GO
ALTER AUTHORIZATION ON SCHEMA::[w4iozlsnnlv5wyxf4] TO [ownrwiaduzmnjyd3fms]
GO
DROP ROLE IF EXISTS [g4iozlsnnlv5wyxf4]
GO
UPDATE map.mac SET retired = 1 WHERE name = N'4iozlsnnlv5wyxf4.buyer_nick'
