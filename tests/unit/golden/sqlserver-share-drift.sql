ALTER DATABASE CURRENT SET TRUSTWORTHY OFF
GO
ALTER DATABASE CURRENT SET DB_CHAINING OFF
GO
UPDATE map.clock SET seen = IIF(seen > SYSUTCDATETIME(), seen, SYSUTCDATETIME()) WHERE id = 1
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['1', '2026-06-01 12:00:00', 'repair', 'cairn', 'tenant-uid', 'database', 'not as it was settled', '', 'CONNECT on database to guest', '', '', '57ee29f8563a85d9664f6bc848363dc6aef09cd372babaf5a2ce4991bb31571b']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['2', '2026-06-01 12:00:00', 'repair', 'cairn', 'tenant-uid', 'object platform.trades', 'not as it was settled', '', 'SELECT (title) on object platform.trades to gph4eg5dwb2jqpsof', '', '57ee29f8563a85d9664f6bc848363dc6aef09cd372babaf5a2ce4991bb31571b', 'cfa4953bcdb299f0fe3ee4f3a45c4f3aa5acf2ef4bca2364bc6a56cb1a130f6f']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['3', '2026-06-01 12:00:00', 'repair', 'cairn', 'tenant-uid', 'object s4iozlsnnlv5wyxf4.trade', 'not as it was settled', '', 'SELECT on object s4iozlsnnlv5wyxf4.trade to friend with grant option', '', 'cfa4953bcdb299f0fe3ee4f3a45c4f3aa5acf2ef4bca2364bc6a56cb1a130f6f', 'c113cbbc4efdb4a8dc686b438bfbd60c187d52e144cac41034ad26c09756e93d']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['4', '2026-06-01 12:00:00', 'repair', 'cairn', 'tenant-uid', 'object s4iozlsnnlv5wyxf4.trade', 'not as it was settled', '', 'DENY SELECT on object s4iozlsnnlv5wyxf4.trade to g4iozlsnnlv5wyxf4', '', 'c113cbbc4efdb4a8dc686b438bfbd60c187d52e144cac41034ad26c09756e93d', '5262a57c3cc10faedc1630fe2075c4d4af8b8dd60e0e68004348cd2535399296']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['5', '2026-06-01 12:00:00', 'repair', 'cairn', 'tenant-uid', 'role db_datareader', 'not as it was settled', '', 'MEMBER on role db_datareader to u4iozlsnnlv5wyxf4a', '', '5262a57c3cc10faedc1630fe2075c4d4af8b8dd60e0e68004348cd2535399296', 'c316009c6f46637f59264cc0c82fca79cf74aabb8b8814009b6d7d95a1bd6089']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['6', '2026-06-01 12:00:00', 'repair', 'cairn', 'tenant-uid', 'role gph4eg5dwb2jqpsof', 'not as it was settled', '', 'CONTROL on role gph4eg5dwb2jqpsof to u4iozlsnnlv5wyxf4a', '', 'c316009c6f46637f59264cc0c82fca79cf74aabb8b8814009b6d7d95a1bd6089', '6d1e55c8ddb9e3fcbb1daa73add62d81dc70ae074b9e345439023902478ff411']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['7', '2026-06-01 12:00:00', 'repair', 'cairn', 'tenant-uid', 'trigger p4iozlsnnlv5wyxf4.evil', 'not as it was settled', '', 'owner=ownrwiaduzmnjyd3fms 64646575df4a57e0', '', '6d1e55c8ddb9e3fcbb1daa73add62d81dc70ae074b9e345439023902478ff411', '14b7273c89056a86174caf685664e7285f084fb0e5bc4de70263dd0a38775b40']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['8', '2026-06-01 12:00:00', 'repair', 'cairn', 'tenant-uid', 'view s4iozlsnnlv5wyxf4.more', 'not as it was settled', '', 'owner=ownrwiaduzmnjyd3fms b7af8584c8259571', '', '14b7273c89056a86174caf685664e7285f084fb0e5bc4de70263dd0a38775b40', 'a6775b7435c4cf0d9b67301c5c54a4e06da5f077949379d43b76b586601f89f1']
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['9', '2026-06-01 12:00:00', 'repair', 'cairn', 'tenant-uid', 'map.scope', 'not as it was settled', '', 'shop 55502 for s4iozlsnnlv5wyxf4.trade', '', 'a6775b7435c4cf0d9b67301c5c54a4e06da5f077949379d43b76b586601f89f1', '29e7f75cb94af0920d0d3e231251c5c3c40ea472c4d12ac61381611dcc9109d0']
GO
INSERT INTO map.due (login) SELECT N'u4iozlsnnlv5wyxf4a' WHERE NOT EXISTS (SELECT 1 FROM map.due WHERE login = N'u4iozlsnnlv5wyxf4a')
GO
INSERT INTO map.due (login) SELECT N'u4iozlsnnlv5wyxf4b' WHERE NOT EXISTS (SELECT 1 FROM map.due WHERE login = N'u4iozlsnnlv5wyxf4b')
GO
INSERT INTO map.due (login) SELECT N'uph4eg5dwb2jqpsofa' WHERE NOT EXISTS (SELECT 1 FROM map.due WHERE login = N'uph4eg5dwb2jqpsofa')
GO
INSERT INTO map.due (login) SELECT N'uph4eg5dwb2jqpsofb' WHERE NOT EXISTS (SELECT 1 FROM map.due WHERE login = N'uph4eg5dwb2jqpsofb')
GO
REVOKE CONNECT FROM [guest] CASCADE
GO
DELETE FROM map.scope WHERE view_name = N's4iozlsnnlv5wyxf4.trade' AND shop = N'55502'
GO
REVOKE SELECT ([title]) ON OBJECT::[platform].[trades] FROM [gph4eg5dwb2jqpsof] CASCADE
GO
REVOKE SELECT ON OBJECT::[s4iozlsnnlv5wyxf4].[trade] FROM [friend] CASCADE AS [mid]
GO
REVOKE SELECT ON OBJECT::[s4iozlsnnlv5wyxf4].[trade] FROM [g4iozlsnnlv5wyxf4] CASCADE
GO
ALTER ROLE [db_datareader] DROP MEMBER [u4iozlsnnlv5wyxf4a]
GO
REVOKE CONTROL ON ROLE::[gph4eg5dwb2jqpsof] FROM [u4iozlsnnlv5wyxf4a] CASCADE
GO
DROP TRIGGER IF EXISTS [p4iozlsnnlv5wyxf4].[evil]
GO
KILL 61
GO
KILL 62
GO
DELETE FROM map.due WHERE login IN (N'u4iozlsnnlv5wyxf4a', N'u4iozlsnnlv5wyxf4b', N'uph4eg5dwb2jqpsofa', N'uph4eg5dwb2jqpsofb')
GO
DROP VIEW IF EXISTS [s4iozlsnnlv5wyxf4].[more]
GO
INSERT INTO audit.log (seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
-- with ['1', '2026-06-01 12:00:00', 'repair', 'cairn', 'tenant-uid', 'database', 'not as it was settled', '', 'trusted chained', 'contained', '', '49f337f93ddf86ca87c022c6e43ffafe11d2b4ad27e0ebb79390afcc7163b37f']
