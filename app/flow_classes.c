/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_classes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "json_text.h"
#include "stats.h"

int flow_classes_name(struct model *model, uint32_t n, char ***json)
{
	static const char *const names[] = {"benign", "attack"};
	char numbers[STATS_MAX_FLOW_CLASSES][16];
	const char *numbered[STATS_MAX_FLOW_CLASSES];

	for (uint32_t i = 0; i < n; i++) {
		snprintf(numbers[i], sizeof(numbers[i]), "%u", i);
		numbered[i] = n == 2 ? names[i] : numbers[i];
	}
	if (!model->n_classes && model_set_classes(model, numbered, n))
		return -ENOMEM;
	*json = calloc(n, sizeof(**json));
	for (uint32_t i = 0; *json && i < n; i++) {
		(*json)[i] = json_quoted(model->classes[i]);
		if (!(*json)[i])
			return -ENOMEM;
	}
	return *json ? 0 : -ENOMEM;
}

void flow_classes_free(char **json, uint32_t n)
{
	for (uint32_t i = 0; json && i < n; i++)
		free(json[i]);
	free(json);
}
