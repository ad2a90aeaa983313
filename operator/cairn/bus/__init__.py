# SPDX-License-Identifier: Apache-2.0
"""The adapter of the message bus (NATS JetStream; `kafka` is that of the other).

`interface` is what worker and gateway need of a bus; `admin` the operator's side (stream, consumers), `publish` the
gateway's, `pull` the worker's, `credentials` who may do which, `pack` what a message holds.
"""
