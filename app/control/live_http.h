/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A live run's HTTP server: opens it where the config has it, and hands it what the run has counted. Called by
 * live_setup.c and live.c; without libmicrohttpd there is none.
 */
#ifndef WIRESCORE_CONTROL_LIVE_HTTP_H
#define WIRESCORE_CONTROL_LIVE_HTTP_H

#include "live_setup.h"

/* The library and its version, for people; NULL: this build has none. */
const char *live_http_library(void);

/* Listens, before rights are given up; then starts. What fails is told, and the run goes on without. */
void live_http_open(struct live *live);
void live_http_start(struct live *live);

/* The control core's, every few milliseconds while packets pass. */
void live_http_step(struct live *live);

/* Before workers are stopped: from then on the server looks at nothing of the run. */
void live_http_end(struct live *live);
void live_http_close(struct live *live);

#endif
