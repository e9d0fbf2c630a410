/* SPDX-License-Identifier: MIT */
/*
 * config/config.h - what a user may set, as one validated value.
 *
 * Filled from config_defaults(), then files (config/file.h), then options
 * (config/options.h), each over the one before; config_check() last. The
 * settings themselves stand in one table, config/settings.c. Rules of the
 * firewall are added up instead: none takes the place of another.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/dns_zone.h"
#include "base/fail.h"
#include "base/ports.h"
#include "config/publish.h"
#include "config/ruleset.h"
#include "config/verb.h"

#define CONFIG_NAME_BYTES	33	/* 32 characters and NUL */
#define CONFIG_HOSTNAME_BYTES	65	/* HOST_NAME_MAX and NUL */
#define CONFIG_SEARCH_BYTES	256
#define CONFIG_BOOT_BYTES	512
#define CONFIG_DNS_MAX		8
#define CONFIG_PUBLISH_MAX	32
#define CONFIG_PEER_SUFFIX	".vm"	/* of --qemu-dgram SOCK: PEER's */
#define CONFIG_ALLOW_MAX	1000	/* words of --allow */
#define CONFIG_LOG_BYTES	(4u << 20)	/* Windows' normal size, too */
#define CONFIG_LOG_BYTES_MIN	(64u << 10)
#define CONFIG_LOG_BYTES_MAX	(1u << 30)
#define CONFIG_PATH_BYTES	4096	/* PATH_MAX */
#define CONFIG_MTU_MIN		68u	/* RFC 791 */
#define CONFIG_MTU_MIN_V6	1280u	/* RFC 8200 section 5 */
#define CONFIG_MTU_USUAL	1500u	/* Ethernet's */
#define CONFIG_MTU_MAX		65520u
#define CONFIG_LINKS_MAX	16	/* of serve */
#define CONFIG_GUESTS_MAX	63	/* sections; and the first guest */

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

/* By what a virtual machine joins. */
enum config_link_kind {
	CONFIG_LINK_STREAM,		/* --qemu */
	CONFIG_LINK_CONNECT,		/* --qemu-connect: we connect */
	CONFIG_LINK_DATAGRAM,		/* --qemu-dgram */
	CONFIG_LINK_VHOST,		/* --vhost-user */
	CONFIG_LINK_FD,			/* --fd: an inherited stream */
};

struct config_link {
	enum config_link_kind kind;
	const char *path;		/* borrowed; NULL: of --fd */
	int fd;				/* of --fd */
};

/* A section [guest NAME]. */
struct config_guest {
	char name[CONFIG_NAME_BYTES];
	bool has_address, has_mac;
	struct ip address;		/* IPv4 */
	struct mac mac;			/* unicast, not zero; else by name */
	char hostname[CONFIG_HOSTNAME_BYTES];	/* "": its name */
	char boot_command[CONFIG_BOOT_BYTES];	/* "": none */
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
	bool isolate;			/* guests do not reach each other */
	bool keep_flows;
	bool agent;			/* a machine's is heard */
	enum config_access host_access;
	struct port_list host_ports;	/* if CONFIG_ACCESS_LIST */
	bool host_interface;
	enum localhost_mode localhost;
	enum localhost_conflict localhost_conflict;	/* of run only */
	struct port_list localhost_ports;	/* if LOCALHOST_LIST */
	struct port_list ignored_ports;
	unsigned n_publish;
	struct publish publish[CONFIG_PUBLISH_MAX];
	/* other guests, of the files */
	unsigned n_guests, guest_now;	/* that is read */
	struct config_guest guests[CONFIG_GUESTS_MAX];
	bool generate_hosts, generate_resolv_conf;
	bool auto_proxy;		/* rewrite proxies on localhost */
	char boot_command[CONFIG_BOOT_BYTES];	/* "": none */
	/* of names */
	unsigned n_dns;			/* 0: the host's */
	struct ip dns[CONFIG_DNS_MAX];
	unsigned n_zones;
	struct dns_zone zones[DNS_ZONES_MAX];
	bool has_search;		/* else the host's */
	char search[CONFIG_SEARCH_BYTES];	/* blanks between domains */
	/* of the firewall */
	bool firewall;			/* false: everything passes */
	enum rule_profile profile;	/* 0: not said */
	bool profile_given;		/* by an option: what is kept yields */
	bool has_block_action, block_refuse;	/* else dropped */
	bool rules_keep_flows;		/* at a change of theirs */
	bool log_blocked;
	char log_file[CONFIG_PATH_BYTES];	/* "": beside the state */
	uint32_t log_bytes;
	struct ruleset rules;		/* of the files */
	struct ruleset allow;		/* the allow list, as rules */
	/* what was said since config_begin() */
	bool says_access, says_localhost, says_allow;
	/* of one invocation */
	const char *file;		/* --config; borrowed; NULL */
	unsigned n_links;		/* of serve, in their order */
	struct config_link links[CONFIG_LINKS_MAX];
	const char *join;		/* --join; borrowed; NULL */
	const char *attach;		/* of attach: its operand, likewise */
	const char *pid_file;		/* --pid-file, likewise */
	uint16_t doctor_port;		/* --port; 0: none */
	const char *doctor_program;	/* --program; borrowed; NULL */
	bool has_doctor_peer;
	struct ip doctor_peer;		/* --peer */
	bool background;
	bool has_gateway;
	struct ip gateway;		/* --gateway of guest */
	bool as_root, once, quiet, verbose, json, help, version;
	struct config_verb verb;	/* of firewall, why */
	int ready_fd;			/* -1: none */
};

void config_defaults(struct config *c);

/* Give back what was allocated, after config_defaults(). */
void config_fini(struct config *c);

/*
 * Around one file, or all options: an allow list turns host access and
 * localhost off, unless the same place says otherwise.
 */
void config_begin(struct config *c);
void config_end(struct config *c);

/* Are the guests virtual machines? */
static inline bool config_machine(const struct config *c)
{
	return c->n_links > 0;
}

/*
 * The section of that guest begins: what follows is its own. NULL, or why it
 * cannot be (a static string).
 */
MUST const char *config_enter_guest(struct config *c, const char *name);

/* The section of that guest; NULL: it has none. */
const struct config_guest *config_guest(const struct config *c,
					const char *name);

/*
 * Can a guest of that subnet have the address? 0, or -1 with fail set; what:
 * whose it is, for that.
 */
MUST int config_check_address(const struct prefix *subnet,
			      const struct ip *address, const char *what,
			      struct fail *fail);

/* What no setting can check alone. 0, or -1 with fail set. */
MUST int config_check(const struct config *c, struct fail *fail);

#endif
