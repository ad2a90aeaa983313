# SPDX-License-Identifier: Apache-2.0
"""What an app needs to live in a seller's data cloud: its Secret, one sign-on, its views."""
