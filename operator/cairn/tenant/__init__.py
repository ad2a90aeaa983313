# SPDX-License-Identifier: Apache-2.0
"""IntegrationTenant and IntegrationApp: who sees what of a seller's data, and nobody anything else."""
