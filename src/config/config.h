/* SPDX-License-Identifier: MIT */
/*
 * config/config.h - what a user may set, as one validated value.
 *
 * Filled from config_defaults(), then files (config/file.h), then options
 * (config/options.h), each over the one before; config_check() last. The
 * settings themselves stand in one table, config/settings.c.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/fail.h"
#include "base/ports.h"
#include "config/publish.h"

#define CONFIG_NAME_BYTES	33	/* 32 characters and NUL */
#define CONFIG_HOSTNAME_BYTES	65	/* HOST_NAME_MAX and NUL */
#define CONFIG_SEARCH_BYTES	256
#define CONFIG_DNS_MAX		8
#define CONFIG_PUBLISH_MAX	32
#define CONFIG_PEER_SUFFIX	".vm"	/* of --qemu-dgram SOCK: PEER's */
#define CONFIG_MTU_MIN		68u	/* RFC 791 */
#define CONFIG_MTU_MIN_V6	1280u	/* RFC 8200 section 5 */
#define CONFIG_MTU_USUAL	1500u	/* Ethernet's */
#define CONFIG_MTU_MAX		65520u

enum localhost_mode {
	LOCALHOST_AUTO,			/* every port that the guest opens */
	LOCALHOST_OFF,
	LOCALHOST_LIST,			/* those of localhost_ports */
};

enum localhost_conflict {
	CONFLICT_TELL,			/* the port is its owner's; status says so */
	CONFLICT_REFUSE,		/* the guest's bind() fails */
};

enum config_access {
	CONFIG_ACCESS_GATEWAY,		/* gateway's address: host's services */
	CONFIG_ACCESS_LOCALHOST,	/* and they are on its localhost, too */
	CONFIG_ACCESS_LIST,		/* likewise those of host_ports alone */
	CONFIG_ACCESS_OFF,
};

struct config {
	/* of the network */
	char name[CONFIG_NAME_BYTES];	/* "": after the command */
	bool has_subnet, has_address, has_mac;
	struct prefix subnet;		/* IPv4, 8..30 bits */
	struct ip address;		/* IPv4 */
	struct mac mac;			/* unicast, not zero */
	bool mtu_auto;			/* the host's route's, live */
	unsigned mtu;			/* else; auto: of a host without route */
	bool ipv6;
	char hostname[CONFIG_HOSTNAME_BYTES];	/* "": the host's */
	bool link_local;
	bool keep_flows;
	enum config_access host_access;
	struct port_list host_ports;	/* if CONFIG_ACCESS_LIST */
	bool host_interface;
	enum localhost_mode localhost;
	enum localhost_conflict localhost_conflict;	/* of run only */
	struct port_list localhost_ports;	/* if LOCALHOST_LIST */
	struct port_list ignored_ports;
	unsigned n_publish;
	struct publish publish[CONFIG_PUBLISH_MAX];
	bool generate_hosts, generate_resolv_conf;
	bool auto_proxy;		/* rewrite proxies on localhost */
	/* of names */
	unsigned n_dns;			/* 0: the host's */
	struct ip dns[CONFIG_DNS_MAX];
	bool has_search;		/* else the host's */
	char search[CONFIG_SEARCH_BYTES];	/* blanks between domains */
	/* of one invocation */
	const char *file;		/* --config; borrowed; NULL */
	const char *qemu;		/* --qemu; borrowed; NULL */
	const char *qemu_dgram;		/* --qemu-dgram, likewise */
	const char *attach;		/* of attach: its operand, likewise */
	const char *pid_file;		/* --pid-file, likewise */
	uint16_t doctor_port;		/* --port; 0: none */
	bool has_doctor_peer;
	struct ip doctor_peer;		/* --peer */
	bool background;
	bool as_root, once, quiet, verbose, json, help, version;
	int ready_fd;			/* -1: none */
};

void config_defaults(struct config *c);

/* What no setting can check alone. 0, or -1 with fail set. */
MUST int config_check(const struct config *c, struct fail *fail);

#endif
