/* SPDX-License-Identifier: BSD-3-Clause */
#include "engines.h"

#include <errno.h>

int engines_create(struct classifier_options options, const struct flow_engine_options *flows, uint32_t n_workers,
		   struct flow_engine **flow_engine, struct classifier **classifier)
{
	if (flows) {
		struct flow_engine_options own = *flows;
		int rc;

		own.stats = options.stats;
		own.context.n_workers = n_workers;
		rc = flow_engine_create(&own, flow_engine);
		if (rc)
			return rc;
		options.flow_engine = *flow_engine;
	}
	*classifier = classifier_create(&options);
	return *classifier ? 0 : -ENOMEM;
}
