/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `wirescore generate` can generate. Each takes its own name in argv[0] and returns an exit code.
 */
#ifndef WIRESCORE_GENERATE_H
#define WIRESCORE_GENERATE_H

int generate_flows(int argc, char **argv);
int generate_packets(int argc, char **argv);

#endif
