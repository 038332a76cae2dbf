/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of behaviours, and what their files share. Only for flows_*.c.
 */
#ifndef WIRESCORE_GENERATE_FLOWS_BEHAVIOURS_H
#define WIRESCORE_GENERATE_FLOWS_BEHAVIOURS_H

#include "flows_engine.h"

#define SERVICE_PORTS 8

/* Clients that talk to servers: services.def. */
struct service {
	uint16_t ports[SERVICE_PORTS]; /* one is drawn for each activity */
	uint8_t protocol;	       /* 0: TCP, or UDP with is_udp */
	bool is_udp;
	/* i: inside, o: outside, a: either, x: strangers outside without number, m: groups of the network */
	char from, to;
	struct dist gap;		  /* between the starts of sessions */
	uint16_t batch, clients, servers; /* at most */
	uint16_t batch_least;		  /* 0: 1 */
	uint64_t spread_ns;		  /* between the sessions of a batch; 0: 2 ms */
	/* Per mille: sessions last, clients use the server's port, the port is any. */
	uint16_t is_standing, own_port, any_port;
	uint16_t has_outage; /* per mille: the server is down, or restarts, for a while */
	bool is_each;	     /* one session for each client and server */
	bool is_round_robin; /* servers by turns */
	bool is_port_each;   /* every server has a port of its own */
	bool is_midway;	     /* sessions began before the capture */
	bool is_one_port;    /* the client has one port for all */
	bool is_one_target;  /* all of a batch go to the same server */
	bool is_all_ports;   /* every session draws one of ports */
	struct dialogue talk;
};

extern const struct behaviour behaviours[];
extern const size_t n_behaviours;

/* flows_service.c */
void service_draw_dialogue(struct flows *flows, struct activity *activity, const struct service *service);
uint16_t service_port_draw(struct flows *flows, const struct service *service);
uint16_t high_port_draw(struct flows *flows);
/* Up to n_most hosts of a place (struct service). False where it has none. */
bool service_draw_hosts(struct flows *flows, char place, uint32_t n_most, uint16_t *hosts, uint32_t *n);

/*
 * flows_attack.c: who attacks, and the rules that say so. An attacker is an infected host, which goes on with what else
 * it does, or one that nobody else talks to.
 */
void attack_draw_attackers(struct flows *flows, struct activity *activity, uint32_t n_most, bool from_outside);
void attack_draw_victims(struct flows *flows, struct activity *activity, uint32_t n_most);
void attack_draw_version(struct flows *flows, struct activity *activity);
/* The k-th victim. */
struct party attack_victim_party(struct flows *flows, const struct activity *activity, uint32_t k);
/* For all attackers and victims; ports 0: any; protocol 0: any. */
void attack_add_rules(struct flows *flows, struct activity *activity, uint8_t protocol, uint16_t port);
/* For all attackers and a block of addresses (bits 32: all there are). */
void attack_add_block_rule(struct flows *flows, struct activity *activity, uint8_t protocol, uint16_t port);
/* From the block to the victims. */
void attack_add_source_rule(struct flows *flows, struct activity *activity, uint8_t protocol);
uint64_t attack_draw_gap(struct flows *flows);
/* For the i-th attacker's next flow. */
uint16_t attacker_port_draw(struct flows *flows, const struct activity *activity, uint32_t i);

/* What behaviours.def and services.def name. */
#define BEHAVIOUR(id, name, label, weight, groups, what)                \
	bool id##_plan(struct flows *flows, struct activity *activity); \
	uint64_t id##_step(struct flows *flows, struct activity *activity, uint64_t now_ns);
#include "behaviours.def"
#undef BEHAVIOUR
bool login_plan(struct flows *flows, struct activity *activity);
uint64_t login_step(struct flows *flows, struct activity *activity, uint64_t now_ns);

#endif
