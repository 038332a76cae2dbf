/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The names of a flow model's classes, for reports and records. Used by classify and by live runs.
 */
#ifndef WIRESCORE_FLOW_CLASSES_H
#define WIRESCORE_FLOW_CLASSES_H

#include <stdint.h>

#include "model.h"

/*
 * Names the n classes of a model that does not, and makes JSON strings of all: *json, [n], the caller's to free, also
 * where it fails; NULL at first. 0, or -ENOMEM.
 */
int flow_classes_name(struct model *model, uint32_t n, char ***json);
void flow_classes_free(char **json, uint32_t n);

#endif
