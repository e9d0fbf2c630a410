/* SPDX-License-Identifier: MIT */
/*
 * keeper/instance.h - one running guest as the host sees it: its name, its
 * files, its addresses, and what of it `status` tells.
 */
#ifndef KEEPER_INSTANCE_H
#define KEEPER_INSTANCE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/fail.h"
#include "config/config.h"
#include "control/status.h"
#include "keeper/log.h"
#include "keeper/names.h"
#include "keeper/plan.h"
#include "keeper/hostsfile.h"
#include "keeper/resolvers.h"

struct instance {
	const struct config *config;	/* borrowed */
	pid_t front;
	char command[160];		/* its words, cut */
	char dir[NAMES_DIR_BYTES];
	char name[CONFIG_NAME_BYTES];
	char log_path[NAMES_PATH_BYTES];
	char hostname[CONFIG_HOSTNAME_BYTES];	/* inside */
	int lock_fd;			/* -1: no name is ours */
	struct log log;
	struct plan plan;
	struct ip gateway4, gateway6;
	struct mac gateway_mac;
	unsigned mtu;			/* of the link, now */
	struct resolvers resolvers;
	struct hostsfile hosts;
};

/**
 * instance_open() - take a name, open the log, find the addresses
 * @command:	NULL-terminated words, borrowed during the call
 * @status:	on failure: what slipway should exit with
 *
 * Return: 0, or -1 with fail set; instance_close() in both cases.
 */
MUST int instance_open(struct instance *in, const struct config *config,
		       pid_t front, char *const *command, struct fail *fail,
		       int *status);

/*
 * Say of a file of the runtime directory that it cannot be made, why
 * (error, an errno) and what to do. Returns -1.
 */
int instance_no_file(const char *path, int error, struct fail *fail);

/* Write the pid file. 0 or -errno. */
MUST int instance_write_pid(const struct instance *in);

/* The DNS servers in use: the user's or the host's. How many. */
unsigned instance_dns(const struct instance *in,
		      struct ip out[CONFIG_DNS_MAX]);
const char *instance_search(const struct instance *in);

/* Texts of the guest's files; allocated. NULL: none is wanted, or memory. */
char *instance_resolv_conf(const struct instance *in);
char *instance_hosts(const struct instance *in);

/* What the instance itself knows of its status; the rest is zero. */
void instance_status(const struct instance *in, struct status *out);

/* Remove the files and give the name back. Again does nothing. */
void instance_close(struct instance *in, bool keep_log);

#endif
