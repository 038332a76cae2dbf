# SPDX-License-Identifier: BSD-3-Clause
"""A lab in network namespaces: real servers, clients and attacks, for captures with labels (tools/lab)."""
