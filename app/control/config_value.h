/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values of the config: from text to the field of a struct. What a single value tells by itself is checked here,
 * what it names in config_check.c. Called by config.c.
 */
#ifndef WIRESCORE_CONTROL_CONFIG_VALUE_H
#define WIRESCORE_CONTROL_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "config_keys.h"

/*
 * Reads text into the field, in place of what is there; relative paths are in folder. 0; -EINVAL with one line in
 * error; or -ENOMEM. The field is as before where it is not 0.
 */
int config_value_read(const struct config_key *key, const char *text, const char *folder, void *field, char *error,
		      size_t error_size);

/* Whether two fields of a key say the same. */
bool config_value_is_equal(const struct config_key *key, const void *left, const void *right);

/* Lets go of what the field holds. */
void config_value_free(const struct config_key *key, void *field);

#endif
