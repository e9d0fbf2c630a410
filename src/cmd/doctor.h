/* SPDX-License-Identifier: MIT */
/* cmd/doctor.h - the parts of `slipway doctor` */
#ifndef CMD_DOCTOR_H
#define CMD_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>

#include "cmd/hostfw.h"
#include "config/config.h"
#include "doctor/guest.h"
#include "doctor/report.h"

#define DOCTOR_SERVERS_MAX 32

/* What one run has learnt; begins as zeroes, and report_init(). */
struct doctor {
	struct report report;
	const struct config *config;
	struct hostfw_view hostfw;
	struct {
		struct ip ip;
		int err;		/* of probe_root() */
	} server[DOCTOR_SERVERS_MAX];	/* of DNS, each asked once */
	unsigned n_servers;
};

/* The host itself: its way to the world, and what `run` needs of it. */
void doctor_host(struct doctor *d);

/* Of that: default route, servers of resolv.conf, sizes of packets. */
void doctor_network(struct doctor *d);

/* DNS servers (n, borrowed), which are those of whom. */
void doctor_servers(struct doctor *d, const struct ip *at, unsigned n,
		    const char *whom);

/* A guest that runs here; status (borrowed): as API_STATUS has it. */
void doctor_instance(struct doctor *d, const char *name, json_t *status);

/* The facts that status tells. */
void doctor_facts(json_t *status, struct guest_facts *f);

/* Words of the kind "what: why; what to do", as status has them. */
void doctor_words(struct doctor *d, enum report_state state, const char *id,
		  const char *tried, const char *words);

/* What the host's firewall does with a port of TCP, if it drops it. */
bool doctor_hostfw(struct doctor *d, uint16_t port, const char *tried);

/* The firewall of a guest's network: is it on, and what is in force. */
void doctor_firewall(struct doctor *d, const char *name);

/*
 * Does it block TCP between these ends? Then that is told, as `state', with
 * the rule and the commands that change it.
 */
bool doctor_firewall_blocks(struct doctor *d, const char *name,
			    const struct ip *from, const struct endpoint *to,
			    enum report_state state, const char *id,
			    const char *tried);

/* Is this a distribution of WSL? */
bool doctor_is_wsl(void);

/* That, and Windows beside it. */
void doctor_wsl(struct doctor *d);

#endif
