# SPDX-License-Identifier: Apache-2.0
"""The adapter of Kafka, by confluent-kafka (the extra `kafka`). A topic for each seller, with one partition; a consumer
group for each subscription, its partition assigned by hand.

`admin` makes topics and finds what is unsafe, `publish` is the gateway's side, `read` the worker's.
"""
