/* SPDX-License-Identifier: MIT */
#include "keeper/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keeper/etctext.h"
#include "keeper/state.h"
#include "keeper/textfile.h"
#include "linux/netlink.h"

#define NAMES_TRIED	10000u

/* What helps against an error at a file of the runtime directory. */
static const char *remedy(int error)
{
	if (error == ENOSPC || error == EDQUOT)
		return "make room there";
	if (error == EROFS)
		return "make it writable";
	return "see that the directory is yours";
}

int instance_no_file(const char *path, int error, struct fail *fail)
{
	return fail_set(fail, "%s: cannot be made: %s; %s", path,
			strerror(error), remedy(error));
}

static int no_lock(const struct instance *in, struct fail *fail)
{
	char path[NAMES_PATH_BYTES];

	return instance_no_file(names_path(path, in->dir, in->name, ".lock"),
				-in->lock_fd, fail);
}

static int take_given_name(struct instance *in, struct fail *fail)
{
	strcpy(in->name, in->config->name);
	in->lock_fd = names_lock(in->dir, in->name);
	if (in->lock_fd == -EWOULDBLOCK)
		return fail_set(fail, "--name %s: a guest of that name runs; "
				"take another, or end it: slipway stop %s",
				in->name, in->name);
	return in->lock_fd < 0 ? no_lock(in, fail) : 0;
}

/* The first that is free of python3, python3-2, … */
static int take_free_name(struct instance *in, const char *command,
			  struct fail *fail)
{
	char base[CONFIG_NAME_BYTES];

	names_from_command(command, base);
	for (unsigned i = 1; i < NAMES_TRIED; i++) {
		names_nth(base, i, in->name);
		in->lock_fd = names_lock(in->dir, in->name);
		if (in->lock_fd != -EWOULDBLOCK)
			break;
	}
	if (in->lock_fd == -EWOULDBLOCK)
		return fail_set(fail, "%s to %s: guests of those names run; "
				"give another by --name", base, in->name);
	return in->lock_fd < 0 ? no_lock(in, fail) : 0;
}

static int open_log(struct instance *in, struct fail *fail)
{
	names_path(in->log_path, in->dir, in->name, ".log");
	unlink(in->log_path);
	in->log.fd = open(in->log_path, O_WRONLY | O_CREAT | O_EXCL |
			  O_APPEND | O_CLOEXEC, 0600);
	in->log.debug = in->config->verbose;
	if (in->log.fd < 0)
		return instance_no_file(in->log_path, errno, fail);
	return 0;
}

static bool has_route(void *ctx, const struct prefix *p)
{
	return netlink_overlaps(ctx, p, 0) > 0;
}

static bool no_route(void *ctx, const struct prefix *p)
{
	(void)ctx;
	(void)p;
	return false;
}

static void derive_addresses(struct instance *in)
{
	struct netlink *nl = netlink_open();

	plan_derive(in->name, nl ? has_route : no_route, nl, &in->plan);
	if (nl)
		netlink_close(nl);
}

/* Keep what was derived just now; before the user's settings go over it. */
static void save_addresses(struct instance *in)
{
	const int rc = state_save(in->name, &in->plan);

	if (rc < 0)
		log_print(&in->log, LOG_WARN, "the addresses are not kept for "
			  "the next time: %s", strerror(-rc));
}

static int find_plan(struct instance *in, struct fail *fail)
{
	if (!state_load(in->name, &in->plan)) {
		derive_addresses(in);
		save_addresses(in);
	}
	if (plan_override(&in->plan, in->config, fail) < 0)
		return -1;
	in->gateway4 = plan_gateway4(&in->plan);
	in->gateway6 = plan_gateway6(&in->plan);
	in->gateway_mac = plan_gateway_mac(in->name);
	return 0;
}

static void join_words(char *buf, size_t cap, char *const *words)
{
	size_t used = 0;

	buf[0] = '\0';
	for (; *words && used + 1 < cap; words++) {
		const int n = snprintf(buf + used, cap - used, "%s%s",
				       used ? " " : "", *words);

		used += n > 0 ? (size_t)n : 0;
	}
}

static void find_hostname(struct instance *in)
{
	if (in->config->hostname[0])
		strcpy(in->hostname, in->config->hostname);
	else if (config_machine(in->config) || in->config->attach)
		strcpy(in->hostname, in->name);
	else if (gethostname(in->hostname, sizeof(in->hostname) - 1) < 0)
		strcpy(in->hostname, "guest");
}

int instance_open(struct instance *in, const struct config *config,
		  pid_t front, char *const *command, struct fail *fail,
		  int *status)
{
	memset(in, 0, sizeof(*in));
	in->config = config;
	in->front = front;
	in->mtu = config->mtu;
	in->lock_fd = -1;
	in->log.fd = -1;
	*status = 125;
	join_words(in->command, sizeof(in->command), command);
	if (names_make_dir(in->dir, fail) < 0)
		return -1;
	if ((config->name[0] ? take_given_name(in, fail) :
			       take_free_name(in, command[0], fail)) < 0)
		return -1;
	find_hostname(in);
	if (open_log(in, fail) < 0)
		return -1;
	if (!config->join && find_plan(in, fail) < 0) {
		*status = 2;
		return -1;
	}
	resolvers_init(&in->resolvers);
	hostsfile_init(&in->hosts);
	return 0;
}

int instance_write_pid(const struct instance *in)
{
	char path[NAMES_PATH_BYTES];
	FILE *f;

	names_path(path, in->dir, in->name, ".pid");
	unlink(path);
	f = fopen(path, "wxe");
	if (!f)
		return -errno;
	fprintf(f, "%d\n", getpid());
	return fclose(f) == 0 ? 0 : -errno;
}

unsigned instance_dns(const struct instance *in,
		      struct ip out[CONFIG_DNS_MAX])
{
	const struct config *c = in->config;

	memcpy(out, c->n_dns ? c->dns : in->resolvers.now.at,
	       sizeof(*out) * CONFIG_DNS_MAX);
	return c->n_dns ? c->n_dns : in->resolvers.now.n;
}

const char *instance_search(const struct instance *in)
{
	return in->config->has_search ? in->config->search :
					in->resolvers.now.search;
}

char *instance_resolv_conf(const struct instance *in)
{
	const size_t cap = 512;
	char *buf;

	if (!in->config->generate_resolv_conf)
		return NULL;
	buf = malloc(cap);
	if (buf)
		resolvconf_make(buf, cap, &in->gateway4, instance_search(in));
	return buf;
}

char *instance_hosts(const struct instance *in)
{
	struct hosts_setup s = {
		.guest4 = in->plan.guest4, .gateway4 = in->gateway4,
		.v6 = in->config->ipv6,
		.guest6 = in->plan.guest6, .gateway6 = in->gateway6,
		.hostname = in->hostname,
	};
	char *host, *text;

	if (!in->config->generate_hosts)
		return NULL;
	host = textfile_read("/etc/hosts", HOSTSFILE_BYTES);
	s.host_text = host ? host : "";
	text = hosts_make(&s);
	free(host);
	return text;
}

void instance_status(const struct instance *in, struct status *out)
{
	const struct config *c = in->config;

	memset(out, 0, sizeof(*out));
	out->name = in->name;
	out->command = in->command;
	out->hostname = in->hostname;
	out->search = instance_search(in);
	out->log = in->log_path;
	out->pid = in->front;
	out->keeper = getpid();
	out->net4 = in->plan.net4;
	out->net6 = in->plan.net6;
	out->guest4 = in->plan.guest4;
	out->guest6 = in->plan.guest6;
	out->gateway4 = in->gateway4;
	out->gateway6 = in->gateway6;
	out->guest_mac = in->plan.guest_mac;
	out->gateway_mac = in->gateway_mac;
	out->v6 = c->ipv6;
	out->isolate = c->isolate;
	out->mtu = in->mtu;
	out->n_dns = instance_dns(in, out->dns);
	out->zones = in->config->zones;
	out->n_zones = in->config->n_zones;
	out->host_access = c->host_access;
	out->localhost = c->localhost;
	out->localhost_conflict = c->localhost_conflict;
}

void instance_close(struct instance *in, bool keep_log)
{
	if (in->lock_fd < 0)
		return;
	names_remove(in->dir, in->name, keep_log);
	close(in->lock_fd);
	in->lock_fd = -1;
}
