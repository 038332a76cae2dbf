/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What each sink's file hands to the table in sink_drivers.c.
 */
#ifndef WIRESCORE_CONTROL_SINK_DRIVERS_H
#define WIRESCORE_CONTROL_SINK_DRIVERS_H

#include "sink.h"

extern const struct sink_driver sink_file_driver;
extern const struct sink_driver sink_redis_driver;
extern const struct sink_driver sink_rabbitmq_driver;
extern const struct sink_driver sink_kafka_driver;
extern const struct sink_driver sink_ipfix_driver;

#endif
