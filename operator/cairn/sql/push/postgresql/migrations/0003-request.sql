-- SPDX-License-Identifier: Apache-2.0
-- What Operations ask the worker for. counts: what came of it so far; reached: from where a worker goes on that was
-- interrupted. Rows stay: they say who gave up what, and why.
CREATE TABLE sys_info.jdp_request (
  id varchar(64) PRIMARY KEY,
  subscription varchar(160) NOT NULL,
  action varchar(32) NOT NULL,
  args text NOT NULL,
  asked_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  state varchar(16) NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'failed', 'withdrawn')),
  counts text NOT NULL DEFAULT '{}',
  reached text NOT NULL DEFAULT '[]',
  message text,
  ended_at timestamptz
);
CREATE INDEX jdp_request_open ON sys_info.jdp_request (subscription, asked_at) WHERE state = 'open';
