/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of sinks. Each is a file of its own, which is built where its library is there.
 */
#include "sink_drivers.h"

#include <string.h>

const struct sink_driver *const sink_drivers[] = {
	&sink_file_driver,
#if HAVE_REDIS
	&sink_redis_driver,
#endif
#if HAVE_RABBITMQ
	&sink_rabbitmq_driver,
#endif
#if HAVE_KAFKA
	&sink_kafka_driver,
#endif
#if HAVE_IPFIX
	&sink_ipfix_driver,
#endif
	NULL,
};

const struct sink_driver *sink_driver_find(const char *name)
{
	for (uint32_t i = 0; sink_drivers[i]; i++)
		if (!strcmp(sink_drivers[i]->name, name))
			return sink_drivers[i];
	return NULL;
}
