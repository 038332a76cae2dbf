# SPDX-License-Identifier: BSD-3-Clause
"""Parts of tools/mix-captures and tools/train-attack."""
