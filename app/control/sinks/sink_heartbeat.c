/* SPDX-License-Identifier: BSD-3-Clause */
#include "sink_heartbeat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)
/* Beside the sensor's name. */
#define LINE_BYTES 192

int sink_heart_open(struct sink_heart *heart, const char *sensor, uint64_t every_ns, uint64_t since_ns)
{
	*heart = (struct sink_heart){.every_ns = every_ns, .since_ns = since_ns};
	if (!sensor || !every_ns)
		return 0;
	heart->line = malloc(LINE_BYTES + strlen(sensor));
	heart->sensor = heart->line ? sensor : NULL;
	return heart->line ? 0 : -ENOMEM;
}

void sink_heart_close(struct sink_heart *heart)
{
	free(heart->line);
	*heart = (struct sink_heart){0};
}

bool sink_heart_is_due(const struct sink_heart *heart, uint64_t now_ns, bool is_last)
{
	return heart->sensor && !heart->is_over && (is_last || now_ns >= heart->due_ns);
}

struct sink_item sink_heart_beat(struct sink_heart *heart, const struct sink_heartbeat *heartbeat, uint64_t now_ns)
{
	int n = snprintf(heart->line, LINE_BYTES + strlen(heart->sensor),
			 "{\"heartbeat\":{\"sensor\":\"%s\",\"since\":%" PRIu64 ".%09" PRIu64 ",\"time\":%" PRIu64
			 ".%09" PRIu64 ",\"delivered\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"last\":%s}}",
			 heart->sensor, heart->since_ns / NS_PER_S, heart->since_ns % NS_PER_S,
			 heartbeat->time_ns / NS_PER_S, heartbeat->time_ns % NS_PER_S, heartbeat->delivered,
			 heartbeat->dropped, heartbeat->is_last ? "true" : "false");

	heart->due_ns = now_ns + heart->every_ns;
	heart->is_over = heartbeat->is_last;
	return (struct sink_item){.text = heart->line, .text_bytes = (size_t)n, .key = SINK_HEARTBEAT_KEY};
}
