/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sorts numbers by index: what curves, stumps and lint spend their time on. Called by flow_lint.c and in lib/train.
 */
#ifndef WIRESCORE_DATASET_FLOAT_ORDER_H
#define WIRESCORE_DATASET_FLOAT_ORDER_H

#include <stdint.h>

/*
 * Puts the indexes 0..n-1 into order so that values ascend; equal values (0 and -0 are) keep their order. No value
 * is NaN. 0 or -ENOMEM. Takes time in proportion to n.
 */
int float_order(const float *values, uint32_t n, uint32_t *order);

#endif
