/* SPDX-License-Identifier: BSD-3-Clause */
#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "same_file.h"

/* How often the progress of an inspection is told. */
#define CAPTURE_PROGRESS_PACKETS 65536

struct capture {
	pcap_t *pcap;
	char *path;
	const char *format;
	uint64_t n_packets;
};

/* Formats by their first four bytes, in file order. */
static const struct {
	uint8_t magic[4];
	const char *format;	 /* NULL: not one that libpcap reads */
	const char *how_to_mend; /* where format is NULL */
} formats[] = {
	{{0xd4, 0xc3, 0xb2, 0xa1}, "pcap", NULL},
	{{0xa1, 0xb2, 0xc3, 0xd4}, "pcap", NULL},
	{{0x4d, 0x3c, 0xb2, 0xa1}, "pcap (ns)", NULL},
	{{0xa1, 0xb2, 0x3c, 0x4d}, "pcap (ns)", NULL},
	{{0x34, 0xcd, 0xb2, 0xa1}, "pcap (modified)", NULL},
	{{0xa1, 0xb2, 0xcd, 0x34}, "pcap (modified)", NULL},
	{{0x0a, 0x0d, 0x0d, 0x0a}, "pcapng", NULL},
	{{0x1f, 0x8b, 0x08, 0x00}, NULL, "is compressed; run gunzip on it first"},
	{{0x1f, 0x8b, 0x08, 0x08}, NULL, "is compressed; run gunzip on it first"},
	{{0x28, 0xb5, 0x2f, 0xfd}, NULL, "is compressed; run unzstd on it first"},
	{{0xfd, 0x37, 0x7a, 0x58}, NULL, "is compressed; run unxz on it first"},
};

/*
 * Opens a regular file that begins as a capture does. Not a pipe: captures are read twice, once to be looked
 * at, once by the PMD.
 */
static FILE *capture_fopen(const char *path, const char **format, char *error, size_t error_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t magic[4];
	struct stat st;
	ssize_t n;
	FILE *file;

	if (fd < 0) {
		snprintf(error, error_size, "%s: cannot be opened: %s", path, strerror(errno));
		return NULL;
	}
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		snprintf(error, error_size, "%s: is %s; a capture file is needed", path,
			 S_ISDIR(st.st_mode) ? "a directory" : "not a regular file");
		goto refuse;
	}
	n = pread(fd, magic, sizeof(magic), 0);
	if (n < (ssize_t)sizeof(magic)) {
		if (n < 0)
			snprintf(error, error_size, "%s: cannot be read: %s", path, strerror(errno));
		else
			snprintf(error, error_size, "%s: is %s; not a capture", path, n ? "too short" : "empty");
		goto refuse;
	}
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (memcmp(magic, formats[i].magic, sizeof(magic)))
			continue;
		if (!formats[i].format) {
			snprintf(error, error_size, "%s: %s", path, formats[i].how_to_mend);
			goto refuse;
		}
		*format = formats[i].format;
		file = fdopen(fd, "rb");
		if (file)
			return file;
		snprintf(error, error_size, "%s: cannot be opened: %s", path, strerror(errno));
		goto refuse;
	}
	snprintf(error, error_size, "%s: is not a pcap or pcapng capture", path);
refuse:
	close(fd);
	return NULL;
}

bool capture_is_one(const char *path)
{
	char error[CAPTURE_ERROR_BYTES];
	const char *format;
	FILE *file = capture_fopen(path, &format, error, sizeof(error));

	if (!file)
		return false;
	fclose(file);
	return true;
}

int capture_open(const char *path, struct capture **capture, char *error, size_t error_size)
{
	char reason[PCAP_ERRBUF_SIZE];
	struct capture *c = calloc(1, sizeof(*c));
	FILE *file;

	if (!c || !(c->path = strdup(path))) {
		snprintf(error, error_size, "%s: out of memory", path);
		goto fail;
	}
	file = capture_fopen(path, &c->format, error, error_size);
	if (!file)
		goto fail;
	c->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, reason);
	if (!c->pcap) {
		snprintf(error, error_size, "%s: %s", path, reason);
		fclose(file);
		goto fail;
	}
	*capture = c;
	return 0;
fail:
	if (c)
		free(c->path);
	free(c);
	return -1;
}

int capture_check_ethernet(const char *path, int link_type, char *error, size_t error_size)
{
	if (link_type == DLT_EN10MB)
		return 0;
	snprintf(error, error_size, "%s: link type %s has no Ethernet header; packet models need one", path,
		 capture_link_name(link_type));
	return -1;
}

int capture_open_ethernet(const char *path, struct capture **capture, char *error, size_t error_size)
{
	if (capture_open(path, capture, error, error_size))
		return -1;
	if (capture_check_ethernet(path, pcap_datalink((*capture)->pcap), error, error_size)) {
		capture_close(*capture);
		return -1;
	}
	return 0;
}

/*
 * Where the packet behind the n-th begins, or -1. Found by reading again, so that files that are whole pay
 * nothing for it.
 */
static long capture_offset_after(const char *path, uint64_t n)
{
	char error[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *header;
	const u_char *data;
	pcap_t *pcap = pcap_open_offline(path, error);
	long offset;

	if (!pcap)
		return -1;
	while (n && pcap_next_ex(pcap, &header, &data) == 1)
		n--;
	offset = n ? -1 : ftell(pcap_file(pcap));
	pcap_close(pcap);
	return offset;
}

int capture_next(struct capture *capture, struct frame *frame, char *error, size_t error_size)
{
	struct pcap_pkthdr *header;
	const u_char *data;
	int rc = pcap_next_ex(capture->pcap, &header, &data);

	if (rc == PCAP_ERROR_BREAK)
		return 0;
	if (rc != 1) {
		snprintf(error, error_size,
			 "%s: packet %" PRIu64 " at offset %ld: %s; the %" PRIu64 " packets before it are whole",
			 capture->path, capture->n_packets + 1,
			 capture_offset_after(capture->path, capture->n_packets), pcap_geterr(capture->pcap),
			 capture->n_packets);
		return -1;
	}
	capture->n_packets++;
	frame->data = data;
	frame->captured_bytes = header->caplen;
	frame->wire_bytes = header->len;
	/* tv_usec holds nanoseconds: the file was opened so. */
	frame->timestamp_ns = FRAME_NO_TIME;
	/* Files can say more than a second's worth, which libpcap makes negative. */
	if ((uint64_t)header->ts.tv_sec < FRAME_NO_TIME / 1000000000u && header->ts.tv_usec >= 0)
		frame->timestamp_ns = (uint64_t)header->ts.tv_sec * 1000000000u + (uint64_t)header->ts.tv_usec;
	return 1;
}

void capture_close(struct capture *capture)
{
	if (!capture)
		return;
	pcap_close(capture->pcap);
	free(capture->path);
	free(capture);
}

/* Keeps one packet's length on the wire. Called from the first packet on that needs it. */
static int capture_keep_wire_bytes(struct capture_info *info, uint64_t *n_allocated, uint32_t wire_bytes)
{
	if (info->n_packets >= *n_allocated) {
		uint64_t n = info->n_packets < 512 ? 1024 : 2 * info->n_packets;
		/* calloc, because most of a large array stays untouched zeros. */
		uint32_t *grown = calloc(n, sizeof(*grown));

		if (!grown)
			return -1;
		if (info->wire_bytes)
			memcpy(grown, info->wire_bytes, info->n_packets * sizeof(*grown));
		free(info->wire_bytes);
		info->wire_bytes = grown;
		*n_allocated = n;
	}
	info->wire_bytes[info->n_packets] = wire_bytes;
	return 0;
}

int capture_inspect(const char *path, struct capture_info *info, const atomic_bool *stop, struct progress *progress,
		    char *error, size_t error_size)
{
	char damage[CAPTURE_ERROR_BYTES] = "";
	uint64_t n_allocated = 0;
	struct capture *capture;
	struct frame frame;
	int rc = -1, left;

	memset(info, 0, sizeof(*info));
	if (capture_open(path, &capture, error, error_size))
		return -1;
	info->path = strdup(path);
	info->format = capture->format;
	info->link_type = pcap_datalink(capture->pcap);
	if (!info->path || fstat(fileno(pcap_file(capture->pcap)), &info->status))
		goto out_of_memory;
	while ((left = capture_next(capture, &frame, damage, sizeof(damage))) == 1) {
		bool is_odd = frame.captured_bytes != frame.wire_bytes || frame.captured_bytes > UINT16_MAX;

		if ((is_odd || info->wire_bytes) &&
		    capture_keep_wire_bytes(info, &n_allocated, is_odd ? frame.wire_bytes : 0))
			goto out_of_memory;
		if (capture_time_count(&info->time, frame.timestamp_ns))
			goto out_of_memory;
		info->n_packets++;
		if (frame.captured_bytes > info->max_captured_bytes)
			info->max_captured_bytes = frame.captured_bytes;
		if (info->n_packets % CAPTURE_PROGRESS_PACKETS == 0) {
			progress_update(progress, (uint64_t)ftell(pcap_file(capture->pcap)),
					(uint64_t)info->status.st_size);
			if (atomic_load(stop))
				break;
		}
	}
	info->damage = left < 0 ? strdup(damage) : NULL;
	if ((left < 0 && !info->damage) || capture_time_finish(&info->time))
		goto out_of_memory;
	rc = 0;
out_of_memory:
	if (rc) {
		snprintf(error, error_size, "%s: out of memory after %" PRIu64 " packets", path, info->n_packets);
		capture_info_free(info);
	}
	capture_close(capture);
	return rc;
}

void capture_info_free(struct capture_info *info)
{
	free(info->path);
	free(info->wire_bytes);
	free(info->damage);
	capture_time_free(&info->time);
	memset(info, 0, sizeof(*info));
}

bool capture_has_changed(const struct capture_info *info, int fd)
{
	struct stat now;

	return fstat(fd, &now) || !is_same_file(&now, &info->status) || now.st_size != info->status.st_size ||
	       now.st_mtim.tv_sec != info->status.st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != info->status.st_mtim.tv_nsec;
}

int capture_reopen(const struct capture_info *info, char *error, size_t error_size)
{
	int fd = open(info->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		snprintf(error, error_size, "%s: cannot be opened again: %s", info->path, strerror(errno));
		return -1;
	}
	if (capture_has_changed(info, fd)) {
		snprintf(error, error_size, "%s: was changed after it was looked at; run again when it rests",
			 info->path);
		close(fd);
		return -1;
	}
	return fd;
}

const char *capture_link_name(int link_type)
{
	static char number[24];
	const char *name = pcap_datalink_val_to_name(link_type);

	if (name)
		return name;
	snprintf(number, sizeof(number), "%d", link_type);
	return number;
}

int capture_link(int link_type, enum packet_link *link)
{
	static const struct {
		int link_type;
		enum packet_link link;
	} links[] = {
		{DLT_EN10MB, PACKET_LINK_ETHERNET}, {DLT_RAW, PACKET_LINK_RAW},
		{DLT_IPV4, PACKET_LINK_IPV4},	    {DLT_IPV6, PACKET_LINK_IPV6},
		{DLT_NULL, PACKET_LINK_NULL},	    {DLT_LOOP, PACKET_LINK_NULL},
		{DLT_LINUX_SLL, PACKET_LINK_SLL},   {DLT_LINUX_SLL2, PACKET_LINK_SLL2},
		{DLT_PPP, PACKET_LINK_PPP},	    {DLT_PPP_SERIAL, PACKET_LINK_PPP},
	};

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (links[i].link_type == link_type) {
			*link = links[i].link;
			return 0;
		}
	}
	return -1;
}
