# SPDX-License-Identifier: Apache-2.0
"""What the API server may answer instead of doing it, by what a caller does about it."""

from __future__ import annotations


class ApiError(Exception):
    """An answer that is no success. `status` is the HTTP code, 0 where there was no answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class ConflictError(ApiError):
    """409: somebody else was faster, owns a field, or has the name."""


class RefusedError(ApiError):
    """400, 403, 422: admission, quota or rights say no; sending it again changes nothing."""


class NotFoundError(ApiError):
    """404: there is no such object, or no such API."""


class UnavailableError(ApiError):
    """No answer, 429 or 5xx: nothing wrong with the request."""

    def __init__(self, status: int, message: str, retry_after_seconds: float = 0.0) -> None:
        super().__init__(status, message)
        self.retry_after_seconds = retry_after_seconds


class NotLeaderError(Exception):
    """This replica does not hold the Lease (any more): it must not write."""
