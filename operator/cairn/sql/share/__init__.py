# SPDX-License-Identifier: Apache-2.0
"""Sharing one seller's database among apps and staff: what should stand there, what does, and the difference.

`model` says what should stand, in no engine's language. An engine turns it into a `state.State` (`desired`), reads the
live one (`observe`), and writes what lies between. Everything here takes the server and every app for hostile.
"""
