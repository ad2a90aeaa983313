# SPDX-License-Identifier: Apache-2.0
"""The shared pool of workers: who owns which subscription, and how many members there should be."""
