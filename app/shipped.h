/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the models that come with the program are.
 */
#ifndef WIRESCORE_SHIPPED_H
#define WIRESCORE_SHIPPED_H

#include <stddef.h>

/*
 * The path of a shipped model, e.g. "ip.onnx": in $WIRESCORE_MODELS; else config/models beside the build
 * directory that the program runs from; else the installed folder. Returns path.
 */
char *shipped_model_path(const char *name, char *path, size_t path_size);

#endif
