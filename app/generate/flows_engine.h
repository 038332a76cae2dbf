/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the parts of the flow generator share: hosts, dialogues, sessions, activities, and the engine that holds them.
 * Only for flows_*.c; callers see flows.h.
 *
 * Times inside are nanoseconds since the capture's start. Direction 0 is from the client to the server.
 */
#ifndef WIRESCORE_GENERATE_FLOWS_ENGINE_H
#define WIRESCORE_GENERATE_FLOWS_ENGINE_H

#include "draw.h"
#include "flows.h"

#define NS_PER_US   UINT64_C(1000)
#define NS_PER_MS   UINT64_C(1000000)
#define NS_PER_S    UINT64_C(1000000000)
#define FLOWS_NEVER UINT64_MAX

#define FLOWS_MOST_SESSIONS   (1u << 16)
#define FLOWS_MOST_ACTIVITIES 512
#define FLOWS_NOISE_BYTES     (1u << 17)
#define FLOWS_QUEUE	      10 /* packets that a session has planned */

enum { PROTOCOL_ICMP = 1, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, PROTOCOL_ESP = 50 };
enum { PROTOCOL_ICMPV6 = 58 };
enum {
	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_PSH = 8,
	TCP_ACK = 16,
	TCP_URG = 32,
	TCP_ECE = 64,
	TCP_CWR = 128
};
enum { ICMP_TIMESTAMP = 13, ICMP_INFORMATION = 15, ICMP_MASK = 17 };

/* How an operating system or a tool shapes its packets. */
struct stack {
	uint8_t hops;	/* initial TTL */
	uint8_t layout; /* of SYN's options: enum stack_layout */
	uint8_t window_shift;
	bool has_timestamps;
	uint16_t window; /* of SYN */
	uint16_t mss;
	uint16_t port_low, port_high; /* ephemeral */
};

enum stack_layout { STACK_BARE, STACK_MSS, STACK_SACK, STACK_LINUX, STACK_WINDOWS, STACK_BSD };

/* Stacks of machines, then those that only crafted packets have. */
extern const struct stack stacks[];
extern const uint32_t n_host_stacks, n_stacks;

struct host {
	uint32_t ipv4;
	bool has_ipv6, is_inside;
	uint8_t ttl;   /* as seen at the capture */
	uint8_t stack; /* of stacks */
	uint16_t next_port;
	uint16_t vlan;
	uint64_t ipv6[2];
	uint64_t mac;	 /* of itself or of the router before it */
	uint32_t lag_ns; /* from the capture to it and back */
	uint32_t gap_ns; /* between full-sized packets of its access line */
};

/* One end of a session. */
struct party {
	uint8_t address[16];
	uint64_t mac;
	uint16_t port;
	uint16_t vlan;
	uint8_t ttl, stack;
	uint32_t lag_ns, gap_ns;
};

/* How a session begins, in order of struct dialogue's shares. */
enum outcome {
	OUTCOME_REFUSED,     /* TCP: RST; UDP: ICMP port unreachable */
	OUTCOME_SILENT,	     /* no answer, retries */
	OUTCOME_UNREACHABLE, /* ICMP host unreachable or prohibited */
	OUTCOME_HALF_OPEN,   /* TCP: SYN-ACK is not taken up and sent again */
	OUTCOME_PROBED,	     /* TCP: RST follows the SYN-ACK */
	OUTCOME_CRASHED,     /* TCP: accepted, then reset by the server at once */
	OUTCOME_LATE,	     /* the first packet is answered when it has come more than once */
	N_OUTCOME_SHARES,
	OUTCOME_ANSWERED = N_OUTCOME_SHARES,
};

/* How a TCP session ends, in order of struct dialogue's shares; the rest by the client's FIN. */
enum ending {
	ENDING_SERVER_FIN,
	ENDING_CLIENT_RST, /* instead of FIN */
	ENDING_SERVER_RST,
	ENDING_FIN_THEN_RST, /* the client's FIN, and its RST for what still comes */
	ENDING_NONE,	     /* goes silent */
	N_ENDING_SHARES,
	ENDING_CLIENT_FIN = N_ENDING_SHARES,
};

/* What the two ends of a session say: sizes in bytes, times in ns. Drawn for each activity, constant thereafter. */
struct dialogue {
	uint8_t protocol;
	uint8_t probe_flags;			      /* TCP: of the first packet; TCP_SYN */
	bool has_tls;				      /* a handshake of TLS's sizes comes first */
	bool has_key_exchange;			      /* one of SSH's */
	bool no_reply;				      /* rounds are requests alone */
	bool from_server;			      /* ... of the server */
	bool gives_up;				      /* ... after any number of retries */
	bool has_even_retries;			      /* they do not double */
	uint8_t n_retries;			      /* of a silent peer */
	uint8_t icmp_type;			      /* of ICMP requests; 0: echo */
	uint8_t verdict_rounds;			      /* the last of so many waits for verdict; 0: none */
	uint16_t datagram_bytes;		      /* UDP: longest payload; 0: 1200 */
	uint16_t fragment_bytes;		      /* UDP: of 8; 0: 1480 */
	uint16_t outcome_per_mille[N_OUTCOME_SHARES]; /* the rest is answered */
	uint16_t ending_per_mille[N_ENDING_SHARES];
	uint16_t insists_per_mille;    /* TCP: refused, it tries again */
	uint16_t lost_reply_per_mille; /* of UDP and ICMP rounds */
	struct dist probe;    /* TCP: payload of the first packet; UDP: the first request; median 0: as all */
	struct dist greeting; /* the server speaks first; median 0: it does not */
	struct dist rounds, request, response, think, serve;
	struct dist verdict;   /* how long a refused login's answer takes */
	uint64_t retry_ns;     /* before the first retry, which doubles; 0: 1 s */
	uint64_t keepalive_ns; /* TCP: empty segments in silences of this length; 0: none */
	uint64_t pace_ns;      /* between packets of a turn at least */
};

struct packet_due {
	uint64_t time_ns;
	uint16_t n_bytes; /* payload */
	uint8_t flags;	  /* TCP */
	uint8_t kind;	  /* enum packet_kind and direction */
};

enum packet_kind {
	PACKET_BACK = 1,      /* direction 1 */
	PACKET_AGAIN = 2,     /* sent before: sequence numbers of the last */
	PACKET_KEEPALIVE = 4, /* one byte behind */
	PACKET_ERROR = 8,     /* ICMP error from the server, quoting the client's packet; flags is the code */
};

struct session {
	struct party ends[2];
	const struct dialogue *dialogue;
	uint64_t next_ns; /* when it plans on; FLOWS_NEVER: when the queue is empty it is over */
	uint32_t activity;
	uint32_t sequence[2];
	uint32_t rounds_left;
	uint32_t turn_left; /* bytes of the turn that is going on */
	uint32_t gap_ns;    /* between its packets */
	uint32_t loss_q16;  /* of data packets */
	uint32_t delack_ns; /* how long an acknowledgement may wait */
	uint16_t mss, window_cap, burst_left, identification[2];
	uint8_t phase, turn, step, outcome, ending;
	uint8_t hidden; /* bit 0, 1: the direction is not seen; HIDDEN_FIRST: nor is the first packet */
	uint8_t n_unacked, retries, n_retries, probe_flags;
	bool is_ipv6, has_timestamps, is_counted;
	bool is_midway;	     /* it began before the capture did */
	bool has_begun;	     /* a request has gone */
	bool has_empty_turn; /* a datagram without payload is due */
	uint8_t n_queued;
	struct packet_due queue[FLOWS_QUEUE];
};

#define HIDDEN_FIRST 4

struct behaviour;

#define ACTIVITY_PEERS	   320
#define ACTIVITY_ATTACKERS 16
#define ACTIVITY_DIALOGUES 5
#define ACTIVITY_STATES	   8
#define NO_HOST		   UINT16_MAX

/* A behaviour at work. Written by its plan; peers are indices of hosts. */
struct activity {
	const struct behaviour *behaviour;
	struct dialogue dialogue;
	struct dialogue others[ACTIVITY_DIALOGUES]; /* of behaviours that say more than one thing */
	struct dist gap;			    /* between its sessions */
	uint64_t start_ns, end_ns;
	uint64_t flows_left;   /* sessions that it may still start */
	uint64_t packets_most; /* behind them its sessions come to their ends */
	uint32_t n_clients, n_servers;
	uint16_t clients[ACTIVITY_PEERS], servers[ACTIVITY_PEERS];
	uint16_t n_ports, ports[16];
	uint32_t n_batch;      /* sessions at a time, at most */
	uint64_t spread_ns;    /* between them */
	uint64_t outage_ns[2]; /* from, until: the server is down */
	int outage_outcome;
	bool is_ipv6;	   /* of attacks */
	bool has_own_port; /* clients use the server's */
	bool is_standing;  /* its sessions are open from the beginning */
	/* Of attacks. */
	uint32_t block, block_bits; /* addresses: block and 2^block_bits of them */
	uint32_t next, step;	    /* of a walk through targets */
	uint32_t state[ACTIVITY_STATES];
	struct party attackers[ACTIVITY_ATTACKERS];
	uint16_t attacker_hosts[ACTIVITY_ATTACKERS]; /* NO_HOST: nobody else's address */
	uint32_t n_attackers;
	struct party home; /* whom infected hosts call */
	uint8_t style, hidden;
	uint64_t n_flows, n_packets, first_ns, last_ns;
};

struct behaviour {
	const char *name, *label, *groups, *what;
	uint32_t weight;
	/* Draws the activity's parameters. false where the site has no hosts for it. */
	bool (*plan)(struct flows *flows, struct activity *activity);
	/* Starts sessions at now; returns when to be called again. */
	uint64_t (*step)(struct flows *flows, struct activity *activity, uint64_t now_ns);
	const struct service *service; /* of plan_service */
};

struct heap_entry {
	uint64_t time_ns;
	uint64_t order; /* ties are broken by who came first */
	uint32_t who;	/* session, or HEAP_ACTIVITY and activity */
};
#define HEAP_ACTIVITY 0x80000000u

struct flows {
	struct flows_options options;
	struct random random;
	uint64_t epoch_ns, duration_ns;
	/* Of the site. */
	uint32_t n_inside, n_outside;
	struct host hosts[FLOWS_MOST_HOSTS + 2048]; /* inside, then outside */
	uint64_t router_mac;
	uint32_t one_way_per_mille, one_way_side; /* side 2: either */
	uint32_t ipv6_per_mille, loss_q16, open_per_mille;
	uint32_t vlan_mode;
	uint32_t attack_blocks; /* handed out */
	bool is_single;		/* one application is all there is */
	/* At work. */
	struct activity activities[FLOWS_MOST_ACTIVITIES];
	uint32_t n_activities;
	struct session *sessions; /* [FLOWS_MOST_SESSIONS] */
	uint32_t *free_sessions;
	uint32_t n_free;
	struct heap_entry *heap;
	uint32_t n_heap;
	uint64_t now_ns, n_ordered, n_skipped, n_written;
	struct flows_rule *rules;
	uint32_t n_rules, n_rules_room;
	flows_sink *sink;
	void *context;
	int failed;
	/* Payloads: noise, and the sums of its 16-bit words up to each of them. */
	uint8_t noise[FLOWS_NOISE_BYTES];
	uint64_t noise_sums[FLOWS_NOISE_BYTES / 2 + 1];
	uint32_t noise_at;
	uint8_t packet[FLOWS_MOST_SNAP + 256];
};

/* flows_hosts.c */
void hosts_draw(struct flows *flows);
struct party host_party(struct flows *flows, uint32_t host, bool is_ipv6);
/* Somewhere outside that nobody else is: hops, lag and all drawn. */
struct party stranger_party(struct flows *flows, uint32_t ipv4);
uint32_t stranger_address_draw(struct random *random);
uint16_t host_port_draw(struct flows *flows, uint32_t host);
bool port_is_tunnel(uint16_t port);
uint32_t hosts_block_draw(struct flows *flows, bool is_inside, uint32_t n_bits);
void party_set_ipv4(struct party *party, uint32_t ipv4);

/* flows_rules.c: 0 or -ENOMEM. Sides: NULL is any address; bits of 32 or 128. */
int rules_add(struct flows *flows, const struct flows_rule *rule);
const char *rules_find(const struct flows *flows, const struct party ends[2], uint8_t protocol);

/* flows_packet.c: writes the session's packet to the sink at time_ns. */
void packet_write(struct flows *flows, struct session *session, const struct packet_due *due);
void noise_fill(struct flows *flows);

/* flows_session.c */
struct session_spec {
	struct activity *activity;
	struct party ends[2];
	uint64_t start_ns;
	const struct dialogue *dialogue; /* NULL: the activity's */
	bool is_ipv6, is_open;
	int outcome;	     /* enum outcome, or -1: drawn from the dialogue */
	uint8_t probe_flags; /* 0: the dialogue's */
	uint8_t hidden;
};
/* False where it cannot be: no room, or not this label's addresses. */
bool session_start(struct flows *flows, const struct session_spec *spec);
void session_step(struct flows *flows, uint32_t index);

/* flows_engine.c */
void flows_schedule(struct flows *flows, uint64_t time_ns, uint32_t who);

/* flows_service.c */
bool service_plan(struct flows *flows, struct activity *activity);
uint64_t service_step(struct flows *flows, struct activity *activity, uint64_t now_ns);

#endif
