-- SPDX-License-Identifier: Apache-2.0
-- One row per pushed table: the last number given out and the last time given out, both in commit order. A writer holds the
-- row from here to its COMMIT, so a reader that asks for "everything after" never skips a row.
CREATE TABLE sys_info.jdp_cursor (
  table_name varchar(64) PRIMARY KEY,
  seq bigint NOT NULL,
  ts timestamp(6) NOT NULL
) WITH (fillfactor = 10);

-- Records that can't be written, with their bytes and the reason.
CREATE TABLE sys_info.jdp_quarantine (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic text NOT NULL,
  object_key text,
  seller_nick text,
  stream text NOT NULL,
  stream_seq bigint NOT NULL,
  member_no integer NOT NULL,
  received_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  reason text NOT NULL,
  error_code text,
  error_text text,
  payload bytea NOT NULL,
  attempts integer NOT NULL DEFAULT 1,
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'retried', 'discarded')),
  resolved_by text,
  resolved_at timestamptz,
  UNIQUE (stream, stream_seq, member_no)
);
CREATE INDEX jdp_quarantine_open ON sys_info.jdp_quarantine (id) WHERE state = 'open';

-- Which shop a nick stands for: what the views show as shop_id.
CREATE TABLE sys_info.jdp_shop (
  seller_nick varchar(64) PRIMARY KEY,
  shop_id varchar(64) NOT NULL UNIQUE
);

-- Text as JSON, or NULL. jsonb takes no NUL character: it is shown as U+FFFD.
CREATE FUNCTION sys_info.cairn_json(response text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  RETURN response::pg_catalog.jsonb;
EXCEPTION WHEN others THEN
  BEGIN
    RETURN pg_catalog.replace(response, '\u0000', '\ufffd')::pg_catalog.jsonb;
  EXCEPTION WHEN others THEN
    RETURN NULL;
  END;
END $$;

-- 'YYYY-MM-DD HH:MM:SS' as a timestamp, or NULL.
CREATE FUNCTION sys_info.cairn_timestamp(value text) RETURNS timestamp(0) LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF value OPERATOR(pg_catalog.~) '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$' THEN
    RETURN value::pg_catalog.timestamp(0);
  END IF;
  RETURN NULL;
EXCEPTION WHEN others THEN
  RETURN NULL;
END $$;
