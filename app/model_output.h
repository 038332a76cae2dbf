/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the trainers do with a model: facts about how it came about, and the file. Facts hold no dates and no paths,
 * so that the same run gives the same file.
 */
#ifndef WIRESCORE_MODEL_OUTPUT_H
#define WIRESCORE_MODEL_OUTPUT_H

#include <stdint.h>

#include "model.h"
#include "train.h"

/* The path without its folders. */
const char *model_output_base_name(const char *path);

/* Whether the model could be written, asked before hours are spent. EXIT_OK, or EXIT_FAILED after complaining. */
int model_output_check(const char *path);

/* Adds a fact. 0 or -ENOMEM. */
int model_output_add_fact(struct model *model, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A fact that names the first files and counts the others. 0 or -ENOMEM. */
int model_output_add_files(struct model *model, const char *name, char *const *paths, int n_paths);

/* Facts of the optimizer, its rates, the batch and the seed. 0 or -ENOMEM. */
int model_output_add_options(struct model *model, const struct train_options *options);

/* Writes the model and says so on stdout. An exit code. */
int model_output_save(const struct model *model, const char *path);

#endif
