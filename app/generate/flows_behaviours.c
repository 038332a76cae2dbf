/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of behaviours, made from services.def and behaviours.def. Read by flows_engine.c.
 */
#include "flows_behaviours.h"

#define US NS_PER_US
#define MS NS_PER_MS
#define S  NS_PER_S

#define SERVICE(id, name_, label_, weight_, groups_, kind, what_, ...) \
	static const struct service service_##id = {__VA_ARGS__};
#include "services.def"
#undef SERVICE

const struct behaviour behaviours[] = {
#define SERVICE(id, name_, label_, weight_, groups_, kind, what_, ...) \
	{.name = name_,                                                \
	 .label = label_,                                              \
	 .weight = weight_,                                            \
	 .groups = groups_,                                            \
	 .what = what_,                                                \
	 .plan = kind##_plan,                                          \
	 .step = kind##_step,                                          \
	 .service = &service_##id},
#include "services.def"
#undef SERVICE
#define BEHAVIOUR(id, name_, label_, weight_, groups_, what_) \
	{.name = name_,                                       \
	 .label = label_,                                     \
	 .weight = weight_,                                   \
	 .groups = groups_,                                   \
	 .what = what_,                                       \
	 .plan = id##_plan,                                   \
	 .step = id##_step},
#include "behaviours.def"
#undef BEHAVIOUR
};

const size_t n_behaviours = sizeof(behaviours) / sizeof(behaviours[0]);
