/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Capture files through libpcap: looked at as a whole before DPDK opens them, and read frame by frame by
 * the commands that need no dataplane (train, eval). Used by the control core only.
 */
#ifndef WIRESCORE_CAPTURE_H
#define WIRESCORE_CAPTURE_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "capture_time.h"
#include "control/progress.h"
#include "frame.h"
#include "packet.h"

/* Room for any line that these functions write into error: a path and what is wrong with it. */
#define CAPTURE_ERROR_BYTES (PATH_MAX + 512)

/* What a look at the whole file has told. */
struct capture_info {
	char *path;
	const char *format; /* "pcap", "pcap (ns)" or "pcapng" */
	int link_type;	    /* libpcap's DLT_ value */
	uint64_t n_packets;
	uint32_t max_captured_bytes; /* of the largest packet */
	/*
	 * Length on the wire of each packet that the PMD cannot tell, because the file snapped it or because it is
	 * too long for a 16-bit length; 0 for the others. [n_packets], or NULL where there is no such packet.
	 */
	uint32_t *wire_bytes;
	/* Where and why the file cannot be read to its end, one line that begins with the path; else NULL. */
	char *damage;
	struct capture_time time; /* where its clock jumps, and its latest time */
	struct stat status;	  /* which file it was, and when it was last changed */
};

/*
 * Reads a file from end to end. 0, or -1 with one line in error, that begins with the path, where not even
 * its header can be used. A file that breaks off later is good up to there: info->damage says so. Stops early
 * when *stop becomes true; progress is told how many of the file's bytes have been read.
 * capture_info_free releases what info holds.
 */
int capture_inspect(const char *path, struct capture_info *info, const atomic_bool *stop, struct progress *progress,
		    char *error, size_t error_size);
void capture_info_free(struct capture_info *info);

/*
 * Opens the file that was inspected, for the PMD to read. A descriptor, or -1 with one line in error when it
 * cannot be opened or is not the same file in the same state any more.
 */
int capture_reopen(const struct capture_info *info, char *error, size_t error_size);

/* Whether the open file has changed since its inspection. */
bool capture_has_changed(const struct capture_info *info, int fd);

/* libpcap's name of a link type without "DLT_", e.g. "LINUX_SLL". */
const char *capture_link_name(int link_type);

/* How the parser reads a link type. 0, or -1 where it cannot. */
int capture_link(int link_type, enum packet_link *link);

/* 0 where packet models can read frames of this link type, else -1 with one line in error that begins with path. */
int capture_check_ethernet(const char *path, int link_type, char *error, size_t error_size);

/* Whether a file begins as a capture does; false also where it cannot be read. */
bool capture_is_one(const char *path);

/* Opens a capture to be read frame by frame. 0, or -1 with one line in error that begins with the path. */
struct capture;
int capture_open(const char *path, struct capture **capture, char *error, size_t error_size);

/* The same, and refuses captures that packet models cannot read. */
int capture_open_ethernet(const char *path, struct capture **capture, char *error, size_t error_size);

/*
 * The next frame; its data stay valid until the next call. 1, 0 at the end, or -1 with one line in error
 * when the rest cannot be read (a file cut in the middle): what came before is good.
 */
int capture_next(struct capture *capture, struct frame *frame, char *error, size_t error_size);

/* Frees the capture. */
void capture_close(struct capture *capture);

#endif
