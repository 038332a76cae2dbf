/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore model baseline`: writes what a model's inputs look like in captures or tables into a copy of it, for live
 * runs to compare with. Called by cmd_model.c.
 */
#ifndef WIRESCORE_MODEL_BASELINE_H
#define WIRESCORE_MODEL_BASELINE_H

/* Its own name is argv[0]. An exit code. */
int model_baseline_run(int argc, char **argv);

#endif
