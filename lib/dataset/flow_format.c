/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Our own table and public ones as they are published. Called by flow_csv.c.
 *
 * CICIDS2017: Sharafaldin, Lashkari and Ghorbani (2018), labels improved by Liu, Engelen and others (2022).
 * NSL-KDD: Tavallaee and others (2009). LUFlow: Mills and others, Lancaster University (2020). AntiNex: the tables
 * of the network-pipeline project, one row a packet.
 */
#include "flow_format.h"

#include <string.h>
#include <strings.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char how[] = "how the row was made", identity[] = "part of what identifies the flow", text[] = "text",
		  verdict[] = "label", key[] = "row number";

static const struct flow_column wirescore_columns[] = {
	{"protocol", identity, FLOW_COLUMN_PROTOCOL},
	{"vlan", identity, FLOW_COLUMN_NONE},
	{"slice", how, FLOW_COLUMN_NONE},
	{"checkpoint", how, FLOW_COLUMN_CHECKPOINT},
	{"reason", how, FLOW_COLUMN_REASON},
};

/* Attempts without effect: neither attack nor benign, say those who corrected the labels. */
static const char *const cicids2017_ignored[] = {"* - Attempted"};

static const char *const nslkdd_head[] = {
	"duration",
	"protocol_type",
	"service",
	"flag",
	"src_bytes",
	"dst_bytes",
	"land",
	"wrong_fragment",
	"urgent",
	"hot",
	"num_failed_logins",
	"logged_in",
	"num_compromised",
	"root_shell",
	"su_attempted",
	"num_root",
	"num_file_creations",
	"num_shells",
	"num_access_files",
	"num_outbound_cmds",
	"is_host_login",
	"is_guest_login",
	"count",
	"srv_count",
	"serror_rate",
	"srv_serror_rate",
	"rerror_rate",
	"srv_rerror_rate",
	"same_srv_rate",
	"diff_srv_rate",
	"srv_diff_host_rate",
	"dst_host_count",
	"dst_host_srv_count",
	"dst_host_same_srv_rate",
	"dst_host_diff_srv_rate",
	"dst_host_same_src_port_rate",
	"dst_host_srv_diff_host_rate",
	"dst_host_serror_rate",
	"dst_host_srv_serror_rate",
	"dst_host_rerror_rate",
	"dst_host_srv_rerror_rate",
	"label",
	"difficulty",
};

static const struct flow_column nslkdd_columns[] = {
	{"protocol_type", NULL, FLOW_COLUMN_SYMBOLIC},
	{"service", NULL, FLOW_COLUMN_SYMBOLIC},
	{"flag", NULL, FLOW_COLUMN_SYMBOLIC},
	{"difficulty", verdict, FLOW_COLUMN_NONE}, /* how many classifiers got the row right */
};

static const char *const luflow_ignored[] = {"outlier"};

/* The layers' numbers are keys between that project's tables, and empty; a table has those of the layers it met. */
static const struct flow_column antinex_columns[] = {
	{"arp_id", key, FLOW_COLUMN_NONE},
	{"dns_id", key, FLOW_COLUMN_NONE},
	{"eth_id", key, FLOW_COLUMN_NONE},
	{"icmp_id", key, FLOW_COLUMN_NONE},
	{"ipvsix_id", key, FLOW_COLUMN_NONE},
	{"pad_id", key, FLOW_COLUMN_NONE},
	{"raw_id", key, FLOW_COLUMN_NONE},
	{"tcp_id", key, FLOW_COLUMN_NONE},
	{"udp_id", key, FLOW_COLUMN_NONE},
	{"raw_load", text, FLOW_COLUMN_NONE},
	{"raw_hex_field_load", text, FLOW_COLUMN_NONE},
	{"pad_load", text, FLOW_COLUMN_NONE},
};

static const struct flow_format formats[] = {
	{
		.name = "wirescore",
		.help = "rows of `wirescore extract`",
		.signs = {"flow_id", "src", "dst", "checkpoint", "reason"},
		.label = "label",
		.columns = wirescore_columns,
		.n_columns = COUNT(wirescore_columns),
		.is_late = true,
	},
	{
		.name = "cicids2017",
		.help = "CICIDS2017 with improved labels, and other tables of CICFlowMeter",
		.signs = {"Flow ID", "Src IP", "Flow Duration", "Flow IAT Mean", "Label"},
		.label = "Label",
		.ignored = {cicids2017_ignored, COUNT(cicids2017_ignored)},
	},
	{
		.name = "nslkdd",
		.help = "NSL-KDD: no header; words become a column for each value",
		.head = {nslkdd_head, COUNT(nslkdd_head)},
		.label = "label",
		.columns = nslkdd_columns,
		.n_columns = COUNT(nslkdd_columns),
	},
	{
		.name = "luflow",
		.help = "LUFlow: benign, malicious and outliers",
		.signs = {"avg_ipt", "bytes_in", "total_entropy", "time_start", "label"},
		.label = "label",
		.ignored = {luflow_ignored, COUNT(luflow_ignored)},
		.has_short_times = true,
	},
	{
		.name = "antinex",
		.help = "AntiNex and network-pipeline: a row a packet, -1 where a field is missing",
		.signs = {"idx", "eth_type", "ip_ihl", "tcp_seq", "tcp_fields_options.MSS"},
		.label = "label_value",
		.columns = antinex_columns,
		.n_columns = COUNT(antinex_columns),
		.has_missing = true,
		.missing = -1,
	},
	{
		.name = "generic",
		.help = "any table with a header and a column of labels",
	},
};

const struct flow_format *flow_format_at(uint32_t index)
{
	return index < COUNT(formats) ? &formats[index] : NULL;
}

const struct flow_format *flow_format_find(const char *name)
{
	for (size_t i = 0; i < COUNT(formats); i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}

static bool has_field(char *const *fields, uint32_t n, const char *name)
{
	for (uint32_t i = 0; i < n; i++)
		if (strcmp(fields[i], name) == 0)
			return true;
	return false;
}

static bool has_signs(const struct flow_format *format, char *const *fields, uint32_t n)
{
	for (uint32_t i = 0; i < FLOW_FORMAT_MAX_SIGNS && format->signs[i] != NULL; i++)
		if (!has_field(fields, n, format->signs[i]))
			return false;
	return format->signs[0] != NULL;
}

/* A first row of NSL-KDD, with or without the last column. */
static bool is_nslkdd(char *const *fields, uint32_t n)
{
	return (n == COUNT(nslkdd_head) || n == COUNT(nslkdd_head) - 1) &&
	       (strcmp(fields[1], "tcp") == 0 || strcmp(fields[1], "udp") == 0 || strcmp(fields[1], "icmp") == 0);
}

const struct flow_format *flow_format_guess(char *const *fields, uint32_t n)
{
	if (is_nslkdd(fields, n))
		return flow_format_find("nslkdd");
	for (size_t i = 0; i < COUNT(formats); i++)
		if (has_signs(&formats[i], fields, n))
			return &formats[i];
	return &formats[COUNT(formats) - 1];
}

const struct flow_column *flow_format_column(const struct flow_format *format, const char *name)
{
	for (uint32_t i = 0; i < format->n_columns; i++)
		if (strcmp(format->columns[i].pattern, name) == 0)
			return &format->columns[i];
	return flow_column_find(name);
}
