/* SPDX-License-Identifier: BSD-3-Clause */
#include "sink_kinds.h"

#include <string.h>

const struct sink_kind sink_kinds[] = {
	{"file", NULL, true},
	{"redis", "libhiredis-dev", HAVE_REDIS},
	{"rabbitmq", "librabbitmq-dev", HAVE_RABBITMQ},
	{"kafka", "librdkafka-dev", HAVE_KAFKA},
	{"ipfix", "libfixbuf-dev", HAVE_IPFIX},
	{"zstd", "libzstd-dev", HAVE_ZSTD},
	{"tls", "libssl-dev", HAVE_TLS},
};

const uint32_t sink_n_kinds = sizeof(sink_kinds) / sizeof(sink_kinds[0]);

const struct sink_kind *sink_kind_find(const char *name)
{
	for (uint32_t i = 0; i < sink_n_kinds; i++)
		if (!strcmp(sink_kinds[i].name, name))
			return &sink_kinds[i];
	return NULL;
}
