/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fits bins to rows of a model's inputs: what later rows are compared with, see input_bins.h. Called by `wirescore
 * train` and `wirescore model baseline`.
 *
 * An input of up to eight values gets an edge at each, and one below the least: what was never seen is in a bin of its
 * own. Others get an edge at each decile; equal ones are one.
 */
#ifndef WIRESCORE_TRAIN_BINS_FIT_H
#define WIRESCORE_TRAIN_BINS_FIT_H

#include <stddef.h>
#include <stdint.h>

#include "input_bins.h"

/*
 * Fills bins, [n_inputs], from rows, [n_rows][n_inputs] of finite numbers, of which those spread evenly are looked at
 * where they are many. 0, -EINVAL without rows, or -ENOMEM.
 */
int bins_fit_floats(const float *rows, size_t n_rows, uint32_t n_inputs, struct input_bins *bins);
int bins_fit_bytes(const uint8_t *rows, size_t n_rows, uint32_t n_inputs, struct input_bins *bins);

#endif
