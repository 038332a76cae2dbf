/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the corpus that fuzz_csv.c begins with into a folder: a table of each format, with rows that are refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const struct {
	unsigned char setup;
	const char *text;
} seeds[] = {
	{0, "a,b,label\n1,2,benign\r\n3,-4.5e6,\"scan,\"\"x\"\"\"\n,nan,x\n1,inf,x\n\"un,1,2\n"},
	{1, "\xef\xbb\xbf,a\n0,1\n1,2\n"},
	{2, "src,n\n10.0.0.1,5\n00:11:22:33:44:55,6\n2020-01-02 03:04:05.5,7\n"},
	{3, "s,a,label\nx,1,benign\ny,2,scan-port\n\"z\nz\",3,scan-host\n"},
	{4, "s,b,Class\nx,1,normal\ny,2,scan-port\n"},
	{5,
	 "flow_id,src,dst,src_port,dst_port,protocol,vlan,start,end,slice,checkpoint,reason,capture,label,packets\n"
	 "aa,10.0.0.1,10.0.0.2,5,80,6,,100.5,107,0,end,fin,/x/one.pcap,benign,7\n"
	 "bb,10.0.0.2,10.0.0.1,80,5,6,,108,108,0,1,idle,two.pcap,scan-port,1\n"},
	{6,
	 "0,tcp,http,SF,1,2,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,8,8,0,0,0,0,1,0,0,255,255,1,0,0,0,0,0,0,0,normal,21\n"},
	{7,
	 "idx,eth_type,ip_ihl,tcp_seq,tcp_sport,tcp_dport,tcp_fields_options.MSS,label_value\n0,2048,5,1,2,3,,0\n"},
	{0, "avg_ipt,bytes_in,total_entropy,time_start,label\n1,2,3,159416823142178,outlier\n1,2,3,1,malicious\n"},
	{0,
	 "Flow ID,Src IP,Flow Duration,Flow IAT Mean,Timestamp,Label\nx,1,2,3,2017-07-07 12:59:21.5,DoS - Attempted\n"},
};

static void write_seed(const char *folder, size_t i, const char *form, const void *bytes, size_t n_bytes)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/table%02zu%s", folder, i, form);
	file = fopen(path, "wb");
	if (file == NULL || fputc(seeds[i].setup, file) == EOF || fwrite(bytes, 1, n_bytes, file) != n_bytes ||
	    fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

static void write_gzip_seed(const char *folder, size_t i)
{
	unsigned char bytes[4096];
	z_stream stream = {.next_in = (Bytef *)(size_t)seeds[i].text, .avail_in = (uInt)strlen(seeds[i].text)};

	/* 16 more: with the header of gzip. */
	if (deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		exit(1);
	stream.next_out = bytes;
	stream.avail_out = sizeof(bytes);
	if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
		exit(1);
	write_seed(folder, i, ".gz", bytes, stream.total_out);
	deflateEnd(&stream);
}

/* A zip file with a member "t" of "a,label\n1,x\n", stored. */
static void write_zip_seed(const char *folder)
{
	static const char zip[] = "PK\3\4\n\0\0\0\0\0\0\0\0\0"
				  "CRC_"
				  "\14\0\0\0\14\0\0\0\1\0\0\0t"
				  "a,label\n1,x\n"
				  "PK\1\2\24\0\n\0\0\0\0\0\0\0\0\0"
				  "CRC_"
				  "\14\0\0\0\14\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0t"
				  "PK\5\6\0\0\0\0\1\0\1\0\57\0\0\0\53\0\0\0\0\0";
	char bytes[sizeof(zip)];
	unsigned long crc = crc32(0, (const Bytef *)"a,label\n1,x\n", 12);

	memcpy(bytes, zip, sizeof(zip));
	for (size_t at = 0; at + 4 < sizeof(zip); at++)
		for (int i = 0; memcmp(zip + at, "CRC_", 4) == 0 && i < 4; i++)
			bytes[at + (size_t)i] = (char)(crc >> 8 * i);
	write_seed(folder, 0, ".zip", bytes, sizeof(zip) - 1);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
		write_seed(argv[1], i, ".csv", seeds[i].text, strlen(seeds[i].text));
		write_gzip_seed(argv[1], i);
	}
	write_zip_seed(argv[1]);
	return 0;
}
