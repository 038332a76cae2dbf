/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `wirescore train` can train. Each takes its own name in argv[0] and returns an exit code.
 */
#ifndef WIRESCORE_TRAIN_TASKS_H
#define WIRESCORE_TRAIN_TASKS_H

int train_packet_run(int argc, char **argv);
int train_flows_run(int argc, char **argv);

#endif
